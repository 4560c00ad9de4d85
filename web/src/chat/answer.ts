//! One answer while it is being written: events in, an immutable picture per frame out. Knows nothing of the tree it belongs to.
import type { LeftOut } from "@/api/files";
import type { FellBack, Message, ModelState, Trimmed, TurnEvent, Usage } from "@/api/types";
import { type Step, stepsAfter, toKeep } from "@/chat/steps";
import { type Numbered, followTurn } from "@/chat/sse";
import { everyFrame, reveal, typesSmoothly } from "@/chat/typing";

export type Phase = "waiting" | "queued" | "warming" | "writing";

/** What the screen shows of a running answer. */
export type Running = {
  turn: string;
  phase: Phase;
  text: string;
  thought: string;
  /** What plugins did for it, before the model and because it asked. */
  steps: Step[];
  reconnecting: boolean;
  stopping: boolean;
  position: number | null;
  etaMs: number | null;
  model: ModelState | null;
  trimmed: Trimmed | null;
  /** The ends of files that did not fit. */
  leftOut: LeftOut[];
  /** Another model answers than the one that was asked. */
  fellBack: FellBack | null;
  /** The disk is full: the answer goes on and is saved once there is room. */
  unsaved: boolean;
};

type Finished = Extract<TurnEvent, { type: "finished" }>;

export type AnswerEvents = {
  onChange: (running: Running) => void;
  /** The message as it now stands, its text shown to the end. */
  onFinish: (message: Message) => void;
  /** The portal does not know this turn any more. */
  onGone: () => void;
};

export class Answer {
  running: Running;
  private readonly message: Message;
  private readonly events: AnswerEvents;
  private readonly abort = new AbortController();
  private text: string;
  private thought: string;
  private usage: Usage | null = null;
  private finished: Finished | null = null;
  private done = false;
  private animating = false;

  constructor(message: Message, turn: string, events: AnswerEvents) {
    this.message = message;
    this.events = events;
    this.text = message.text;
    this.thought = message.thought ?? "";
    this.running = {
      turn,
      phase: message.text === "" ? "waiting" : "writing",
      text: message.text,
      thought: this.thought,
      steps: [],
      reconnecting: false,
      stopping: false,
      position: null,
      etaMs: null,
      model: null,
      trimmed: message.trimmed,
      leftOut: [],
      fellBack: null,
      unsaved: false,
    };
  }

  async follow() {
    try {
      await followTurn(this.running.turn, {
        signal: this.abort.signal,
        onEvents: (batch, fresh) => this.take(batch, fresh),
        onConnection: (state) => this.change({ reconnecting: state === "reconnecting" }),
      });
    } catch {
      this.close();
      this.events.onGone();
    }
  }

  /** Stops watching; the answer itself goes on at the portal. */
  close() {
    this.done = true;
    this.abort.abort();
  }

  stopping() {
    this.change({ stopping: true });
  }

  private take(batch: Numbered[], fresh: boolean) {
    if (fresh) {
      this.text = this.thought = "";
      this.running = { ...this.running, steps: [] };
    }
    for (const { event } of batch) this.apply(event);
    this.animate();
  }

  private apply(event: TurnEvent) {
    switch (event.type) {
      case "snapshot":
        this.text = event.text;
        this.thought = event.thought ?? "";
        if (this.text !== "" || this.thought !== "") this.phase("writing");
        return;
      case "queued":
        this.running = { ...this.running, phase: "queued", position: event.position, etaMs: event.eta_ms };
        return;
      case "warming":
        this.running = { ...this.running, phase: "warming", model: event.state, etaMs: event.state.state === "loading" ? event.state.eta_ms : null };
        return;
      case "fell_back":
        // Over several: the one first asked is what the person chose, the last one answers.
        this.running = { ...this.running, phase: "waiting", fellBack: { from: this.running.fellBack?.from ?? event.from, to: event.to, code: event.code } };
        return;
      case "trimmed":
        this.running = { ...this.running, trimmed: { messages: event.messages, tokens: event.tokens } };
        return;
      case "left_out":
        // The same file again, shortened anew, takes the place of what was told of it.
        this.running = { ...this.running, leftOut: [...this.running.leftOut.filter(({ name }) => name !== event.name), event] };
        return;
      case "delta":
        this.text += event.text;
        this.phase("writing");
        return;
      case "thought":
        this.thought += event.text;
        this.phase("writing");
        return;
      case "consulted":
      case "tool_called":
      case "tool_answered":
        this.running = { ...this.running, steps: stepsAfter(this.running.steps, event) };
        return;
      case "used":
        this.usage = event.usage;
        return;
      case "unsaved":
        this.running = { ...this.running, unsaved: event.unsaved };
        return;
      case "finished":
        this.finished = event;
        return;
      default:
        return;
    }
  }

  private phase(phase: Phase) {
    if (this.running.phase !== phase) this.running = { ...this.running, phase };
  }

  private change(change: Partial<Running>) {
    if (this.done) return;
    this.running = { ...this.running, ...change };
    this.events.onChange(this.running);
  }

  private animate() {
    if (this.animating || this.done) return;
    this.animating = true;
    everyFrame((elapsed) => this.frame(elapsed));
  }

  /** One flush: everything that arrived since the last frame becomes one change of the screen. */
  private frame(elapsed: number): boolean {
    if (this.done) return false;
    const smooth = typesSmoothly() && !document.hidden;
    // A resumed answer can be shorter than what was shown (another incarnation of the portal): never index past it.
    const from = this.text.startsWith(this.running.text) ? this.running.text.length : this.text.length;
    const shown = smooth ? reveal(this.text, from, elapsed) : this.text.length;
    this.change({ text: this.text.slice(0, shown), thought: this.thought });
    if (shown < this.text.length) return true;
    this.animating = false;
    if (this.finished) this.settle(this.finished);
    return false;
  }

  private settle(finished: Finished) {
    this.close();
    // Written to the end and yet not on disk: the person must know before leaving.
    const failure = finished.failure ?? (finished.unsaved ? { code: "storage", message: "the answer could not be saved" } : null);
    if (finished.message) return this.events.onFinish(failure ? { ...finished.message, failure } : finished.message);
    this.events.onFinish({
      ...this.message,
      text: this.text,
      thought: this.thought === "" ? null : this.thought,
      finish: finished.finish,
      failure,
      usage: this.usage,
      ttft_ms: finished.ttft_ms ?? null,
      tpot_ms: finished.tpot_ms ?? null,
      trimmed: this.running.trimmed,
      provenance: this.running.steps.length > 0 ? { provider: "", model: "", tried: [], queued_ms: 0, dropped: [], steps: toKeep(this.running.steps) } : this.message.provenance,
    });
  }
}
