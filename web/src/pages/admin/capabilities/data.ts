//! The matrix as the portal keeps it, one row for a model, and the test that fills a row.
import { useQueries } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Capability, Matrix } from "@/api/types";
import { queries } from "@/app/queries";

/** The columns, in their order. */
export const CAPABILITIES: Capability[] = ["models", "chat", "stream", "usage", "tools", "json_schema", "vision", "logprobs", "reasoning", "embeddings", "rerank"];

const key = (model: string) => ["admin", "capabilities", model] as const;
const path = (model: string) => `/api/models/${encodeURIComponent(model)}/capabilities`;

export function useMatrix(models: string[]) {
  return useQueries({ queries: models.map((model) => ({ queryKey: key(model), queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Matrix>(path(model), undefined, signal), staleTime: 60_000 })) });
}

export async function test(model: string) {
  queries.setQueryData(key(model), await api.post<Matrix>(path(model)));
}
