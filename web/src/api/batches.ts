//! The words of the wire contract about batches. Held against the portal's description in agreement.ts.
import type { Failure } from "@/api/types";

export type BatchState = "running" | "paused" | "stopped" | "finished";
export type BatchRowState = "waiting" | "done" | "failed";
export type Batch = {
  id: string;
  name: string;
  assistant: string | null;
  assistant_version: number | null;
  model: string;
  instructions: string | null;
  template: string;
  columns: string[];
  at_once: number;
  state: BatchState;
  reason: Failure | null;
  total: number;
  done: number;
  failed: number;
  prompt: number;
  completion: number;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
};
export type BatchRow = { seq: number; cells: string[]; state: BatchRowState; answer: string; failure: Failure | null; prompt: number; completion: number; left_out: number; ms: number; tries: number };
/** `next`: where the following rows begin. */
export type BatchRows = { items: BatchRow[]; next: number | null };
/** One table, or files. */
export type BatchOrder = {
  name?: string;
  table?: string | null;
  files?: string[];
  template?: string;
  assistant?: string | null;
  instructions?: string | null;
  model?: string | null;
  max_tokens?: number | null;
  at_once?: number | null;
  utc_offset?: number;
};
export type BatchPreview = { columns: string[]; rows: number; first: string[][]; question: string; model: string; prompt: number; completion_at_most: number };
export type BatchSample = { name: string; text: string };
export type BatchExampleWords = { name: string; summary: string; instructions: string; template: string; samples: BatchSample[] };
export type BatchExample = { slug: string; source: string; max_tokens: number; en: BatchExampleWords; zh: BatchExampleWords };
