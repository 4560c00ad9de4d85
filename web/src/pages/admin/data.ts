//! What the administration reads and changes, with its cache keys. The live socket keeps model states true without asking again.
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Invitation, Model, Person, Preset, Provider, Pull } from "@/api/types";
import { queries } from "@/app/queries";

export const adminKeys = { found: ["admin", "found"], pulls: ["admin", "pulls"], installed: (provider: string) => ["admin", "installed", provider], providers: ["admin", "providers"], presets: ["admin", "presets"], people: ["admin", "people"], invitations: ["admin", "invitations"] } as const;

export function useProviders() {
  return useQuery({ queryKey: adminKeys.providers, queryFn: ({ signal }) => api.get<Provider[]>("/api/providers", undefined, signal), staleTime: 5_000 });
}

export function usePresets() {
  return useQuery({ queryKey: adminKeys.presets, queryFn: ({ signal }) => api.get<{ presets: Preset[] }>("/api/providers/presets", undefined, signal), staleTime: Number.POSITIVE_INFINITY });
}

export function usePeople() {
  return useQuery({ queryKey: adminKeys.people, queryFn: ({ signal }) => api.get<Person[]>("/api/people", undefined, signal), staleTime: 5_000 });
}

export function useInvitations() {
  return useQuery({ queryKey: adminKeys.invitations, queryFn: ({ signal }) => api.get<Invitation[]>("/api/invitations", undefined, signal), staleTime: 5_000 });
}

/** Kept true by the live socket. */
export function usePulls() {
  return useQuery({ queryKey: adminKeys.pulls, queryFn: async ({ signal }) => (await api.get<{ pulls: Pull[] }>("/api/pulls", undefined, signal)).pulls, staleTime: 60_000 });
}

/** What is fetched now; one that has just arrived is on the disk, and soon among the models. */
export function pullsChanged(pulls: Pull[]) {
  const before = new Map((queries.getQueryData<Pull[]>(adminKeys.pulls) ?? []).map((pull) => [pull.id, pull.state]));
  queries.setQueryData(adminKeys.pulls, pulls);
  if (!pulls.some((pull) => pull.state === "done" && before.get(pull.id) === "running")) return;
  void queries.invalidateQueries({ queryKey: ["admin", "installed"] });
  void refresh(adminKeys.providers);
}

export function refresh(key: readonly string[]) {
  return queries.invalidateQueries({ queryKey: key });
}

/** Puts live states into the providers' list; a model it does not know means that the list itself has changed. */
export function providersChanged(models: Model[]) {
  const list = queries.getQueryData<Provider[]>(adminKeys.providers);
  if (!list) return;
  const states = new Map(models.map((model) => [model.id, model.state]));
  const known = new Set(list.flatMap((provider) => provider.models.map((model) => model.id)));
  const offered = list.filter((provider) => provider.enabled).flatMap((provider) => provider.models.filter((model) => model.enabled));
  const updated = list.map((provider) => ({ ...provider, models: provider.models.map((model) => ({ ...model, state: states.get(model.id) ?? model.state })) }));
  queries.setQueryData<Provider[]>(adminKeys.providers, updated);
  // An alias is no provider's model.
  if (models.some((model) => !model.alias && !known.has(model.id)) || offered.some((model) => !states.has(model.id))) void refresh(adminKeys.providers);
}
