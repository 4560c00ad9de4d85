//! The matrix as the portal keeps it, and the test that fills one row of it.
import { api } from "@/api/client";
import type { Capability, Capabilities, Tested } from "@/api/types";

/** The columns, in their order. */
export const CAPABILITIES: Capability[] = ["models", "chat", "stream", "usage", "tools", "json_schema", "vision", "logprobs", "reasoning", "embeddings", "rerank"];

export const keys = { all: ["admin", "capabilities"] } as const;

export const capabilities = (signal: AbortSignal) => api.get<Capabilities>("/api/capabilities", undefined, signal);
export const test = (model: string) => api.post<Tested>("/api/capabilities", { model });
