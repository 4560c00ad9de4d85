//! Engines: a card is explained before it is imported, what was found is added once, marks are words too, and a fetch shows how far it is.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CardPlan, Evidence, Found, Installed, Matrix, Provider, Pull } from "@/api/types";
import { queries } from "@/app/queries";
import { AddDialog } from "@/pages/admin/add-dialog";
import { CapabilitiesPage } from "@/pages/admin/capabilities/page";
import { adminKeys, pullsChanged } from "@/pages/admin/data";
import { InstalledModels } from "@/pages/admin/installed";

const PLAN: CardPlan = {
  slug: "local-model",
  name: "Local",
  kind: "ollama",
  base_url: "http://localhost:11434",
  models: [{ name: "llama3", display_name: "Llama3", enabled: false, streaming: true }],
  asked: [{ kind: "ollama", url: "http://localhost:11434/api/tags", answered: true, told: "llama3:latest" }, { kind: "openai", url: "http://localhost:11434/v1/models", answered: false, told: "connection refused" }],
  notes: [{ code: "contradiction", message: "The card says `/api/generate` and `openai-compatible`.", message_zh: "x" }],
};
const FOUND: Found = { preset: "vllm", name: "vLLM", kind: "openai", base_url: "http://127.0.0.1:8000/v1", version: "0.11.0", models: ["Qwen/Qwen3"], latency_ms: 7, known: null };
const INSTALLED: Installed = { name: "llama3:latest", size: 4_661_224_676, family: "llama", parameter_size: "8.0B", quantization: "Q4_0", context: 8192, capabilities: null, loaded: null };
const provider: Provider = { id: "p1", name: "Ollama", kind: "ollama", base_url: "http://127.0.0.1:11434", source: "settings", has_key: false, enabled: true, discover: true, problem: null, models: [{ id: "ollama/llama3", name: "llama3", display_name: "Llama3", enabled: true, state: { state: "ready" } }] };
const pull = (part: Partial<Pull> = {}): Pull => ({ id: "ollama/qwen3:8b", provider: "ollama", model: "qwen3:8b", state: "running", status: "pulling", total: 0, completed: 0, failure: null, ...part });
const row = (part: Partial<Evidence>): Evidence => ({ capability: "chat", answer: "yes", status: null, said: "OK.", latency_ms: 80, ...part });

let sent: { method: string; path: string; body: unknown }[] = [];
let answers: Record<string, unknown> = {};

beforeEach(() => {
  queries.clear();
  sent = [];
  answers = { "GET /api/providers/presets": { presets: [] }, "GET /api/providers": [provider], "GET /api/pulls": { pulls: [] } };
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const method = String(init.method);
    if (method !== "GET") sent.push({ method, path, body: typeof init.body === "string" ? JSON.parse(init.body) : null });
    const answer = answers[`${method} ${path}`];
    if (answer instanceof Response) return answer.clone();
    return new Response(JSON.stringify(answer ?? {}), { headers: { "content-type": "application/json" } });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (page: React.ReactNode) => render(<QueryClientProvider client={queries}>{page}</QueryClientProvider>);
const press = (name: string | RegExp) => fireEvent.click(screen.getByRole("button", { name }));

test("a card: nothing is made before it was shown, and then what was shown", async () => {
  answers["POST /api/providers/import"] = { plan: PLAN, provider: null };
  let closed = 0;
  show(<AddDialog onClose={() => (closed += 1)} />);
  fireEvent.click(screen.getByRole("radio", { name: "Import a card" }));
  press("Check the card");
  await screen.findByText("Paste a card first.");
  expect(sent).toEqual([]);
  fireEvent.change(screen.getByRole("textbox", { name: "Card" }), { target: { value: "const x = {}" } });
  press("Check the card");
  const made = await screen.findByRole("region", { name: "What will be made" });
  expect(made.textContent).toContain("Llama3local-model/llama3off");
  expect(screen.getByRole("region", { name: "Worth knowing" }).textContent).toBe("Worth knowingThe card says /api/generate and openai-compatible.");
  expect(screen.getByRole("region", { name: "What the server said" }).textContent).toContain("no answer: connection refused");
  expect(sent.map((one) => one.body)).toEqual([{ card: "const x = {}", confirm: false }]);
  press("Add Local");
  await waitFor(() => expect(closed).toBe(1));
  expect(sent.at(-1)).toEqual({ method: "POST", path: "/api/providers/import", body: { card: "const x = {}", confirm: true } });
});

test("a mistake in a card is told with its place", async () => {
  answers["POST /api/providers/import"] = new Response(JSON.stringify({ code: "invalid_request", message: "line 3, column 5: a comma is missing", status: 422 }), { status: 422, headers: { "content-type": "application/json" } });
  show(<AddDialog onClose={() => {}} />);
  fireEvent.click(screen.getByRole("radio", { name: "Import a card" }));
  fireEvent.change(screen.getByRole("textbox", { name: "Card" }), { target: { value: "{" } });
  press("Check the card");
  expect((await screen.findByRole("alert")).textContent).toBe("line 3, column 5: a comma is missing");
});

test("what was found is added by one click; what is there already has no button", async () => {
  answers["POST /api/providers/discover"] = { found: [FOUND, { ...FOUND, name: "Ollama", kind: "ollama", base_url: "http://127.0.0.1:11434", known: "ollama" }] };
  show(<AddDialog onClose={() => {}} />);
  fireEvent.click(screen.getByRole("radio", { name: "On this machine" }));
  await screen.findByText("added");
  expect(screen.queryByRole("button", { name: "Add Ollama" })).toBeNull();
  press("Add vLLM");
  await waitFor(() => expect(sent.filter((one) => one.path === "/api/providers")).toEqual([{ method: "POST", path: "/api/providers", body: { name: "vLLM", kind: "openai", base_url: "http://127.0.0.1:8000/v1" } }]));
});

test("the matrix: marks are words, evidence opens, a test fills its row", async () => {
  const matrix: Matrix = { model: "ollama/llama3", at: 5, cost: { requests: 9, tokens: 1500 }, rows: [row({}), row({ capability: "vision", answer: "no", status: 400, said: "no pictures here" }), row({ capability: "tools", answer: "unknown", said: "" })] };
  answers["GET /api/models/ollama%2Fllama3/capabilities"] = matrix;
  answers["POST /api/models/ollama%2Fllama3/capabilities"] = { ...matrix, rows: [row({ capability: "vision", answer: "yes", said: "Red" })] };
  show(<CapabilitiesPage />);
  await screen.findByRole("button", { name: "Llama3, Chat: Yes, seen to work" });
  screen.getByText(/A test asks 9 small questions, 1,500 tokens at most/);
  screen.getByRole("button", { name: "Llama3, Tools: Could not be found out" });
  expect(screen.getAllByText("Not tested yet").length).toBeGreaterThan(1);
  press("Llama3, Vision: No: refused, or it did something else");
  await screen.findByText("no pictures here");
  screen.getByText("HTTP 400 · 80 ms");
  fireEvent.keyDown(document.activeElement ?? document.body, { key: "Escape" });
  fireEvent.click(screen.getByRole("button", { name: "Test: Llama3", hidden: true }));
  await screen.findByRole("button", { name: "Llama3, Vision: Yes, seen to work", hidden: true });
});

test("a fetch shows how far it is, can be stopped, and goes on; what arrived is read anew", async () => {
  answers["GET /api/providers/p1/installed"] = { models: [INSTALLED] };
  answers["POST /api/providers/p1/pull"] = pull();
  const { container } = show(<InstalledModels provider={provider} />);
  const disk = container.querySelector("details");
  if (disk) disk.open = true;
  fireEvent(disk as HTMLElement, new Event("toggle"));
  await screen.findByText("4.7 GB · 8.0B · Q4_0");
  fireEvent.change(screen.getByLabelText("Model to fetch"), { target: { value: " qwen3:8b " } });
  press("Fetch");
  const bar = await screen.findByRole("progressbar", { name: "Fetching qwen3:8b" });
  expect(bar.getAttribute("aria-valuenow")).toBeNull();
  expect(sent).toEqual([{ method: "POST", path: "/api/providers/p1/pull", body: { model: "qwen3:8b" } }]);
  pullsChanged([pull({ total: 4e9, completed: 1e9 })]);
  await waitFor(() => expect(screen.getByRole("progressbar").getAttribute("aria-valuenow")).toBe("25"));
  screen.getByText("1 GB / 4 GB");
  press("Stop fetching qwen3:8b");
  await waitFor(() => expect(sent.at(-1)).toEqual({ method: "DELETE", path: "/api/pulls/ollama%2Fqwen3%3A8b", body: null }));
  pullsChanged([pull({ state: "cancelled", total: 4e9, completed: 1e9 })]);
  await screen.findByText("Stopped. It goes on where it was.");
  pullsChanged([pull({ total: 4e9, completed: 2e9 })]);
  answers["GET /api/providers/p1/installed"] = { models: [INSTALLED, { ...INSTALLED, name: "qwen3:8b" }] };
  pullsChanged([pull({ state: "done" })]);
  await screen.findByText("qwen3:8b");
  expect(queries.getQueryData<Pull[]>(adminKeys.pulls)?.[0]?.state).toBe("done");
});
