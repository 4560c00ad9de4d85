//! The words of the wire contract about evaluations. Held against the portal's description in agreement.ts.
import type { ExampleMessage, Failure, Finish } from "@/api/types";

export type EvaluationState = "running" | "finished" | "cancelled" | "interrupted";
/** Whom is asked: a model, with or without instructions of its own. */
export type Variant = { model: string; system_prompt: string | null };
/** `total`: an answer of each variant to each question. */
export type Evaluation = {
  id: string;
  job: string | null;
  dataset: string;
  version: number;
  variants: Variant[];
  max_tokens: number;
  state: EvaluationState;
  questions: number;
  total: number;
  done: number;
  started_at: number;
  finished_at: number | null;
};
/** A variant in few figures; shares 0 to 1, null where it has not answered. */
export type Means = { answered: number; failed: number; exact: number | null; similarity: number | null; ms: number | null; completion: number | null };
/** What a variant (its place in `variants`) answered. */
export type EvaluationAnswer = {
  variant: number;
  text: string;
  finish: Finish;
  failure: Failure | null;
  exact: boolean | null;
  similarity: number | null;
  prompt: number;
  completion: number;
  ttft_ms: number | null;
  ms: number;
};
export type EvaluationRow = { seq: number; messages: ExampleMessage[]; expected: string; answers: EvaluationAnswer[] };
export type EvaluationResult = Evaluation & { means: Means[]; rows: EvaluationRow[] };
/** Of a job that is done, or of a data set and its frozen version. */
export type EvaluationOrder = { job?: string | null; dataset?: string | null; version?: number | null; variants: { model: string; system_prompt?: string | null }[]; questions?: number | null; max_tokens?: number | null };
