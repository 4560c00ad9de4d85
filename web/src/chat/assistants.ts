//! The assistants that may be asked, and the prompts that are kept: read once, read again after a change.
import { useQuery } from "@tanstack/react-query";
import type { Assistant, Prompt } from "@/api/assistants";
import { api } from "@/api/client";
import { queries } from "@/app/queries";

const KEYS = { assistants: ["assistants"], prompts: ["prompts"] } as const;

export const useAssistants = (enabled = true) =>
  useQuery({ queryKey: KEYS.assistants, queryFn: async ({ signal }) => (await api.get<{ items: Assistant[] }>("/api/assistants", undefined, signal)).items, enabled });

/** Null while it is not known, and for one that this person does not see any more. */
export function useAssistant(id: string | null): Assistant | null {
  const { data } = useAssistants(id !== null);
  return data?.find((one) => one.id === id) ?? null;
}

export const assistantsAgain = () => queries.invalidateQueries({ queryKey: KEYS.assistants });

export const usePrompts = () => useQuery({ queryKey: KEYS.prompts, queryFn: async ({ signal }) => (await api.get<{ items: Prompt[] }>("/api/prompts", undefined, signal)).items });

export const promptsAgain = () => queries.invalidateQueries({ queryKey: KEYS.prompts });

/** What an assistant's `{{date}}` needs; a plain conversation needs nothing. */
export function utcOffset(assistant: string | null | undefined): { utc_offset?: number } {
  return assistant ? { utc_offset: -new Date().getTimezoneOffset() } : {};
}
