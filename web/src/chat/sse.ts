//! A turn's events over fetch, resumed by event id for as long as it takes. Not `EventSource`: that hides the status and cannot be told where to resume.
import { Problem, readProblem } from "@/api/client";
import type { TurnEvent } from "@/api/types";

export type Numbered = { id: number; event: TurnEvent };

/** Cuts a stream of text, however it was split, into events. Comment lines (heartbeats) and empty events vanish. */
export class SseDecoder {
  private rest = "";
  private id = "";
  private data: string[] = [];

  push(text: string): { id: string; data: string }[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    const events: { id: string; data: string }[] = [];
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (this.data.length > 0) events.push({ id: this.id, data: this.data.join("\n") });
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
      if (field === "data") this.data.push(value);
      if (field === "id") this.id = value;
    }
    return events;
  }
}

export type Follower = {
  /** What one network read brought, in order, each id once. `fresh`: the stream began anew, what was collected before is void. */
  onEvents: (events: Numbered[], fresh: boolean) => void;
  onConnection: (state: "connected" | "reconnecting") => void;
  signal: AbortSignal;
  /** Waits before try n (1, 2, ...); replaced in tests. */
  pause?: (tries: number, signal: AbortSignal) => Promise<void>;
};

/** The portal's heartbeat comes every 10 s: twice missed, the connection is dead whatever TCP thinks. */
const SILENCE_MS = 22_000;

/** Resolves after `finished` or an abort; throws a Problem when the portal refuses the turn (gone, not ours). */
export async function followTurn(turn: string, { onEvents, onConnection, signal, pause = backOff }: Follower): Promise<void> {
  let last = 0;
  let tries = 0;
  while (!signal.aborted) {
    try {
      const finished = await readOnce(turn, last, signal, (events) => {
        tries = 0;
        const news = events.filter(({ id, event }) => event.type === "snapshot" || id > last);
        const fresh = last === 0;
        for (const { id, event } of news) last = Math.max(last, event.type === "snapshot" ? event.events_until : id);
        if (news.length > 0) onEvents(news, fresh);
      }, onConnection);
      if (finished) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status > 0 && error.status < 500 && error.status !== 429) throw error;
    }
    if (signal.aborted) return;
    tries += 1;
    onConnection("reconnecting");
    await pause(tries, signal);
  }
}

async function readOnce(turn: string, after: number, signal: AbortSignal, take: (events: Numbered[]) => void, onConnection: Follower["onConnection"]): Promise<boolean> {
  const silence = new AbortController();
  const give = () => silence.abort();
  signal.addEventListener("abort", give);
  let watchdog = setTimeout(give, SILENCE_MS);
  try {
    const answer = await fetch(`/api/turns/${turn}/events?after=${after}`, { headers: { accept: "text/event-stream" }, credentials: "same-origin", signal: silence.signal });
    if (!answer.ok || !answer.body) throw await readProblem(answer);
    onConnection("connected");
    const reader = answer.body.getReader();
    const utf8 = new TextDecoder();
    const decoder = new SseDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      clearTimeout(watchdog);
      watchdog = setTimeout(give, SILENCE_MS);
      const events = decoder.push(utf8.decode(value, { stream: true })).map(({ id, data }) => ({ id: Number(id), event: JSON.parse(data) as TurnEvent }));
      if (events.length > 0) take(events);
      if (events.some(({ event }) => event.type === "finished")) return true;
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", give);
    silence.abort();
  }
}

function backOff(tries: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(5000, 250 * 2 ** (tries - 1)) * (0.75 + Math.random() / 2);
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
