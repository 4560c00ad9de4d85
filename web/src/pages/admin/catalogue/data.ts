//! The catalogue of families, and what is found in it. It comes with the binary: read once, never asked for again.
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Family, FamilyModel } from "@/api/types";
import type { Key } from "@/lib/i18n";

export function useFamilies() {
  return useQuery({
    queryKey: ["admin", "families"],
    queryFn: async ({ signal }) => (await api.get<{ families: Family[] }>("/api/catalog/models", undefined, signal)).families,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export type Kind = "all" | "open" | "hosted";
/** `can`: a capability or something a model takes; `memory`: bytes that its weights have to fit into. */
export type Wanted = { text: string; kind: Kind; can: string; memory: number | null };

/** The families with those of their models that are wanted; a family without one is left out. */
export function found(families: Family[], wanted: Wanted): Family[] {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (family: Family, model: FamilyModel) => {
    const said = `${family.name} ${family.name_zh} ${family.maker} ${model.name} ${model.licence ?? family.licence}`.toLowerCase();
    return words.every((word) => said.includes(word)) && isKind(model, wanted.kind) && canDo(model, wanted.can) && fitsInto(model, wanted.memory);
  };
  return families.map((family) => ({ ...family, models: family.models.filter((model) => fits(family, model)) })).filter((family) => family.models.length > 0);
}

function isKind(model: FamilyModel, kind: Kind): boolean {
  const open = Object.keys(model.sizes).length > 0;
  return kind === "all" || (kind === "open" ? open : model.price !== null);
}

function canDo(model: FamilyModel, can: string): boolean {
  return can === "" || model.capabilities.includes(can) || model.input.includes(can);
}

function fitsInto(model: FamilyModel, memory: number | null): boolean {
  return memory === null || Object.values(model.sizes).some((bytes) => bytes <= memory);
}

/** Smallest first. */
export function sizesOf(model: FamilyModel): { name: string; bytes: number }[] {
  return Object.entries(model.sizes)
    .map(([name, bytes]) => ({ name, bytes }))
    .sort((a, b) => a.bytes - b.bytes);
}

/** The word for a capability, or for something a model takes. */
export const canKey = (can: string) => `does.${can}` as Key<"engines">;
