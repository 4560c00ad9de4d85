//! An alias is made and changed with what the form shows; its history leads back by one click, and that click can be undone.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Alias, AliasContent, Compared, Model, ReplayResult } from "@/api/types";
import { queries } from "@/app/queries";
import { AliasDialog } from "@/pages/admin/aliases/alias-dialog";
import { Comparison } from "@/pages/admin/aliases/comparison";
import { HistoryDialog } from "@/pages/admin/aliases/history-dialog";
import { Summary } from "@/pages/admin/aliases/summary";
import { Toaster } from "@/ui/toast";

const model = (id: string): Model => ({ id, name: id, provider: "p", provider_name: "P", local: false, starter: false, context: null, chat_template: true, answers: true, enabled: true, state: { state: "ready" }, alias: false, targets: [], modalities: [] });
const content = (...targets: string[]): AliasContent => ({ title: null, targets: targets.map((one) => ({ model: one, weight: 1, known: true })), balance: "least_busy", fallbacks: [], max_concurrent: null, catch_all: false });
const alias = (part: Partial<Alias> = {}): Alias => ({ ...content("p/a"), name: "main", environment: "production", source: "settings", in_force: true, version: 2, changed_at: 1, changed_by_name: "Ada", note: null, ...part });

let sent: { method: string; path: string; body: unknown }[] = [];
let refusal: object | null = null;

beforeEach(() => {
  queries.clear();
  sent = [];
  refusal = null;
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
    if (path === "/api/models") return json({ models: [model("p/a"), model("p/b"), model("p/c")], default: "p/a" });
    if (init.method === "GET") {
      return json([
        { version: 2, current: true, content: content("p/a"), restores: null, note: "cheaper", changed_at: 2, changed_by_name: "Ada" },
        { version: 1, current: false, content: content("p/b"), restores: null, note: "", changed_at: 1, changed_by_name: "Grace" },
      ]);
    }
    sent.push({ method: String(init.method), path, body: typeof init.body === "string" ? JSON.parse(init.body) : null });
    return refusal ? json(refusal, 409) : json({ environment: "production", aliases: [] });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (page: React.ReactNode) =>
  render(
    <QueryClientProvider client={queries}>
      {page}
      <Toaster />
    </QueryClientProvider>,
  );

test("made: nothing is sent before name and model are there", async () => {
  let closed = 0;
  show(<AliasDialog alias={null} here="production" onClose={() => (closed += 1)} />);
  await screen.findByText("This portal is “production”.");
  fireEvent.click(screen.getByRole("button", { name: "Create" }));
  await screen.findByText("A name of 1 to 200 characters.");
  await screen.findByText("Choose at least one model.");
  expect(sent).toEqual([]);

  fireEvent.change(screen.getByLabelText("Name"), { target: { value: "main" } });
  await screen.findAllByRole("option", { name: "p/b" });
  fireEvent.change(screen.getByLabelText("Model 1"), { target: { value: "p/b" } });
  fireEvent.click(screen.getByRole("button", { name: "Another model" }));
  fireEvent.change(screen.getByLabelText("Model 2"), { target: { value: "p/a" } });
  fireEvent.change(screen.getByLabelText("Weight of model 2"), { target: { value: "3" } });
  fireEvent.change(screen.getByLabelText("How one is chosen"), { target: { value: "sticky" } });
  fireEvent.click(screen.getByRole("button", { name: "Add a fallback" }));
  fireEvent.change(screen.getByLabelText("Fallback 1"), { target: { value: "p/c" } });
  fireEvent.click(screen.getByRole("button", { name: "Create" }));
  await waitFor(() => expect(closed).toBe(1));
  expect(sent).toEqual([
    { method: "POST", path: "/api/aliases", body: { name: "main", title: null, targets: [{ model: "p/b", weight: 1 }, { model: "p/a", weight: 3 }], balance: "sticky", fallbacks: ["p/c"], max_concurrent: null, catch_all: false } },
  ]);
});

test("changed in its own environment, and the same model twice is refused here", async () => {
  show(<AliasDialog alias={alias({ max_concurrent: 8 })} here="production" onClose={() => {}} />);
  fireEvent.click(screen.getByRole("button", { name: "Another model" }));
  await screen.findAllByRole("option", { name: "p/c" });
  fireEvent.change(screen.getByLabelText("Model 2"), { target: { value: "p/a" } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByText("Each model once; give it a larger weight instead.");
  fireEvent.click(screen.getByRole("button", { name: "Take out 2" }));
  fireEvent.click(screen.getByRole("switch"));
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]).toEqual({ method: "PUT", path: "/api/aliases/main", body: { environment: "production", title: null, targets: [{ model: "p/a", weight: 1 }], balance: "least_busy", fallbacks: [], max_concurrent: 8, catch_all: true } });
});

test("a name that is taken is said in words, and nothing closes", async () => {
  refusal = { code: "name_taken", message: "taken", status: 409 };
  let closed = 0;
  show(<AliasDialog alias={null} here={null} onClose={() => (closed += 1)} />);
  fireEvent.change(screen.getByLabelText("Name"), { target: { value: "main" } });
  await screen.findAllByRole("option", { name: "p/b" });
  fireEvent.change(screen.getByLabelText("Model 1"), { target: { value: "p/b" } });
  fireEvent.click(screen.getByRole("button", { name: "Create" }));
  await screen.findByText("This name is taken. Choose another one.");
  expect(closed).toBe(0);
});

test("one click back, and undone as quickly", async () => {
  show(<HistoryDialog alias={alias()} onClose={() => {}} />);
  expect((await screen.findByText("in force")).closest("li")?.textContent).toContain("cheaper");
  fireEvent.click(screen.getByRole("button", { name: "Roll back to version 1" }));
  await screen.findByText("main rolled back");
  expect(sent).toEqual([{ method: "POST", path: "/api/aliases/main/switch", body: { environment: "production", version: 1, note: "" } }]);
  fireEvent.click(screen.getAllByRole("button", { name: "Undo", hidden: true }).at(-1) as HTMLElement);
  await waitFor(() => expect(sent).toHaveLength(2));
  expect(sent[1]).toEqual({ method: "POST", path: "/api/aliases/main/rollback", body: { environment: "production" } });
});

const said = (text: string, part: Partial<Compared["old"]> = {}) => ({ text, model: "p/a", finish: "stop" as const, failure: null, prompt: 5, completion: 9, ttft_ms: 200, tpot_ms: 20, ...part });

test("what changed is marked on its own side; no answer says why", () => {
  const pair: Compared = { seq: 0, conversation: "c", title: "Sky", question: "q", question_text: "Why?", similarity: 0.8, old: said("The sky is blue."), new: said("The sky looks blue.") };
  const { container } = render(
    <ol>
      <Comparison compared={pair} />
      <Comparison compared={{ ...pair, seq: 1, similarity: null, new: said("", { finish: "failed", failure: { code: "timed_out", message: "x" } }) }} />
    </ol>,
  );
  expect(container.querySelector("del")?.textContent).toBe("is");
  expect(container.querySelector("ins")?.textContent).toBe("looks");
  screen.getByText("80% alike");
  screen.getByText("no answer");
  screen.getByText(/did not answer in time/);
});

test("the summary says how many failed, and how much faster", () => {
  const replay = { id: "r", alias: "main", target: "p/b", state: "finished", total: 2, done: 2, started_at: 0, finished_at: 1, answers: [], summary: { compared: 2, failed: 1, similarity: 0.875, old: { tokens: 100, ttft_ms: 200, tpot_ms: 20 }, new: { tokens: 150, ttft_ms: 100, tpot_ms: 10.04 } } } satisfies ReplayResult;
  render(<Summary replay={replay} />);
  const figures = within(screen.getByRole("region", { name: "Summary" }));
  figures.getByText("88%");
  figures.getByText("of 2 answers");
  expect(figures.getByText("150").parentElement?.textContent).toContain("before 100 · +50%");
  expect(figures.getByText("100 ms").parentElement?.textContent).toContain("before 200 ms · -50%");
  figures.getByText("10 ms");
});
