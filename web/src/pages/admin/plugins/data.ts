//! Plugins as the portal tells of them, and what is done to them.
import { useQuery } from "@tanstack/react-query";
import { Problem, api } from "@/api/client";
import type { Choices, Document, Flaw, ManifestView, Plugin, PluginCall, PluginChange, PluginList, PluginOrder, Tried, TryOrder } from "@/api/plugins";
import { queries } from "@/app/queries";
import { type Key, translate } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { toast } from "@/ui/toast";

const keys = {
  all: ["admin", "plugins"],
  check: (order: string) => ["admin", "plugins-check", order],
  probe: (name: string) => ["admin", "plugins-probe", name],
  calls: (name: string) => ["admin", "plugins-calls", name],
} as const;

const at = (name: string, rest = "") => `/api/plugins/${encodeURIComponent(name)}${rest}`;

export const usePlugins = () => useQuery({ queryKey: keys.all, queryFn: ({ signal }) => api.get<PluginList>("/api/plugins", undefined, signal) });

export const pluginsAgain = () => queries.invalidateQueries({ queryKey: keys.all });

/** What a manifest would come to with these choices; what is wrong with it is the error. */
export const useCheck = (manifest: unknown, choices: Choices) => {
  const order = JSON.stringify({ manifest, ...choices });
  return useQuery({
    queryKey: keys.check(order),
    queryFn: async () => {
      const [view] = await api.post<ManifestView[]>("/api/plugins/check", order);
      if (!view) throw new Problem("internal", "nothing was found in it");
      return view;
    },
    placeholderData: (before: ManifestView | undefined) => before,
    staleTime: 60_000,
  });
};

export const fetchManifest = (url: string, inside: boolean) => api.post<unknown>("/api/plugins/fetch", { url, private: inside });

export async function install(order: PluginOrder): Promise<Plugin> {
  const [plugin] = await api.post<Plugin[]>("/api/plugins", order);
  await pluginsAgain();
  if (!plugin) throw new Problem("internal", "nothing was installed");
  return plugin;
}

export async function change(name: string, what: PluginChange): Promise<Plugin> {
  const plugin = await api.patch<Plugin>(at(name), what);
  put(name, plugin);
  // What it may reach has changed, and with it whether it is reached.
  if (what.grants || what.choices) queries.removeQueries({ queryKey: keys.probe(name) });
  return plugin;
}

export async function remove(name: string) {
  await api.delete(at(name));
  await pluginsAgain();
}

async function probe(name: string): Promise<{ unreachable: Flaw | null; ms: number }> {
  const began = performance.now();
  const plugin = await api.post<Plugin>(at(name, "/probe"));
  // A server may have other tools by now.
  put(name, plugin);
  return { unreachable: plugin.unreachable, ms: performance.now() - began };
}

function put(name: string, plugin: Plugin) {
  queries.setQueryData<PluginList>(keys.all, (list) => list && { ...list, plugins: list.plugins.map((one) => (one.name === name ? plugin : one)) });
}

/** Whether something answers there. Only ever asked for by a person: a page that is opened contacts nobody. */
export const useProbe = (name: string) => useQuery({ queryKey: keys.probe(name), queryFn: () => probe(name), enabled: false, gcTime: 600_000 });

export const tryOut = (name: string, order: TryOrder) => api.post<Tried[]>(at(name, "/try"), order);

export const useCalls = (name: string) => useQuery({ queryKey: keys.calls(name), queryFn: ({ signal }) => api.get<PluginCall[]>(at(name, "/calls"), { limit: 100 }, signal), staleTime: 0 });

/** The flaws in a refusal; none where it was refused for another reason. */
export function flawsOf(error: unknown): Flaw[] {
  const flaws = error instanceof Problem ? error.params.flaws : null;
  return Array.isArray(flaws) ? (flaws as Flaw[]) : [];
}

export const bad = (problem: unknown) => toast(sentence(problem), { tone: "bad" });

export function kindName(kind: string): string {
  const key = `kind.${kind}` as Key<"plugins">;
  const said = translate("plugins", key);
  return said === key ? kind : said;
}

/** The plugins in a document: a list is several, and so is a file with `mcpServers`. */
export function entriesOf(document: unknown): Document[] {
  const list: unknown[] = Array.isArray(document) ? document : [document];
  return list.filter(isDocument).flatMap((one) => (isDocument(one.mcpServers) ? Object.entries(one.mcpServers).map(([name, server]) => ({ mcpServers: { [name]: server } })) : [one]));
}

function isDocument(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const METHODS = new Set(["get", "put", "post", "delete", "patch", "head", "options"]);

/** The operations of an OpenAPI document, by the name that chooses them. */
export function operationsOf(document: Document): { id: string; summary: string }[] {
  const paths = document.paths;
  if (typeof document.openapi !== "string" || typeof paths !== "object" || paths === null) return [];
  return Object.entries(paths as Record<string, unknown>).flatMap(([path, item]) =>
    Object.entries((item ?? {}) as Record<string, { operationId?: unknown; summary?: unknown; description?: unknown } | null>)
      .filter(([method]) => METHODS.has(method))
      .map(([method, operation]) => {
        const place = `${method.toUpperCase()} ${path}`;
        const id = typeof operation?.operationId === "string" && operation.operationId !== "" ? operation.operationId : place;
        const summary = [operation?.summary, operation?.description].find((one): one is string => typeof one === "string" && one !== "");
        return { id, summary: summary ?? (id === place ? "" : place) };
      }),
  );
}
