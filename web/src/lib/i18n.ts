//! Words in the person's language: one JSON file per language and namespace, fetched when first needed, keys checked by the compiler.
//! Deliberately not i18next: it costs 15 kB of the 130 kB that the first page may weigh; `{{name}}` and `_one`/`_other` mean the same here.
import { useSyncExternalStore } from "react";
import type { Language } from "@/api/types";
import type account from "@/locales/en/account.json";
import type admin from "@/locales/en/admin.json";
import type approvals from "@/locales/en/approvals.json";
import type assistants from "@/locales/en/assistants.json";
import type batches from "@/locales/en/batches.json";
import type chat from "@/locales/en/chat.json";
import type common from "@/locales/en/common.json";
import type engines from "@/locales/en/engines.json";
import type fileWords from "@/locales/en/files.json";
import type library from "@/locales/en/library.json";
import type plugins from "@/locales/en/plugins.json";
import type starter from "@/locales/en/starter.json";
import type steps from "@/locales/en/steps.json";
import type tuning from "@/locales/en/tuning.json";

type Words = { account: typeof account; admin: typeof admin; approvals: typeof approvals; assistants: typeof assistants; batches: typeof batches; chat: typeof chat; common: typeof common; engines: typeof engines; files: typeof fileWords; library: typeof library; plugins: typeof plugins; starter: typeof starter; steps: typeof steps; tuning: typeof tuning };
export type Namespace = keyof Words;
type Unplural<K> = K extends `${infer Stem}_one` | `${infer Stem}_other` ? Stem : K;
export type Key<N extends Namespace> = Unplural<keyof Words[N] & string>;
export type Params = Record<string, string | number>;
export type Translate<N extends Namespace> = (key: Key<N>, params?: Params) => string;

export const LANGUAGES: { id: Language; name: string }[] = [
  { id: "zh-CN", name: "简体中文" },
  { id: "en", name: "English" },
];

/** Addresses of the files: words are data, fetched beside the portal's facts, and no script to be parsed. */
const files = import.meta.glob<string>("../locales/*/*.json", { query: "?url", import: "default", eager: true });
const STORED = "portico.language";

let language: Language = browserLanguage();
let wanted = new Set<Namespace>(["common"]);
let words = new Map<string, Record<string, string>>();
let version = 0;
const listeners = new Set<() => void>();

export function currentLanguage(): Language {
  return language;
}

function browserLanguage(): Language {
  try {
    const kept = localStorage.getItem(STORED);
    if (kept === "zh-CN" || kept === "en") return kept;
  } catch {
    // Storage may be refused by policy; the browser's own language decides then.
  }
  return /^zh/i.test(navigator.language) ? "zh-CN" : "en";
}

async function load(target: Language, namespaces: Iterable<Namespace>) {
  await Promise.all(
    [...namespaces].map(async (namespace) => {
      const name = `${target}/${namespace}`;
      if (words.has(name)) return;
      words.set(name, await fetchWords(name));
    }),
  );
}

async function fetchWords(name: string): Promise<Record<string, string>> {
  const url = files[`../locales/${name}.json`];
  const answer = url === undefined ? null : await fetch(url);
  return answer?.ok ? ((await answer.json()) as Record<string, string>) : {};
}

/** For tests: words that need no fetching. */
export function giveWords(target: Language, namespace: Namespace, table: Record<string, string>) {
  words.set(`${target}/${namespace}`, table);
}

/** Makes a namespace's words ready; a lazy route awaits it, so that no key is ever shown. */
export async function loadWords(...namespaces: Namespace[]) {
  for (const namespace of namespaces) wanted.add(namespace);
  await load(language, namespaces);
  changed();
}

export async function setLanguage(next: Language, keep = true) {
  await load(next, wanted);
  language = next;
  document.documentElement.lang = next;
  try {
    if (keep) localStorage.setItem(STORED, next);
  } catch {
    // As above: the choice still holds for this page.
  }
  changed();
}

function changed() {
  version += 1;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function translate<N extends Namespace>(namespace: N, key: Key<N>, params?: Params): string {
  const table = words.get(`${language}/${namespace}`);
  let text = table?.[key];
  if (params && typeof params.count === "number") {
    const form = new Intl.PluralRules(language).select(params.count);
    text = table?.[`${key}_${form}`] ?? table?.[`${key}_other`] ?? text;
  }
  if (text === undefined) return key;
  return params ? text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => localised(params[name]) ?? whole) : text;
}

function localised(value: string | number | undefined): string | undefined {
  return typeof value === "number" ? new Intl.NumberFormat(language).format(value) : value;
}

/** The words of one namespace; the component renders again when the language changes. */
export function useT<N extends Namespace>(namespace: N): Translate<N> {
  useSyncExternalStore(subscribe, () => version);
  return (key, params) => translate(namespace, key, params);
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, () => language);
}
