//! Steps as lines: out of events in pieces, out of what is kept, joined with what the log says.
import { expect, test } from "vitest";
import type { StepCall, TurnEvent } from "@/api/types";
import { type Step, inShort, keptSteps, stateOf, stepsAfter, toKeep, withCalls } from "@/chat/steps";

const after = (...events: TurnEvent[]): Step[] => events.reduce(stepsAfter, [] as Step[]);
const lines = (steps: Step[]) => steps.map((step) => [step.plugin, step.tool, step.state, step.asked, step.answered]);

test("a call comes in pieces, runs, and is answered; parallel ones keep their places", () => {
  const running = after(
    { type: "tool_called", index: 0, id: "a", name: "erp__listOrders", arguments: '{"open"' },
    { type: "tool_called", index: 1, id: "b", name: "calculator", arguments: "" },
    { type: "tool_called", index: 0, id: null, name: null, arguments: ":true}" },
  );
  expect(lines(running)).toEqual([
    ["erp", "listOrders", "running", '{"open":true}', null],
    ["calculator", "calculator", "running", "", null],
  ]);
  const answered = stepsAfter(running, { type: "tool_answered", index: 1, step: { plugin: "calculator", tool: "calculator", ms: 3 }, text: "59.97" });
  expect(lines(answered).at(1)).toEqual(["calculator", "calculator", "done", "", "59.97"]);
  expect(answered.map((step) => step.key)).toEqual(running.map((step) => step.key));
});

test("what a plugin did before the model stands first, and says so", () => {
  const steps = after({ type: "consulted", step: { plugin: "tickets", tool: "message", ms: 12 }, text: "open" }, { type: "delta", text: "It is" }, { type: "tool_called", index: 0, id: "a", name: "clock", arguments: "{}" });
  expect(steps.map((step) => [step.plugin, step.before])).toEqual([
    ["tickets", true],
    ["clock", false],
  ]);
});

test("other events leave the very same list, so that nothing is drawn again", () => {
  const steps = after({ type: "tool_called", index: 0, id: "a", name: "clock", arguments: "{}" });
  expect(stepsAfter(steps, { type: "delta", text: "x" })).toBe(steps);
});

test("denied is told from failed", () => {
  expect(["not_permitted", "egress_forbidden", "timed_out", null, undefined].map((code) => stateOf(code))).toEqual(["denied", "denied", "failed", "done", "done"]);
});

test("a tool that nobody knows still has a name", () => {
  expect(lines(keptSteps([{ plugin: "", tool: "ghost__do", ms: 0, error: "tool_not_found" }]))[0]?.slice(0, 3)).toEqual(["ghost", "do", "failed"]);
});

test("what ended is kept where the answer could not be read back; what still ran is not", () => {
  const steps = after(
    { type: "tool_called", index: 0, id: "a", name: "clock", arguments: "{}" },
    { type: "tool_answered", index: 0, step: { plugin: "clock", tool: "clock", ms: 4, error: "timed_out" }, text: "" },
    { type: "tool_called", index: 1, id: "b", name: "clock", arguments: "{}" },
  );
  expect(toKeep(steps)).toEqual([{ plugin: "clock", tool: "clock", ms: 4, error: "timed_out" }]);
});

const call = (part: Partial<StepCall>): StepCall => ({ plugin: "erp", title: "ERP", tool: "erp__get", at: 1, ms: 5, outcome: "done", sent: "{}", received: "", ...part });

test("the log's calls go to their steps, each once, by tool, outcome and time", () => {
  const steps = keptSteps([
    { plugin: "erp", tool: "erp__get", ms: 5 },
    { plugin: "erp", tool: "erp__get", ms: 5 },
    { plugin: "erp", tool: "erp__get", ms: 9, error: "timed_out" },
    { plugin: "erp", tool: "erp__put", ms: 1 },
  ]);
  const calls = [call({ ms: 9, outcome: "timed_out", sent: "late" }), call({ sent: "first" }), call({ sent: "second" })];
  expect(withCalls(steps, calls).map((told) => told.call?.sent ?? null)).toEqual(["first", "second", "late", null]);
});

test.each([
  ['{"expression":"2/8"}', "2/8"],
  ['{"open":true,"limit":5}', "open: true · limit: 5"],
  ['{"id":7}', "id: 7"],
  ["{}", ""],
  ["no json {", "no json {"],
  ['{"text":"a\\n  b"}', "a b"],
  [JSON.stringify({ text: "长".repeat(200) }), `${"长".repeat(79)}…`],
])("%s in short", (asked, expected) => {
  expect(inShort(asked)).toBe(expected);
});
