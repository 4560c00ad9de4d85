//! The model files as the portal tells of them. While something is on its way the portal is asked again every second: its progress lives there, so a
//! reload of the page loses nothing.
import { useQuery } from "@tanstack/react-query";
import { api, Problem, readProblem } from "@/api/client";
import type { Adapter, AdapterList, Library, LibraryDownload, LibraryModel, Offer } from "@/api/types";
import { queries } from "@/app/queries";
import { type Key, translate, useLanguage } from "@/lib/i18n";
import { sentence } from "@/lib/problem";

const keys = { library: ["admin", "library"], adapters: ["admin", "library", "adapters"], offers: ["admin", "library", "offers"] } as const;

export function useLibrary() {
  return useQuery({
    queryKey: keys.library,
    queryFn: ({ signal }) => api.get<Library>("/api/library", undefined, signal),
    staleTime: 5_000,
    refetchInterval: (query) => (query.state.data?.downloads.some((one) => one.state === "running") ? 1_000 : false),
  });
}

export function useOffers() {
  return useQuery({ queryKey: keys.offers, queryFn: async ({ signal }) => (await api.get<{ offers: Offer[] }>("/api/library/offers", undefined, signal)).offers, staleTime: 60_000 });
}

/** The adapters; asked again every second while one is on its way into a model. */
export function useAdapters() {
  return useQuery({
    queryKey: keys.adapters,
    queryFn: ({ signal }) => api.get<AdapterList>("/api/adapters", undefined, signal),
    staleTime: 5_000,
    refetchInterval: (query) => (query.state.data?.adapters.some((one) => one.attached.some(({ state }) => state?.state === "loading" || state?.state === "warming")) ? 1_000 : false),
  });
}

/** Models come and go with what they compute with, so both lists are read again. */
export async function again() {
  await queries.invalidateQueries({ queryKey: keys.library, exact: true });
  await queries.invalidateQueries({ queryKey: keys.adapters, exact: true });
}

export async function attach({ name }: Adapter, model: string, scale: number) {
  await api.post(`/api/adapters/${encodeURIComponent(name)}/attach`, { model, scale });
  await again();
}

export async function detach({ name }: Adapter, model: string) {
  await api.post(`/api/adapters/${encodeURIComponent(name)}/detach`, { model });
  await again();
}

/** Asks for something of one model, then reads the list again. */
export async function ask(model: LibraryModel, act: "start" | "stop") {
  await api.post(`/api/library/models/${encodeURIComponent(model.name)}/${act}`, act === "start" ? {} : undefined);
  await again();
}

export async function fetchModel(order: { model: string; from?: string; sha256?: string; anyway?: boolean }) {
  await api.post<LibraryDownload>("/api/library/downloads", order);
  await again();
}

/** Where the file of a model goes, and that of an adapter. */
export const modelAddress = (file: File) => `/api/library/files/${encodeURIComponent(file.name)}`;
export const adapterAddress = (file: File) => `/api/adapters/${encodeURIComponent(file.name.replace(/\.gguf$/i, ""))}`;

/** Sends a file as it is, telling how far it has come: fetch() tells nothing of what it sends. */
export function upload(file: File, address: string, tell: (share: number) => void, signal: AbortSignal): Promise<{ name: string }> {
  return new Promise((resolve, reject) => {
    const way = new XMLHttpRequest();
    way.open("PUT", address);
    way.setRequestHeader("content-type", "application/octet-stream");
    way.upload.addEventListener("progress", (event) => tell(event.total > 0 ? event.loaded / event.total : 0));
    way.addEventListener("load", () => {
      if (way.status === 201) resolve(JSON.parse(way.responseText) as { name: string });
      else void readProblem(new Response(way.responseText, { status: way.status })).then(reject);
    });
    way.addEventListener("error", () => reject(new Problem("portal_unreachable", "the portal does not answer")));
    way.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    signal.addEventListener("abort", () => way.abort());
    way.send(file);
  });
}

/** The sentence about a refusal of the library's, or of the portal's as everywhere. */
export function librarySentence(error: unknown): string {
  return error instanceof Problem ? (said(error.code, error.params) ?? sentence(error)) : sentence(error);
}

/** Why a download failed; the portal's own English sentence has the figures, and is the last resort. */
export function downloadSentence(download: LibraryDownload): string {
  return said(download.code ?? "", {}) ?? download.message ?? "";
}

function said(code: string, params: Record<string, unknown>): string | null {
  const key = `problem.${code}` as Key<"library">;
  const text = translate("library", key, params as Record<string, string | number>);
  return text === key || text.includes("{{") ? null : text;
}

/** Bytes as a person says them: 4.7 GB. */
export function useSize() {
  const language = useLanguage();
  return (bytes: number) => {
    const [value, unit] = bytes >= 1e9 ? [bytes / 1e9, "gigabyte"] : bytes >= 1e6 ? [bytes / 1e6, "megabyte"] : [bytes / 1e3, "kilobyte"];
    return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 100 ? 1 : 0 }).format(value);
  };
}
