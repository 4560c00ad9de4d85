//! An API key is made with its scope, shown once with a copy that needs no clipboard API, changed without losing what the form does not show, and revoked.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ApiKey, KeyDay, KeyScope, Model } from "@/api/types";
import { queries } from "@/app/queries";
import { bodyOf, dayOf, fieldsOf, isRange } from "@/pages/account/settings/key-fields";
import { entriesOf } from "@/pages/account/settings/key-models";
import { KeySettings } from "@/pages/account/settings/keys";
import { KeysPage } from "@/pages/admin/keys";
import { ceiling } from "@/ui/bars";

const SECRET = "pk-abcdefghijklmnopqrstuvwxyz";
const OPEN: KeyScope = { models: [], tasks: [], addresses: [], tokens_per_day: null, tokens_total: null, requests_per_minute: null };
const key = (part: Partial<ApiKey> = {}): ApiKey => ({ id: "k1", name: "Editor", prefix: "pk-abc", person: "p1", person_name: "Ada", scope: OPEN, created_at: 1, expires_at: null, last_used_at: null, tokens_today: 0, tokens_total: 0, ...part });
const ALL = { models: null, tasks: null };
const model = (id: string, part: Partial<Model> = {}): Model => ({ id, name: id.slice(id.indexOf("/") + 1), provider: "gpu", provider_name: "GPU", local: false, starter: false, context: null, chat_template: true, answers: true, enabled: true, state: { state: "ready" }, alias: false, targets: [], modalities: [], ...part });
const MODELS = [model("main", { alias: true, name: "Main", targets: ["gpu/llama3"] }), model("gpu/llama3"), model("gpu/qwen3")];

let keys: ApiKey[] = [];
let used: KeyDay[] = [];
let sent: { method: string; path: string; body: unknown }[] = [];

beforeEach(() => {
  queries.clear();
  keys = [];
  sent = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const json = (body: unknown) => new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });
    const method = String(init.method);
    if (path === "/api/models") return json({ models: MODELS, default: "gpu/qwen3" });
    if (path.includes("/usage")) return json({ tokens_today: 30, tokens_per_day: null, tokens_total: 130, tokens_total_limit: null, resets_at: 0, days: used });
    if (method === "GET") return json(path.includes("of=everybody") ? [...keys, key({ id: "k9", name: "Bot", person_name: "Grace" })] : keys);
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as Partial<ApiKey>) : null;
    sent.push({ method, path, body });
    if (method === "POST") keys = [key(body ?? {})];
    if (method === "PATCH") keys = keys.map((one) => ({ ...one, ...body }));
    if (method === "DELETE") keys = [];
    return method === "DELETE" ? new Response(null, { status: 204 }) : json({ ...keys[0], ...(method === "POST" ? { key: SECRET } : {}) });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (page: React.ReactNode) => render(<QueryClientProvider client={queries}>{page}</QueryClientProvider>);
const press = (name: string | RegExp) => fireEvent.click(screen.getAllByRole("button", { name }).at(-1) as HTMLElement);
const type = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });

test("made with a scope, copied, and never shown again", async () => {
  show(<KeySettings />);
  await screen.findByText("No keys yet");
  press("New key");
  await screen.findByLabelText("What is it for?");
  type("What is it for?", "Editor");
  type("Works for", "30");
  fireEvent.click(screen.getByLabelText("Only these"));
  expect((screen.getAllByRole("button", { name: "New key" }).at(-1) as HTMLButtonElement).disabled).toBe(true);
  fireEvent.click(await screen.findByRole("checkbox", { name: /^Main/ }));
  type("Tokens a day", "5000");
  type("Only from these addresses", "10.0.0.0/8, 192.168.1.7");
  const before = Date.now();
  press("New key");

  const shown = (await screen.findByRole("textbox", { name: "API key" })) as HTMLTextAreaElement;
  expect(shown.value).toBe(SECRET);
  const body = sent[0]?.body as { name: string; expires_at: number; scope: KeyScope };
  expect(body).toMatchObject({ name: "Editor", scope: { ...OPEN, models: ["main"], addresses: ["10.0.0.0/8", "192.168.1.7"], tokens_per_day: 5000 } });
  expect(Math.round((body.expires_at - before) / 86_400_000)).toBe(30);
  const example = screen.getByRole("region", { name: "Try it" }).textContent;
  expect(example).toContain(`Bearer ${SECRET}`);
  expect(example).toContain('"model":"main"');
  // jsdom has no clipboard API, as a plain-http address has none.
  let copied = "";
  document.execCommand = () => {
    // What a selection copies: the field that lib/clipboard.ts put there, inside the dialog because of its focus trap.
    copied = document.querySelector<HTMLTextAreaElement>("[role=dialog] > textarea")?.value ?? "";
    return true;
  };
  press("Copy");
  await screen.findByRole("button", { name: "Copied" });
  expect(copied).toBe(SECRET);

  press("I have kept it");
  await waitFor(() => expect(screen.queryByRole("textbox", { name: "API key" })).toBeNull());
  await screen.findByText("Editor");
  expect(document.body.innerHTML).not.toContain(SECRET);
});

test("a number or an address that is none is not sent, and its place opens", async () => {
  show(<KeySettings />);
  await screen.findByText("No keys yet");
  press("New key");
  await screen.findByLabelText("What is it for?");
  type("What is it for?", "Editor");
  type("Tokens a day", "many");
  type("Only from these addresses", "10.0.0.0/64");
  press("New key");
  await screen.findByText("A whole number from 1.");
  await screen.findByText(/One address or range on each line/);
  expect(document.querySelector("details")?.open).toBe(true);
  expect(sent).toEqual([]);
});

test("changing one thing keeps the rest: the moment it ends, its tasks, a model that is gone", async () => {
  const ends = Date.now() + 40 * 86_400_000;
  keys = [key({ expires_at: ends, scope: { ...OPEN, models: ["old/gone"], tasks: ["embeddings"], tokens_total: 9 } })];
  show(<KeySettings />);
  fireEvent.click(await screen.findByRole("button", { name: "Edit “Editor”" }));
  await screen.findByLabelText("What is it for?");
  expect((screen.getByRole("checkbox", { name: "old/gone" }) as HTMLInputElement).checked).toBe(true);
  type("What is it for?", "Editor at work");
  press("Save");
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]).toEqual({ method: "PATCH", path: "/api/keys/k1", body: { name: "Editor at work", expires_at: ends, scope: { ...OPEN, models: ["old/gone"], tasks: ["embeddings"], tokens_total: 9 } } });
});

test("bound to tasks, which are shown; none ticked is not everything", async () => {
  keys = [key()];
  show(<KeySettings />);
  fireEvent.click(await screen.findByRole("button", { name: "Edit “Editor”" }));
  fireEvent.click(await screen.findByLabelText("Chosen tasks only"));
  expect((screen.getByRole("button", { name: "Save" }) as HTMLButtonElement).disabled).toBe(true);
  fireEvent.click(screen.getByRole("checkbox", { name: "Embeddings" }));
  fireEvent.click(screen.getByRole("checkbox", { name: "Reranking" }));
  press("Save");
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]?.body).toMatchObject({ scope: { ...OPEN, tasks: ["embeddings", "rerank"] } });
  await screen.findByText("Embeddings, Reranking");
});

test("its use by day is read out with the arrow keys", async () => {
  const today = new Date().toISOString().slice(0, 10);
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  keys = [key()];
  used = [
    { day: yesterday, prompt: 70, completion: 30, turns: 4 },
    { day: today, prompt: 20, completion: 10, turns: 1 },
  ];
  show(<KeySettings />);
  fireEvent.click(await screen.findByRole("button", { name: "Use of “Editor” by day" }));
  const chart = await screen.findByRole("slider", { name: "Tokens a day with “Editor”" });
  expect(chart.getAttribute("aria-valuetext")).toMatch(/Read 20, Written 10, 1 request$/);
  fireEvent.keyDown(chart, { key: "ArrowLeft" });
  expect(chart.getAttribute("aria-valuetext")).toMatch(/Read 70, Written 30, 4 requests$/);
  fireEvent.keyDown(chart, { key: "Home" });
  expect(chart.getAttribute("aria-valuetext")).toMatch(/Read 0, Written 0, 0 requests$/);
  expect(chart.getAttribute("aria-valuenow")).toBe("1");
});

test("the scale ends at a round number", () => {
  expect([0, 1, 3, 10, 11, 24, 47, 900, 12_000].map(ceiling)).toEqual([1, 1, 5, 10, 20, 25, 50, 1000, 20_000]);
});

test("revoked only after a second word", async () => {
  keys = [key()];
  show(<KeySettings />);
  fireEvent.click(await screen.findByRole("button", { name: "Revoke: Editor" }));
  const dialog = await screen.findByRole("dialog");
  expect(sent).toEqual([]);
  fireEvent.click(within(dialog).getByRole("button", { name: "Revoke" }));
  await screen.findByText("No keys yet");
  expect(sent[0]).toMatchObject({ method: "DELETE", path: "/api/keys/k1" });
});

test("an administrator sees whose each key is", async () => {
  keys = [key({ tokens_today: 1234, scope: { ...OPEN, tokens_per_day: 2000 } })];
  show(<KeysPage />);
  const bot = (await screen.findByText("Bot")).closest("li");
  expect(bot?.textContent).toContain("Grace");
  expect(screen.getByText("1,234 of 2K")).toBeTruthy();
  expect(screen.getByRole("meter", { name: "Today" }).getAttribute("aria-valuenow")).toBe("1234");
});

test("an address, a range, or neither", () => {
  for (const text of ["10.1.2.3", "10.0.0.0/8", "::1", "fd00::/8", "2001:db8::1/128"]) expect([text, isRange(text)]).toEqual([text, true]);
  for (const text of ["", "10.1.2", "10.1.2.300", "10.0.0.0/33", "10.0.0.0/8/9", "fd00::/129", "example.org", "fd00:::1"]) expect([text, isRange(text)]).toEqual([text, false]);
});

test("a day means its last moment, and no end is none", () => {
  const fields = fieldsOf(null);
  expect(bodyOf(fields, ALL, null)).toEqual({ name: "", expires_at: null, scope: OPEN });
  const end = bodyOf({ ...fields, life: "date", date: "2031-02-03" }, ALL, null).expires_at as number;
  expect(new Date(end).getHours()).toBe(23);
  expect(dayOf(end)).toBe("2031-02-03");
});

test("aliases, models, whole providers; first what is gone", () => {
  const values = entriesOf(MODELS, ["old/gone", "main"], (name) => `All of ${name}`).map((entry) => entry.value);
  expect(values).toEqual(["old/gone", "main", "gpu/llama3", "gpu/qwen3", "gpu/*"]);
});
