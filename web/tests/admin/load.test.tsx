//! The load of every deployment: counted, waited for, timed, left alone; looked at again by itself, with what was.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Deployment } from "@/api/types";
import { queries } from "@/app/queries";
import { REMEMBERED, type Watched, watched } from "@/pages/admin/load/data";
import { LoadPage } from "@/pages/admin/load/page";

const deployment = (part: Partial<Deployment> = {}): Deployment => ({ id: "gpu/llama3", name: "Llama 3", provider_name: "GPU", state: { state: "ready" }, breaker: "closed", draining: false, load: 3, limit: 8, waiting: 0, first_token: { p50_ms: 41.5, p95_ms: 1250, answers: 256 }, rtt_ms: 12, ...part });

let answer: Deployment[] | Response = [];
beforeEach(() => {
  queries.clear();
  vi.stubGlobal("fetch", async () => (answer instanceof Response ? answer.clone() : new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } })));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = () => render(<QueryClientProvider client={queries}>{<LoadPage />}</QueryClientProvider>);

test("what it is busy with, who waits, how soon it answers", async () => {
  answer = [deployment({ waiting: 2 }), deployment({ id: "gpu/qwen3", name: "Qwen 3", limit: null, load: 0, first_token: null, breaker: "open", draining: true })];
  show();
  const [, llama, qwen] = await screen.findAllByRole("row");
  expect(llama?.textContent).toContain("3 of 8");
  expect(within(llama as HTMLElement).getAllByRole("cell")[1]?.textContent).toBe("2");
  expect(llama?.textContent).toContain("p50 42 ms · p95 1.3 sec · 256 answers");
  expect(qwen?.textContent).toContain("Left alone after failures");
  expect(qwen?.textContent).toContain("Draining");
  expect(qwen?.textContent).toContain("No answer yet");
});

test("nothing there, and a portal that does not answer, say so", async () => {
  answer = [];
  show();
  await screen.findByText("Nothing to watch yet");
  cleanup();
  queries.clear();
  answer = new Response(JSON.stringify({ code: "storage_failed", message: "x" }), { status: 503, headers: { "content-type": "application/json" } });
  show();
  await screen.findByRole("button", { name: "Try again" }, { timeout: 10_000 });
}, 15_000);

test("what was is remembered for two minutes, and forgotten with the deployment", () => {
  let seen: Watched[] = [];
  for (let look = 0; look < REMEMBERED + 5; look += 1) seen = watched([deployment({ load: look, waiting: 1 })], seen);
  expect(seen[0]?.past).toHaveLength(REMEMBERED);
  expect(seen[0]?.past.at(-1)).toBe(REMEMBERED + 5);
  expect(watched([deployment({ id: "other" })], seen)[0]?.past).toEqual([3]);
});
