//! Evaluations as the portal tells of them, and what their variants are called. One that runs is asked for every second.
import { useQuery } from "@tanstack/react-query";
import type { Evaluation, EvaluationOrder, EvaluationResult, EvaluationRow, Variant } from "@/api/evaluations";
import { api } from "@/api/client";
import { queries } from "@/app/queries";
import type { Translate } from "@/lib/i18n";

/** What is measured: what a job has taught, or models with a frozen version of a set. */
export type Subject = { job: string } | { dataset: string };

const all = ["admin", "evaluations"] as const;
const EVERY = 1_000;

export const useEvaluations = (subject: Subject) =>
  useQuery({ queryKey: [...all, subject], queryFn: async ({ signal }) => (await api.get<{ items: Evaluation[] }>("/api/evaluations", subject, signal)).items });

export const useEvaluation = (id: string) =>
  useQuery({
    queryKey: [...all, id],
    queryFn: ({ signal }) => api.get<EvaluationResult>(`/api/evaluations/${id}`, undefined, signal),
    staleTime: 0,
    refetchInterval: (query) => (query.state.data?.state === "running" ? EVERY : false),
  });

export const again = () => queries.invalidateQueries({ queryKey: all });

export const beginEvaluation = (order: EvaluationOrder) => api.post<Evaluation>("/api/evaluations", order);
export const cancelEvaluation = (id: string) => api.post(`/api/evaluations/${id}/cancel`);
export const resumeEvaluation = (id: string) => api.post(`/api/evaluations/${id}/resume`);
export const removeEvaluation = (id: string) => api.delete(`/api/evaluations/${id}`);
export const exportAddress = (id: string, format: "csv" | "json") => `/api/evaluations/${id}/export?format=${format}`;

/** What each variant is called: of a model that is asked with and without its adapters, base and adapter; else its own name. */
export function namesOf(variants: Variant[], t: Translate<"tuning">): string[] {
  const adapted = (model: string) => variants.some((other) => other.model.startsWith(`${model}:`));
  const names = variants.map(({ model, system_prompt }) => {
    const at = model.indexOf(":");
    const isAdapter = at > 0 && variants.some((other) => other.model === model.slice(0, at));
    const name = isAdapter ? t("eval.adapter", { name: model.slice(at + 1) }) : adapted(model) ? t("eval.base") : model;
    return system_prompt === null ? name : t("eval.prompted", { name });
  });
  // One model under two prompts: a program may ask for that.
  return names.map((name, at) => (names.indexOf(name) === at ? name : `${name} (${at + 1})`));
}

/** Whether the variants' answers to a question are not all the same, white space at both ends aside. */
export const differs = (row: EvaluationRow): boolean => new Set(row.answers.map((answer) => (answer.failure ? "" : answer.text.trim()))).size > 1;

/** The last question of a conversation, and how many messages stand before it. */
export function asked(row: EvaluationRow): { question: string; earlier: number } {
  const at = row.messages.findLastIndex((message) => message.role === "user");
  const earlier = row.messages.slice(0, Math.max(at, 0)).filter((message) => message.role !== "system").length;
  return { question: row.messages[at]?.content ?? "", earlier };
}

/** Two cards with the same words say of one adapter that it is the other, in whatever order their fields stand. */
export function same(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return one === other;
  const [ours, theirs] = [Object.entries(one), other as Record<string, unknown>];
  return ours.length === Object.keys(theirs).length && ours.every(([key, value]) => key in theirs && same(value, theirs[key]));
}
