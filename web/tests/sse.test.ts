//! The stream of a turn against a scripted portal: split bytes, heartbeats, cuts, resumption by event id, refusals.
import { afterEach, expect, test, vi } from "vitest";
import { Problem } from "@/api/client";
import { type Numbered, SseDecoder, followTurn } from "@/chat/sse";

const wire = (id: number, event: object) => `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
const delta = (id: number, text: string) => wire(id, { type: "delta", text });
const finished = (id: number) => wire(id, { type: "finished", finish: "stop", failure: null });

/** One answer of the portal: pieces of bytes, then an end or a cut. */
function streamed(pieces: (string | Uint8Array)[], end: "close" | "cut" = "close"): Response {
  const utf8 = new TextEncoder();
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = pieces[at++];
      if (piece !== undefined) return controller.enqueue(typeof piece === "string" ? utf8.encode(piece) : piece);
      if (end === "cut") controller.error(new TypeError("network error"));
      else controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function portal(...answers: (Response | Error)[]) {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(url);
    const next = answers.shift();
    return next instanceof Error || next === undefined ? Promise.reject(next ?? new Error("asked too often")) : Promise.resolve(next);
  });
  return asked;
}

async function follow(signal = new AbortController().signal) {
  const seen: Numbered[] = [];
  const connections: string[] = [];
  const fresh: boolean[] = [];
  await followTurn("t1", {
    signal,
    pause: () => Promise.resolve(),
    onEvents: (events, begun) => {
      seen.push(...events);
      fresh.push(begun);
    },
    onConnection: (state) => connections.push(state),
  });
  const text = seen.map(({ event }) => (event.type === "delta" || event.type === "snapshot" ? event.text : "")).join("");
  return { seen, connections, fresh, text };
}

afterEach(() => vi.unstubAllGlobals());

test("an event split anywhere, even inside a character, is one event", async () => {
  const bytes = new TextEncoder().encode(delta(1, "合同第三条") + finished(2));
  for (let cut = 1; cut < bytes.length; cut += 1) {
    portal(streamed([bytes.slice(0, cut), bytes.slice(cut)]));
    const { text, seen } = await follow();
    expect([cut, text, seen.length]).toEqual([cut, "合同第三条", 2]);
  }
});

test("CRLF, data without a space, heartbeats and empty events are read as they are meant", () => {
  const decoder = new SseDecoder();
  expect(decoder.push(": ping\n\n\nid: 7\r\ndata:a\r\ndata: b\r\n\r\n: pi")).toEqual([{ id: "7", data: "a\nb" }]);
  expect(decoder.push("ng\ndata: c\n")).toEqual([]);
  expect(decoder.push("\n")).toEqual([{ id: "7", data: "c" }]);
});

test("a cut connection resumes after the last id, and no event counts twice", async () => {
  const asked = portal(streamed([delta(1, "a"), delta(2, "b")], "cut"), new TypeError("offline"), streamed([delta(2, "b"), delta(3, "c"), finished(4)]));
  const { text, connections } = await follow();
  expect(text).toBe("abc");
  expect(asked).toEqual(["/api/turns/t1/events?after=0", "/api/turns/t1/events?after=2", "/api/turns/t1/events?after=2"]);
  expect(connections).toEqual(["connected", "reconnecting", "reconnecting", "connected"]);
});

test("a clean end without `finished` is a cut as well", async () => {
  const asked = portal(streamed([delta(1, "a")]), streamed([delta(2, "b"), finished(3)]));
  const { text } = await follow();
  expect([text, asked.length]).toEqual(["ab", 2]);
});

test("a snapshot stands for everything up to its id", async () => {
  const asked = portal(streamed([wire(9, { type: "snapshot", text: "abc", thought: "", events_until: 9 }), delta(10, "d")], "cut"), streamed([delta(11, "e"), finished(12)]));
  const { text, fresh } = await follow();
  expect(text).toBe("abcde");
  expect(asked[1]).toBe("/api/turns/t1/events?after=10");
  expect(fresh[0]).toBe(true);
  expect(fresh.at(-1)).toBe(false);
});

test("a portal that restarts (503) is asked again; an unknown turn is not", async () => {
  portal(new Response(JSON.stringify({ code: "draining", message: "" }), { status: 503 }), streamed([finished(1)]));
  expect((await follow()).seen).toHaveLength(1);
  const asked = portal(new Response(JSON.stringify({ code: "not_found", message: "" }), { status: 404 }));
  await expect(follow()).rejects.toBeInstanceOf(Problem);
  expect(asked).toHaveLength(1);
});

test("leaving ends it quietly", async () => {
  const leave = new AbortController();
  vi.stubGlobal("fetch", (_url: string, init: RequestInit) => {
    leave.abort();
    return Promise.reject(init.signal?.reason ?? new DOMException("aborted", "AbortError"));
  });
  await expect(follow(leave.signal)).resolves.toMatchObject({ seen: [] });
});
