//! An evaluation on the page: what its variants are called, what is marked, what a filter leaves, what is sent, and what is said while it runs or after it broke off.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EvaluationAnswer, EvaluationResult, Variant } from "@/api/evaluations";
import type { AdapterList, Dataset, Job, Model } from "@/api/types";
import { queries } from "@/app/queries";
import { translate } from "@/lib/i18n";
import { asked, differs, namesOf, same } from "@/pages/admin/tuning/evaluation/data";
import { OfSet, madeBy } from "@/pages/admin/tuning/evaluation/dialog";
import { Evaluations } from "@/pages/admin/tuning/evaluation/section";
import { Toaster } from "@/ui/toast";

const variant = (model: string, system_prompt: string | null = null): Variant => ({ model, system_prompt });
const answer = (place: number, text: string, more: Partial<EvaluationAnswer> = {}): EvaluationAnswer => ({ variant: place, text, finish: "stop", failure: null, exact: text === "At nine.", similarity: text === "At nine." ? 1 : 0.5, prompt: 5, completion: 3, ttft_ms: 10, ms: 1200, ...more });
const row = (seq: number, question: string, answers: EvaluationAnswer[]) => ({ seq, messages: [{ role: "user", content: question }], expected: "At nine.", answers });
const means = (exact: number, failed = 0) => ({ answered: 2, failed, exact, similarity: 0.75, ms: 1200, completion: 3 });

const DONE: EvaluationResult = {
  id: "e1",
  job: null,
  dataset: "d",
  version: 1,
  variants: [variant("local/m"), variant("local/m:desk")],
  max_tokens: 64,
  state: "finished",
  questions: 2,
  total: 4,
  done: 4,
  started_at: 1_700_000_000_000,
  finished_at: 1_700_000_009_000,
  means: [means(0), means(0.5, 1)],
  rows: [
    row(0, "When do you open?", [answer(0, "Once upon a time"), answer(1, "At nine.")]),
    row(1, "And when do you close?", [answer(0, "At ten."), answer(1, "", { failure: { code: "cut", message: "it broke off" }, exact: null, similarity: null })]),
  ],
};
const SET: Dataset = { id: "d", name: "Desk", note: "", held_out: 10, seed: 1, draft: 2, examples: 3, created_at: 1, updated_at: 1 };
const model = (id: string): Model => ({ id, name: id, provider: "p", provider_name: "P", local: false, starter: false, context: null, chat_template: true, answers: true, enabled: true, state: { state: "ready" }, alias: false, targets: [], modalities: [] });

let told: EvaluationResult[] = [];
let sent: { method: string; path: string; body: unknown }[] = [];
let broken = false;

beforeEach(() => {
  queries.clear();
  told = [];
  sent = [];
  broken = false;
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
    if (init.method !== "GET") {
      sent.push({ method: String(init.method), path, body: typeof init.body === "string" ? JSON.parse(init.body) : null });
      if (path !== "/api/evaluations") return new Response(null, { status: 204 });
      told = [{ ...DONE, id: "e2" }];
      return json(told[0]);
    }
    if (broken) return json({ status: 500, code: "internal", message: "no" }, 500);
    if (path.startsWith("/api/evaluations?")) return json({ items: told });
    if (path.startsWith("/api/evaluations/")) return json(told.find((one) => path.endsWith(one.id)));
    if (path === "/api/models") return json({ models: [model("p/a"), model("p/b")], default: "p/a" });
    return json({ items: [{ version: 1, note: "", trained: 2, held_out: 1, share: 10, seed: 1, sha256: "x", at: 1 }] });
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
const t = (key: Parameters<typeof translate<"tuning">>[1], params?: Parameters<typeof translate>[2]) => translate("tuning", key, params);

test("variants are called base, adapter and prompt where they are, and by their name elsewhere", () => {
  const four = [variant("local/m"), variant("local/m", "Be brief."), variant("local/m:desk"), variant("local/m:desk", "Be brief.")];
  expect(namesOf(four, t)).toEqual(["Base", "Base + prompt", "Adapter desk", "Adapter desk + prompt"]);
  expect(namesOf([variant("ollama/qwen3:8b"), variant("p/a", "x"), variant("p/a", "y")], t)).toEqual(["ollama/qwen3:8b", "p/a + prompt", "p/a + prompt (3)"]);
});

test("rows that differ, the question among what was said, and cards that are the same", () => {
  expect(DONE.rows.map(differs)).toEqual([true, true]);
  expect(differs(row(0, "q", [answer(0, "At nine."), answer(1, " At nine.\n")]))).toBe(false);
  expect(differs(row(0, "q", [answer(0, "At nine.")]))).toBe(false);
  const said = (role: string, content: string) => ({ role, content });
  expect(asked({ ...row(0, "", []), messages: [said("system", "s"), said("user", "a"), said("assistant", "b"), said("user", "c")] })).toEqual({ question: "c", earlier: 2 });
  expect(same({ a: 1, b: { c: [1, 2] } }, { b: { c: [1, 2] }, a: 1 })).toBe(true);
  expect(same({ a: 1 }, { a: 1, b: 2 })).toBe(false);
});

test("the adapter of a job is the one with its card", () => {
  const adapter = (name: string, card: Record<string, unknown> | null) => ({ name, path: "", bytes: 1, architecture: null, rank: 8, alpha: 16, matrices: 1, card, attached: [{ model: "m", id: `local/m:${name}`, scale: 1, state: null }], problem: null });
  const list = (...adapters: ReturnType<typeof adapter>[]): AdapterList => ({ folder: "", adapters, models: ["m"] });
  const job = { model: "m", result: { folder: "", card: { seed: 1, losses: { a: 2 } } } } as unknown as Job;
  expect(madeBy(job, list(adapter("other", { seed: 2 }), adapter("ours", { losses: { a: 2 }, seed: 1 })))).toEqual(["local/m:ours"]);
  expect(madeBy(job, list(adapter("only", null)))).toEqual(["local/m:only"]);
  expect(madeBy(job, list(adapter("one", null), adapter("two", null)))).toEqual([]);
});

test("a table with its means, marked where an answer leaves the expected one, filtered and exported", async () => {
  told = [{ ...DONE, rows: [...DONE.rows, row(2, "Same everywhere?", [answer(0, "At nine."), answer(1, "At nine.")])] }];
  show(<Evaluations set={SET} />);
  const table = await screen.findByRole("table");
  within(table).getByRole("columnheader", { name: /^Adapter desk/ });
  expect(within(table).getByRole("meter", { name: "Adapter desk: Exact, 50%" }).getAttribute("aria-valuenow")).toBe("0.5");
  const close = within(table).getByRole("row", { name: /And when do you close/ });
  expect(within(close).getByText("ten").tagName).toBe("INS");
  within(close).getByText(/broke in the middle/);
  within(within(table).getByRole("row", { name: /When do you open/ })).getByText("As expected");

  fireEvent.click(screen.getByRole("checkbox", { name: "Only where they differ (2)" }));
  expect(screen.queryByText("Same everywhere?")).toBeNull();
  expect(screen.getByRole("link", { name: "Export as CSV" }).getAttribute("href")).toBe("/api/evaluations/e1/export?format=csv");
  screen.getByText("1 answer failed.");
  fireEvent.click(screen.getByRole("button", { name: "Ask them again" }));
  await waitFor(() => expect(sent).toEqual([{ method: "POST", path: "/api/evaluations/e1/resume", body: null }]));
});

test("one that runs says how far it is and is stopped; one that broke off goes on; one that goes is asked about first", async () => {
  told = [{ ...DONE, state: "running", done: 1 }];
  show(<Evaluations set={SET} />);
  await screen.findByText("1 of 4 answers");
  fireEvent.click(screen.getByRole("button", { name: "Stop" }));
  await waitFor(() => expect(sent.map((one) => one.path)).toEqual(["/api/evaluations/e1/cancel"]));
  cleanup();
  queries.clear();
  told = [{ ...DONE, state: "interrupted", done: 1 }];
  show(<Evaluations set={SET} />);
  await screen.findByText(/went down after 1 of 4 answers/);
  screen.getByRole("button", { name: "Go on" });
  fireEvent.click(screen.getByRole("button", { name: "Delete this comparison" }));
  fireEvent.click(await screen.findByRole("button", { name: "Delete" }));
  await waitFor(() => expect(sent.at(-1)).toEqual({ method: "DELETE", path: "/api/evaluations/e1", body: null }));
});

test("a fault of the portal is said, with a way to try again", async () => {
  broken = true;
  show(<Evaluations set={SET} />);
  await screen.findByRole("alert");
  broken = false;
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText("Nothing compared yet");
});

test("a prompt is asked for where somebody is to be asked with it, and what is sent is what is ticked", async () => {
  const begun = vi.fn();
  show(<OfSet set={SET} onBegun={begun} onClose={() => {}} />);
  await screen.findByRole("checkbox", { name: "p/a: As it is" });
  fireEvent.click(screen.getByRole("checkbox", { name: "p/a: With the prompt" }));
  await screen.findByText("Write a prompt, or ask nobody with it.");
  expect((screen.getByRole("button", { name: "Compare" }) as HTMLButtonElement).disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("System prompt"), { target: { value: " Be brief. " } });
  fireEvent.change(screen.getByRole("combobox", { name: "Add a model" }), { target: { value: "p/b" } });
  fireEvent.change(screen.getByLabelText("Questions"), { target: { value: "5" } });
  screen.getByText("3 columns");
  fireEvent.click(screen.getByRole("button", { name: "Compare" }));
  await waitFor(() => expect(begun).toHaveBeenCalled());
  const variants = [{ model: "p/a" }, { model: "p/a", system_prompt: "Be brief." }, { model: "p/b" }];
  expect(sent[0]?.body).toEqual({ dataset: "d", version: 1, variants, questions: 5, max_tokens: 256 });
});
