//! Aliases as the portal keeps them: what holds, every version there was, and saved questions asked again of another model.
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Alias, AliasContent, AliasList, AliasVersion, Replay, ReplayResult } from "@/api/types";
import { keys as chatKeys, queries } from "@/app/queries";

/** One alias: the same name may stand for other models in another environment. */
export type Named = Pick<Alias, "name" | "environment">;

export const aliasKeys = {
  all: ["admin", "aliases"] as const,
  versions: ({ name, environment }: Named) => ["admin", "aliases", "versions", name, environment] as const,
  replay: (id: string) => ["admin", "replay", id] as const,
};

const path = ({ name }: Named) => `/api/aliases/${encodeURIComponent(name)}`;
const where = ({ environment }: Named) => (environment === null ? {} : { environment });

export function useAliases() {
  return useQuery({ queryKey: aliasKeys.all, queryFn: ({ signal }) => api.get<AliasList>("/api/aliases", undefined, signal), staleTime: 5_000 });
}

export function useVersions(alias: Named) {
  return useQuery({ queryKey: aliasKeys.versions(alias), queryFn: ({ signal }) => api.get<AliasVersion[]>(`${path(alias)}/history`, where(alias), signal), staleTime: 0 });
}

/** Asked again while it runs: the answers come one after the other. */
export function useReplay(id: string | undefined) {
  return useQuery({
    queryKey: aliasKeys.replay(id ?? ""),
    queryFn: ({ signal }) => api.get<ReplayResult>(`/api/replays/${id}`, undefined, signal),
    enabled: id !== undefined,
    staleTime: 0,
    refetchInterval: (query) => (query.state.data?.state === "running" || query.state.data === undefined ? 700 : false),
  });
}

type Content = Omit<AliasContent, "targets"> & { targets: { model: string; weight: number }[] };

export const createAlias = (alias: Named, content: Content) => api.post("/api/aliases", { name: alias.name, ...where(alias), ...content });
export const changeAlias = (alias: Named, content: Content) => api.put(path(alias), { ...where(alias), ...content });
export const removeAlias = (alias: Named) => api.delete(`${path(alias)}${alias.environment === null ? "" : `?environment=${encodeURIComponent(alias.environment)}`}`);
/** To one model, alone from now on; or to a version of its history. */
export const switchAlias = (alias: Named, to: { target: string } | { version: number }, note = "") => api.post(`${path(alias)}/switch`, { ...where(alias), ...to, note });
/** As it was before the last change; twice is nothing. */
export const rollBack = (alias: Named) => api.post(`${path(alias)}/rollback`, where(alias));

export const beginReplay = (alias: Named, target: string, last: number) => api.post<Replay>(`${path(alias)}/replay`, { target, last });
export const cancelReplay = (id: string) => api.post(`/api/replays/${id}/cancel`);

/** An alias changed: its list, its versions, and what people may choose from. */
export function aliasesChanged() {
  void queries.invalidateQueries({ queryKey: chatKeys.models });
  return queries.invalidateQueries({ queryKey: aliasKeys.all });
}
