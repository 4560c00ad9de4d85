//! Which question is being edited: one at a time.
import { create } from "zustand";

export const useEditing = create<{ message: string | null }>(() => ({ message: null }));

export function edit(message: string | null) {
  useEditing.setState({ message });
}
