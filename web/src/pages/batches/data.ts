//! Batches as the portal tells of them. One that runs is asked for every second, and so are its rows.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { Batch, BatchExample, BatchOrder, BatchPreview, BatchRowState, BatchRows, BatchState } from "@/api/batches";
import { Problem, api } from "@/api/client";
import { queries } from "@/app/queries";
import { sentence } from "@/lib/problem";
import { toast } from "@/ui/toast";

const all = ["batches"] as const;
const EVERY = 1_000;
/** Rows of one page of the table. */
export const PAGE = 50;

export const useBatches = () =>
  useQuery({
    queryKey: all,
    queryFn: async ({ signal }) => (await api.get<{ items: Batch[] }>("/api/batches", undefined, signal)).items,
    staleTime: 0,
    refetchInterval: (query) => (query.state.data?.some((one) => one.state === "running") ? EVERY : false),
  });

export const useBatch = (id: string) =>
  useQuery({
    queryKey: [...all, id],
    queryFn: ({ signal }) => api.get<Batch>(`/api/batches/${id}`, undefined, signal),
    staleTime: 0,
    refetchInterval: (query) => (query.state.data?.state === "running" ? EVERY : false),
  });

/** `moved`: the batch's own time of change, so that its rows are read again as often as it changes. */
export const useRows = (id: string, state: BatchRowState | "", from: number, moved: number) =>
  useQuery({
    queryKey: [...all, id, "rows", state, from, moved],
    queryFn: ({ signal }) => api.get<BatchRows>(`/api/batches/${id}/rows`, { state, from, limit: PAGE }, signal),
    placeholderData: keepPreviousData,
  });

export const useExamples = () =>
  useQuery({ queryKey: [...all, "examples"], queryFn: async ({ signal }) => (await api.get<{ items: BatchExample[] }>("/api/batches/examples", undefined, signal)).items, staleTime: Infinity });

export const again = () => queries.invalidateQueries({ queryKey: all });

export const preview = (order: BatchOrder) => api.post<BatchPreview>("/api/batches/preview", order);
export const begin = (order: BatchOrder) => api.post<Batch>("/api/batches", order);
export const stop = (id: string) => api.post(`/api/batches/${id}/stop`);
export const resume = (id: string) => api.post(`/api/batches/${id}/resume`);
export const retry = (id: string) => api.post(`/api/batches/${id}/retry`);
export const remove = (id: string) => api.delete(`/api/batches/${id}`);
export const exportAddress = (id: string, format: "csv" | "xlsx" | "jsonl") => `/api/batches/${id}/export?format=${format}`;

export const TONES: Record<BatchState, "brand" | "warn" | "neutral" | "good"> = { running: "brand", paused: "warn", stopped: "neutral", finished: "good" };

/** What the portal says of a field is more than any sentence of ours about fields. */
export function said(error: unknown): string {
  if (error instanceof Problem && error.status === 422) return error.message;
  return sentence(error);
}

export const bad = (error: unknown) => toast(said(error), { tone: "bad" });
