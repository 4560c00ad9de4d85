//! What tools did for an answer, as lines in order: out of a turn's events while it runs, out of what is kept with the answer afterwards.
import type { StepCall, ToolPart, ToolStep, TurnEvent } from "@/api/types";

export type StepState = "running" | "done" | "failed" | "denied" | "waiting";

export type Step = {
  /** Stays with the line while it is shown. */
  key: string;
  /** Before the model was asked, by itself; otherwise the model asked for it. */
  before: boolean;
  plugin: string;
  /** The tool's own name, without its plugin's. */
  tool: string;
  state: StepState;
  /** Why it failed, a word of the error table. */
  error: string | null;
  ms: number | null;
  /** What it was asked, as far as it is known: JSON. */
  asked: string | null;
  /** What it answered, or its beginning. */
  answered: string | null;
  /** What it gave to be shown, beside its text. */
  parts: readonly ToolPart[];
};

/** What an administrator can open or the network forbids: not a fault of the tool. */
const DENIED = new Set(["not_permitted", "egress_forbidden", "approval_denied", "denied"]);

export function stateOf(error: string | null | undefined): StepState {
  if (!error) return "done";
  if (error === "approval_pending") return "waiting";
  return DENIED.has(error) ? "denied" : "failed";
}

/** `erp__listOrders` is the tool `listOrders` of the plugin `erp`; a tool of the house is called as its plugin. */
function named(full: string, plugin = full.includes("__") ? full.slice(0, full.indexOf("__")) : full): Pick<Step, "plugin" | "tool"> {
  return { plugin, tool: full.startsWith(`${plugin}__`) ? full.slice(plugin.length + 2) : full };
}

function ended({ plugin, tool, error, ms, parts }: ToolStep): Pick<Step, "plugin" | "tool" | "state" | "error" | "ms" | "parts"> {
  // A tool that nobody knows has no plugin.
  return { ...(plugin === "" ? named(tool) : named(tool, plugin)), state: stateOf(error), error: error ?? null, ms, parts: parts ?? [] };
}

/** The lines after one more event; the same list where the event says nothing of tools. */
export function stepsAfter(steps: Step[], event: TurnEvent): Step[] {
  if (event.type === "consulted") {
    return [...steps, { key: `before-${steps.length}`, before: true, ...ended(event.step), asked: null, answered: event.text }];
  }
  if (event.type !== "tool_called" && event.type !== "tool_answered") return steps;
  const key = `call-${event.index}`;
  const known = steps.find((step) => step.key === key);
  const step = known ?? { key, before: false, plugin: "", tool: "", state: "running", error: null, ms: null, asked: null, answered: null, parts: [] };
  const next: Step = event.type === "tool_answered" ? { ...step, ...ended(event.step), answered: event.text } : called(step, event);
  return known ? steps.map((one) => (one === known ? next : one)) : [...steps, next];
}

/** One more piece of a call: its name comes with the first, its arguments in several. */
function called(step: Step, piece: Extract<TurnEvent, { type: "tool_called" }>): Step {
  const name = piece.name ? named(piece.name) : {};
  return { ...step, ...name, asked: (step.asked ?? "") + piece.arguments };
}

/** The lines of an answer that is finished. Those before the model are told from its calls by what the log says, if at all. */
export function keptSteps(kept: readonly ToolStep[]): Step[] {
  return kept.map((step, at) => ({ key: `kept-${at}`, before: false, ...ended(step), asked: null, answered: null }));
}

/** The lines as they are kept once the answer has ended and could not be read back. */
export function toKeep(steps: readonly Step[]): ToolStep[] {
  return steps.flatMap(({ plugin, tool, state, error, ms, parts }) => (state === "running" ? [] : [{ plugin, tool, ms: ms ?? 0, error, ...(parts.length > 0 ? { parts: [...parts] } : {}) }]));
}

export type Told = { step: Step; call: StepCall | null };

/** Puts to each line what the log says of it: the first call not yet given away that has the same tool, outcome and time. */
export function withCalls(steps: readonly Step[], calls: readonly StepCall[]): Told[] {
  const left = [...calls];
  return steps.map((step) => {
    if (step.state === "running") return { step, call: null };
    const at = left.findIndex((call) => call.plugin === step.plugin && named(call.tool, call.plugin).tool === step.tool && call.ms === step.ms && call.outcome === (step.error ?? "done"));
    const call = at < 0 ? null : (left.splice(at, 1)[0] ?? null);
    return { step, call };
  });
}

const SHORT = 80;

/** What it was asked, in one line: the one text there is, or `name: value` of each. */
export function inShort(asked: string): string {
  let value: unknown;
  try {
    value = JSON.parse(asked);
  } catch {
    return clip(asked);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return clip(String(asked));
  const fields = Object.entries(value);
  const said = fields.map(([name, one]) => (fields.length === 1 && typeof one === "string" ? one : `${name}: ${plain(one)}`));
  return clip(said.join(" · "));
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function clip(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const letters = [...line];
  return letters.length > SHORT ? `${letters.slice(0, SHORT - 1).join("")}…` : line;
}
