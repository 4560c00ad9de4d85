//! Model files: what fits is said in words, a fetch shows how far it is and goes on, what does not fit is asked about, removal is confirmed.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Adapter, Library, LibraryDownload, LibraryModel, Offer, Room } from "@/api/types";
import { queries } from "@/app/queries";
import { LibraryPage } from "@/pages/admin/library/page";
import { Toaster } from "@/ui/toast";

const room = (part: Partial<Room> = {}): Room => ({ weights: 4.7e9, cache: 0.4e9, overhead: 0.5e9, needed: 5.6e9, context: 8192, fits: true, ...part });
const MODEL: LibraryModel = {
  name: "tiny",
  path: "/data/models/tiny.gguf",
  place: "folder",
  bytes: 4_700_000_000,
  sha256: "ab",
  source: null,
  licence: "Apache-2.0",
  architecture: "qwen2",
  quant: "Q4_K_M",
  parameters: 7e9,
  context: 32_768,
  kind: "chat",
  chat_template: true,
  room: room(),
  running: false,
  resting: false,
  configured: false,
  problem: null,
};
const OFFER: Offer = { name: "qwen2.5-7b", title: "Qwen 2.5 7B", quant: "Q4_K_M", licence: "Apache-2.0", licence_url: "https://x/LICENSE", context: 32_768, repo: "org/repo", bytes: 4.7e9, room: room(), recommended: true };
const LARGE: Offer = { ...OFFER, name: "qwen2.5-32b", title: "Qwen 2.5 32B", room: room({ needed: 24e9, fits: false }), recommended: false };
const download = (part: Partial<LibraryDownload> = {}): LibraryDownload => ({ name: "coming", url: "https://x/coming.gguf", state: "running", checking: false, have: 1e9, total: 4e9, message: null, code: null, ...part });
const library = (part: Partial<Library> = {}): Library => ({ folder: "/data/models", free_disk: 50e9, free_memory: 8e9, from: "huggingface", runs_models: true, models: [], downloads: [], ...part });

let sent: { method: string; path: string; body: unknown }[] = [];
let answers: Record<string, unknown> = {};

beforeEach(() => {
  queries.clear();
  sent = [];
  answers = { "GET /api/library": library(), "GET /api/library/offers": { offers: [OFFER, LARGE] }, "GET /api/adapters": { folder: "/data/adapters", adapters: [], models: ["tiny"] } };
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

const show = () =>
  render(
    <QueryClientProvider client={queries}>
      <LibraryPage />
      <Toaster />
    </QueryClientProvider>,
  );
const press = (name: string | RegExp) => fireEvent.click(screen.getByRole("button", { name }));

test("nothing here yet, and what could be", async () => {
  show();
  await screen.findByText("No model files yet");
  await screen.findByText("Largest that fits");
  expect(screen.queryByText("Qwen 2.5 32B Q4_K_M")).toBeNull();
  expect(sent).toEqual([]);
  press("Fetch Qwen 2.5 7B Q4_K_M");
  await waitFor(() => expect(sent).toEqual([{ method: "POST", path: "/api/library/downloads", body: { model: "qwen2.5-7b:Q4_K_M", from: "huggingface", anyway: false } }]));
});

test("a model that runs is told from one that is loaded when it is asked", async () => {
  answers["GET /api/library"] = library({ models: [{ ...MODEL, running: true }, { ...MODEL, name: "other", running: true, resting: true }] });
  show();
  await screen.findByText("other");
  expect(screen.getAllByText("Running")).toHaveLength(1);
  expect(screen.getAllByText("Loaded when asked")).toHaveLength(1);
  press("Stop: other");
  await waitFor(() => expect(sent.map((one) => one.path)).toEqual(["/api/library/models/other/stop"]));
});

test("what does not fit is said with its figure, and fetched only when that is wanted", async () => {
  show();
  await screen.findByText("Largest that fits");
  fireEvent.click(screen.getByRole("switch", { name: "Only what fits" }));
  fireEvent.change(screen.getByLabelText("Fetch from"), { target: { value: "modelscope" } });
  press("Fetch Qwen 2.5 32B Q4_K_M");
  const dialog = await screen.findByRole("dialog");
  expect(dialog.textContent).toContain("It needs 24 GB of memory and 8 GB are free.");
  expect(sent).toEqual([]);
  fireEvent.click(within(dialog).getByRole("button", { name: "Fetch anyway" }));
  await waitFor(() => expect(sent.at(-1)?.body).toEqual({ model: "qwen2.5-32b:Q4_K_M", from: "modelscope", anyway: true }));
});

test("a download shows how far it is; one that failed says why and goes on", async () => {
  answers["GET /api/library"] = library({ downloads: [download(), download({ name: "broken", state: "failed", code: "library_cut", message: "…" })] });
  show();
  const bar = await screen.findByRole("progressbar", { name: "Fetching coming" });
  expect(bar.getAttribute("aria-valuenow")).toBe("25");
  await screen.findByText("The connection broke several times in a row. What has arrived is kept; go on later.");
  press("Go on: broken");
  await waitFor(() => expect(sent.at(-1)?.path).toBe("/api/library/downloads/broken/resume"));
  press("Stop fetching coming");
  await waitFor(() => expect(sent.at(-1)).toEqual({ method: "DELETE", path: "/api/library/downloads/coming", body: null }));
});

test("a model is run, and removed only after a question", async () => {
  answers["GET /api/library"] = library({ models: [MODEL, { ...MODEL, name: "llama3.2:1b", place: "ollama" }] });
  show();
  press(await screen.findByRole("button", { name: "Run: tiny" }).then((button) => button.getAttribute("aria-label") ?? ""));
  await waitFor(() => expect(sent.at(-1)).toEqual({ method: "POST", path: "/api/library/models/tiny/start", body: {} }));
  press("Use it here: llama3.2:1b");
  await waitFor(() => expect(sent.at(-1)?.body).toEqual({ ollama: "llama3.2:1b", name: "llama3.2-1b" }));
  press("Remove tiny");
  await screen.findByText("Its file of 4.7 GB is deleted from the disk.");
  press("Remove");
  await waitFor(() => expect(sent.at(-1)).toEqual({ method: "DELETE", path: "/api/library/models/tiny", body: null }));
});

test("a refusal is told in the library's own words", async () => {
  answers["POST /api/library/models"] = new Response(JSON.stringify({ status: 422, code: "library_not_a_model", message: "x" }), { status: 422, headers: { "content-type": "application/json" } });
  show();
  fireEvent.change(await screen.findByLabelText("Path on the portal's machine"), { target: { value: "/tmp/page.gguf" } });
  press("Take in");
  await screen.findByText("The file is no GGUF model that may be loaded.");
});

test("an adapter is given to a model with its scale, and taken from it again", async () => {
  const poet: Adapter = { name: "poet", path: "/data/adapters/poet/adapter.gguf", bytes: 2e6, architecture: "llama", rank: 8, alpha: 16, matrices: 2, card: { seed: 7 }, attached: [], problem: null };
  answers["GET /api/adapters"] = { folder: "/data/adapters", adapters: [poet], models: ["tiny"] };
  show();
  await screen.findByText("2 MB · llama · rank 8 · changes 2 matrices");
  fireEvent.change(screen.getByLabelText("Scale"), { target: { value: "0.5" } });
  press("Give to the model: poet");
  await waitFor(() => expect(sent).toEqual([{ method: "POST", path: "/api/adapters/poet/attach", body: { model: "tiny", scale: 0.5 } }]));
  const state = { state: "failed", code: "adapter_refused", message: "the adapter poet has another shape" };
  answers["GET /api/adapters"] = { folder: "/data/adapters", adapters: [{ ...poet, attached: [{ model: "tiny", id: "local/tiny:poet", scale: 0.5, state }] }], models: ["tiny"] };
  await queries.invalidateQueries();
  await screen.findByText("the adapter poet has another shape");
  press("Take poet from tiny");
  await waitFor(() => expect(sent.at(-1)).toEqual({ method: "POST", path: "/api/adapters/poet/detach", body: { model: "tiny" } }));
});
