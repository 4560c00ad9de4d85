//! What every deployment has to do, asked again every two seconds while somebody looks, with the last two minutes of it.
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Deployment } from "@/api/types";
import { queries } from "@/app/queries";

const EVERY_MS = 2_000;
/** Looks that are remembered: two minutes. */
export const REMEMBERED = 60;

/** `past`: requests under way and waiting at each look, oldest first. */
export type Watched = Deployment & { past: number[] };

const key = ["admin", "deployments"] as const;

export function useDeployments() {
  return useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => watched(await api.get<Deployment[]>("/api/deployments", undefined, signal), queries.getQueryData<Watched[]>(key) ?? []),
    refetchInterval: EVERY_MS,
    staleTime: 0,
  });
}

export function watched(now: Deployment[], before: Watched[]): Watched[] {
  const known = new Map(before.map((one) => [one.id, one.past]));
  return now.map((one) => ({ ...one, past: [...(known.get(one.id) ?? []), one.load + one.waiting].slice(-REMEMBERED) }));
}
