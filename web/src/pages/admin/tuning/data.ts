//! Data sets and training jobs as the portal tells of them. A job that is under way is asked for every second; its losses only from the last one known.
import { useQuery } from "@tanstack/react-query";
import { api, Problem, readProblem } from "@/api/client";
import type { Dataset, DatasetVersion, ExampleMessage, ExamplePage, ImportResult, JobDetail, JobState, Loss, Training } from "@/api/types";
import { queries } from "@/app/queries";
import { type Key, translate } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { toast } from "@/ui/toast";

const keys = {
  sets: ["admin", "datasets"],
  set: (id: string) => ["admin", "datasets", id],
  training: ["admin", "training"],
} as const;

/** What of a set is looked at. */
export type Wanted = { find: string; issue: string; offset: number };
export const AT_ONCE = 50;

export const useSets = () => useQuery({ queryKey: keys.sets, queryFn: async ({ signal }) => (await api.get<{ items: Dataset[] }>("/api/datasets", undefined, signal)).items });

export const useSet = (id: string) => useQuery({ queryKey: keys.set(id), queryFn: ({ signal }) => api.get<Dataset>(`/api/datasets/${id}`, undefined, signal) });

export const useExamples = (id: string, wanted: Wanted) =>
  useQuery({
    queryKey: [...keys.set(id), "examples", wanted],
    queryFn: ({ signal }) => api.get<ExamplePage>(`/api/datasets/${id}/examples`, { ...wanted, limit: AT_ONCE }, signal),
    placeholderData: (before) => before,
  });

export const useVersions = (id: string) =>
  useQuery({ queryKey: [...keys.set(id), "versions"], queryFn: async ({ signal }) => (await api.get<{ items: DatasetVersion[] }>(`/api/datasets/${id}/versions`, undefined, signal)).items, enabled: id !== "" });

/** Reads everything of the sets again. */
export const setsAgain = () => queries.invalidateQueries({ queryKey: keys.sets });

export type Manner = { dry_run: boolean; without_near: boolean };

/** Sends a file as it is. */
export async function importFile(id: string, name: string, body: Blob, manner: Manner): Promise<ImportResult> {
  const query = new URLSearchParams({ name, dry_run: String(manner.dry_run), without_near: String(manner.without_near) });
  let answer: Response;
  try {
    answer = await fetch(`/api/datasets/${id}/import?${query}`, { method: "POST", credentials: "same-origin", body, headers: { "content-type": "application/octet-stream" } });
  } catch {
    throw new Problem("portal_unreachable", "the portal does not answer");
  }
  if (!answer.ok) throw await readProblem(answer);
  return (await answer.json()) as ImportResult;
}

export const collect = (id: string, taken: { good: boolean; corrected: boolean }, manner: Manner) => api.post<ImportResult>(`/api/datasets/${id}/collect`, { ...taken, ...manner });

export async function changeExample(id: string, example: string, change: { messages?: ExampleMessage[]; included?: boolean }) {
  await api.patch(`/api/datasets/${id}/examples/${example}`, change);
  await setsAgain();
}

/** Takes examples away, with a way back. */
export async function removeExamples(id: string, which: { ids?: string[]; issue?: string }) {
  const { count, ids } = await api.post<{ count: number; ids: string[] }>(`/api/datasets/${id}/examples/remove`, which);
  await setsAgain();
  const back = () => void api.post(`/api/datasets/${id}/examples/restore`, { ids }).then(setsAgain, bad);
  toast(translate("tuning", "removed", { count }), { action: { label: translate("tuning", "undo"), act: back } });
}

export const rests = (state: JobState) => state !== "queued" && state !== "running";

export const useTraining = () =>
  useQuery({
    queryKey: keys.training,
    queryFn: ({ signal }) => api.get<Training>("/api/training", undefined, signal),
    refetchInterval: (query) => (query.state.data?.jobs.some((job) => !rests(job.state)) ? 1_000 : false),
  });

export const trainingAgain = () => queries.invalidateQueries({ queryKey: keys.training });

/** One job; what is known of its losses is not asked for again. */
export function useJob(id: string) {
  const key = [...keys.training, id];
  return useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      const known = queries.getQueryData<JobDetail>(key);
      const resumed = known !== undefined && rests(known.job.state);
      const last = resumed ? 0 : (known?.losses.at(-1)?.step ?? 0);
      const told = await api.get<JobDetail>(`/api/training/jobs/${id}`, { after: last }, signal);
      // It went on from a checkpoint before the last step that is known: the steps behind it are told anew.
      if ((told.job.progress.step ?? 0) < last) return api.get<JobDetail>(`/api/training/jobs/${id}`, undefined, signal);
      const kept: Loss[] = last === 0 ? [] : (known?.losses ?? []);
      return { ...told, losses: [...kept, ...told.losses] };
    },
    structuralSharing: false,
    refetchInterval: (query) => (query.state.data && !rests(query.state.data.job.state) ? 1_000 : false),
  });
}

/** The sentence about a refusal of a data set or a job, or of the portal's as everywhere. */
export function tuningSentence(error: unknown): string {
  if (!(error instanceof Problem)) return sentence(error);
  const key = `problem.${error.code}` as Key<"tuning">;
  const text = translate("tuning", key, error.params as Record<string, string | number>);
  return text === key || text.includes("{{") ? sentence(error) : text;
}

export const bad = (problem: unknown) => toast(tuningSentence(problem), { tone: "bad" });
