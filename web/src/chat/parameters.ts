//! System prompt and sampling of the conversation one is about to begin; an existing conversation carries its own.
import { create } from "zustand";
import type { Sampling } from "@/api/types";
import { useSession } from "@/app/session";

export type Parameters = { system_prompt: string | null; sampling: Sampling };

export const useNewParameters = create<{ changed: Parameters | null }>(() => ({ changed: null }));

/** What was set for the new conversation, else the person's own defaults. */
export function newParameters(): Parameters {
  const { changed } = useNewParameters.getState();
  if (changed) return changed;
  const settings = useSession.getState().me?.settings ?? {};
  return { system_prompt: settings.system_prompt ?? null, sampling: settings.sampling ?? {} };
}

/** What a new conversation's first question carries. */
export function askParameters(): { system_prompt?: string; sampling?: Sampling } {
  const { system_prompt, sampling } = newParameters();
  const set = Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== null && value !== undefined)) as Sampling;
  return { ...(system_prompt ? { system_prompt } : {}), ...(Object.keys(set).length > 0 ? { sampling: set } : {}) };
}
