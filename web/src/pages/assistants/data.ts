//! What the pages of assistants read and change. A change comes back as the whole assistant, so that nothing is asked twice.
import { useQuery } from "@tanstack/react-query";
import type { Assistant, AssistantDetail, Difference, Persona, Shared, TriedOut, Unit } from "@/api/assistants";
import { Problem, api } from "@/api/client";
import { queries } from "@/app/queries";
import { assistantsAgain } from "@/chat/assistants";
import { type Key, translate, useLanguage } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { toast } from "@/ui/toast";

const detailKey = (id: string) => ["assistant", id] as const;

export const useDetail = (id: string) => useQuery({ queryKey: detailKey(id), queryFn: ({ signal }) => api.get<AssistantDetail>(`/api/assistants/${id}`, undefined, signal) });

/** The library in the language of the pages. */
export function usePersonas() {
  const language = useLanguage();
  return useQuery({ queryKey: ["personas", language], queryFn: async ({ signal }) => (await api.get<{ items: Persona[] }>("/api/personas", { language }, signal)).items, staleTime: Infinity });
}

/** What differs from version `from` to `to`; null is the draft. */
export const useDifferences = (id: string, from: number | null, to: number | null, revision: number) =>
  useQuery({ queryKey: [...detailKey(id), "diff", from, to, revision], queryFn: async ({ signal }) => (await api.get<{ items: Difference[] }>(`/api/assistants/${id}/diff`, { from, to }, signal)).items });

function taken(detail: AssistantDetail): AssistantDetail {
  queries.setQueryData(detailKey(detail.assistant.id), detail);
  void assistantsAgain();
  return detail;
}

export const create = async (body: { name?: string; persona?: string; language?: string }) => taken(await api.post<AssistantDetail>("/api/assistants", body));
export const importFile = async (file: File) => taken(await api.post<AssistantDetail>("/api/assistants/import", await file.text()));
export const saveDraft = async (id: string, revision: number, unit: Unit) => taken(await api.put<AssistantDetail>(`/api/assistants/${id}/draft`, { revision, unit }));
export const publish = async (id: string, revision: number, note: string) => taken(await api.post<AssistantDetail>(`/api/assistants/${id}/publish`, { revision, note }));
export const takeBack = async (id: string, version: number) => taken(await api.post<AssistantDetail>(`/api/assistants/${id}/versions/${version}/restore`));

export async function share(id: string, shared: Shared) {
  await api.patch<Assistant>(`/api/assistants/${id}`, { shared });
  await queries.invalidateQueries({ queryKey: detailKey(id) });
  await assistantsAgain();
}

export const tryOut = (id: string, question: string, version: number | null) =>
  api.post<TriedOut>(`/api/assistants/${id}/try`, { question, ...(version === null ? {} : { version }), utc_offset: -new Date().getTimezoneOffset() });

/** Takes one away, with a way back. */
export async function remove(assistant: Pick<Assistant, "id" | "name">) {
  try {
    await api.delete(`/api/assistants/${assistant.id}`);
  } catch (error) {
    bad(error);
    return;
  }
  void assistantsAgain();
  const back = () => void api.post(`/api/assistants/${assistant.id}/restore`).then(assistantsAgain, bad);
  toast(translate("assistants", "deleted", { name: assistant.name }), { action: { label: translate("common", "undo"), act: back } });
}

/** A plain link: the browser's own download. */
export function exportFile(id: string) {
  const link = document.createElement("a");
  link.href = `/api/assistants/${id}/export`;
  link.download = "";
  link.click();
}

/** The sentence about a refusal: which field it is about, where the portal says so. */
export function assistantSentence(error: unknown): string {
  if (!(error instanceof Problem)) return sentence(error);
  const field = typeof error.params.field === "string" ? error.params.field : error.code;
  const key = `problem.${field}` as Key<"assistants">;
  const text = translate("assistants", key);
  return text === key ? sentence(error) : text;
}

export const bad = (error: unknown) => toast(assistantSentence(error), { tone: "bad" });

