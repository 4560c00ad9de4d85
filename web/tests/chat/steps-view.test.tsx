//! The line of a step: what it says by itself, what it says when it is opened, and the ways it can be without either.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StepCall } from "@/api/types";
import { queries } from "@/app/queries";
import { type Step, keptSteps } from "@/chat/steps";
import Steps from "@/pages/chat/steps";

const CALL: StepCall = { plugin: "erp", title: "Orders", tool: "erp__list", at: 1, ms: 40, outcome: "done", sent: '{"open":true}', received: '[{"id":10,"customer":"乙"},{"id":9,"customer":"甲"}]' };
let answer: () => Response = () => new Response("[]");

beforeEach(() => {
  queries.clear();
  vi.stubGlobal("fetch", async () => answer());
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (steps: Step[]) =>
  render(
    <QueryClientProvider client={queries}>
      <Steps turn="t1" steps={steps} />
    </QueryClientProvider>,
  );
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });

test("a finished step names plugin, tool, what it was asked and how long it took, and opens to a table that sorts", async () => {
  answer = () => json([CALL]);
  show(keptSteps([{ plugin: "erp", tool: "erp__list", ms: 40 }]));
  const line = await screen.findByRole("button", { name: /Orders · list/ });
  expect(line.textContent).toContain("open: true");
  expect(line.textContent).toContain("40 ms");
  expect(line.getAttribute("aria-expanded")).toBe("false");
  fireEvent.click(line);
  expect(line.getAttribute("aria-expanded")).toBe("true");
  const table = await screen.findByRole("table");
  const ids = () => within(table).getAllByRole("row").slice(1).map((row) => within(row).getAllByRole("cell")[0]?.textContent);
  expect(ids()).toEqual(["10", "9"]);
  fireEvent.click(within(table).getByRole("button", { name: "id" }));
  expect(ids()).toEqual(["9", "10"]);
  expect(within(table).getByRole("columnheader", { name: "id" }).getAttribute("aria-sort")).toBe("ascending");
});

test("one that runs says so, and what it was asked", () => {
  show([{ key: "call-0", before: false, plugin: "erp", tool: "list", state: "running", error: null, ms: null, asked: '{"open":true}', answered: null, parts: [] }]);
  expect(screen.getByRole("button", { name: /erp · list \(open: true\)\s*Running/ })).toBeTruthy();
});

test("one that was not allowed says why and whom to ask", async () => {
  answer = () => json([{ ...CALL, outcome: "not_permitted", received: "this needs the permission net:erp" }]);
  show(keptSteps([{ plugin: "erp", tool: "erp__list", ms: 40, error: "not_permitted" }]));
  fireEvent.click(await screen.findByRole("button", { name: /Orders · list.*Not allowed/ }));
  expect(await screen.findByText(/An administrator can grant it/)).toBeTruthy();
});

test("where the log has forgotten it, the step stays and says so", async () => {
  answer = () => json([]);
  show(keptSteps([{ plugin: "erp", tool: "erp__list", ms: 1200 }]));
  fireEvent.click(screen.getByRole("button", { name: /erp · list/ }));
  expect(await screen.findByText(/no longer in the log/)).toBeTruthy();
});

test("what cannot be read is said, and read again", async () => {
  answer = () => json({ code: "storage_failed", message: "no" }, 500);
  show(keptSteps([{ plugin: "erp", tool: "erp__list", ms: 40 }]));
  fireEvent.click(screen.getByRole("button", { name: /erp · list/ }));
  const retry = await screen.findByRole("button", { name: "Try again" });
  answer = () => json([CALL]);
  fireEvent.click(retry);
  expect(await screen.findByRole("table")).toBeTruthy();
});
