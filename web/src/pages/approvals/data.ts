//! Calls that wait, as the portal tells of them. The portal says when one came or was decided; a look now and then catches what was missed.
import { useQuery } from "@tanstack/react-query";
import type { Approval, ApprovalList, Decision } from "@/api/approvals";
import { api } from "@/api/client";
import { queries } from "@/app/queries";

const all = ["approvals"] as const;
const EVERY = 30_000;

export const useApprovals = () => useQuery({ queryKey: all, queryFn: ({ signal }) => api.get<ApprovalList>("/api/approvals", undefined, signal), staleTime: 5_000, refetchInterval: EVERY });

export const useApprovalsOf = (turn: string) => useQuery({ queryKey: [...all, turn], queryFn: ({ signal }) => api.get<Approval[]>(`/api/turns/${turn}/approvals`, undefined, signal), staleTime: 0, refetchInterval: EVERY });

export const again = () => queries.invalidateQueries({ queryKey: all });

export async function decide(id: string, decision: Decision): Promise<void> {
  try {
    await api.post<Approval>(`/api/approvals/${id}`, decision);
  } finally {
    // Also where somebody was first: then this shows who.
    await again();
  }
}

/** The tool's own name, without its plugin's. */
export const toolOf = (call: Approval) => (call.tool.startsWith(`${call.plugin}__`) ? call.tool.slice(call.plugin.length + 2) : call.tool);

/** What a tool would be called with, a line for each argument; the text as it is where it is no object. */
export function argumentsOf(call: Approval): [string, string][] | string {
  try {
    const value: unknown = JSON.parse(call.arguments || "{}");
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value).map(([name, one]) => [name, typeof one === "string" ? one : JSON.stringify(one, null, 1)]);
  } catch {
    // Shown as it is.
  }
  return call.arguments;
}
