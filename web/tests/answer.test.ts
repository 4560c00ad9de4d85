//! A running answer and an open conversation against a scripted portal: frames, ends, failures, stop, branches.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem } from "@/api/client";
import type { Conversation, Message, TurnEvent } from "@/api/types";
import { useSession } from "@/app/session";
import { Answer, type Running } from "@/chat/answer";
import { Thread } from "@/chat/thread";
import { reveal } from "@/chat/typing";

const message = (id: string, part: Partial<Message> = {}): Message => ({
  id,
  parent: null,
  author: "user",
  text: "",
  thought: null,
  at: 0,
  model: null,
  turn: null,
  finish: null,
  failure: null,
  usage: null,
  ttft_ms: null,
  tpot_ms: null,
  trimmed: null,
  provenance: null,
  rating: null,
  files: [],
  ...part,
});

const conversation: Conversation = {
  id: "c1",
  title: "",
  titled_by: "none",
  model: null,
  system_prompt: null,
  sampling: {},
  pinned: false,
  archived: false,
  created_at: 0,
  updated_at: 0,
  head: null,
  assistant: null,
  assistant_version: null,
  running: [],
};

const sse = (events: TurnEvent[]) => new Response(events.map((event, at) => `id: ${at + 1}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
const done = (part: Partial<Extract<TurnEvent, { type: "finished" }>> = {}): TurnEvent => ({ type: "finished", finish: "stop", failure: null, ...part });

/** The portal by method and path; what was asked is kept. */
function portal(routes: Record<string, (body: unknown) => unknown>) {
  const asked: { route: string; body: unknown }[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit = {}) => {
    const route = `${init.method ?? "GET"} ${url.split("?")[0]}`;
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as unknown) : undefined;
    asked.push({ route, body });
    const answer = await routes[route]?.(body);
    if (answer === undefined) return new Response(JSON.stringify({ code: "not_found", message: route }), { status: 404 });
    return answer instanceof Response ? answer : new Response(JSON.stringify(answer));
  });
  return asked;
}

beforeEach(() => {
  useSession.setState({ me: { id: "p", name: "p", display_name: "", role: "member", language: null, settings: { typing_animation: false } } });
  vi.spyOn(document, "hidden", "get").mockReturnValue(false);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function play(events: TurnEvent[], start: Partial<Message> = {}) {
  portal({ "GET /api/turns/t1/events": () => sse(events) });
  const frames: Running[] = [];
  const final = await new Promise<Message>((finish, fail) => {
    const answer = new Answer(message("a1", { author: "assistant", turn: "t1", ...start }), "t1", { onChange: (running) => frames.push(running), onFinish: finish, onGone: () => fail(new Error("gone")) });
    void answer.follow();
  });
  return { frames, final };
}

test("all that one read brought is one frame", async () => {
  const { frames, final } = await play([{ type: "started", turn: "t1", model: "m" }, { type: "delta", text: "a" }, { type: "delta", text: "b" }, { type: "delta", text: "c" }, done()]);
  expect(frames.filter((frame) => frame.text !== "").map((frame) => frame.text)).toEqual(["abc"]);
  expect(final).toMatchObject({ text: "abc", finish: "stop" });
});

test("waiting is said in its own words: queue, warming, then writing", async () => {
  const events: TurnEvent[] = [
    { type: "queued", position: 2, eta_ms: 3000 },
    { type: "warming", state: { state: "loading", percent: 40, eta_ms: 900 } },
    { type: "delta", text: "a" },
    done(),
  ];
  // Each event in a read of its own, a frame apart.
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const event = events.shift();
      if (event === undefined) return controller.close();
      await new Promise((next) => setTimeout(next, 40));
      controller.enqueue(new TextEncoder().encode(`id: ${4 - events.length}\ndata: ${JSON.stringify(event)}\n\n`));
    },
  });
  portal({ "GET /api/turns/t1/events": () => new Response(body) });
  const phases: string[] = [];
  await new Promise((finish) => {
    const onChange = (running: Running) => phases.at(-1) === running.phase || phases.push(running.phase);
    void new Answer(message("a1", { author: "assistant", turn: "t1" }), "t1", { onChange, onFinish: finish, onGone: () => finish(null) }).follow();
  });
  expect(phases).toEqual(["waiting", "queued", "warming", "writing"]);
});

test("over several fallbacks the first model is named, and the last one answers", async () => {
  const { frames } = await play([
    { type: "fell_back", from: "a", to: "b", code: "unreachable" },
    { type: "fell_back", from: "b", to: "c", code: "timed_out" },
    { type: "delta", text: "x" },
    done(),
  ]);
  expect(frames.at(-1)?.fellBack).toEqual({ from: "a", to: "c", code: "timed_out" });
});

test("a failure after some text keeps the text and its cause", async () => {
  const { final } = await play([{ type: "delta", text: "half" }, done({ finish: "failed", failure: { code: "cut", message: "broken" } })]);
  expect(final).toMatchObject({ text: "half", finish: "failed", failure: { code: "cut" } });
});

test("what a reload had read is replaced by the stream, not doubled", async () => {
  const { final } = await play([{ type: "snapshot", text: "one two", thought: "hm", events_until: 1 }, { type: "delta", text: " three" }, done()], { text: "one tw" });
  expect(final).toMatchObject({ text: "one two three", thought: "hm" });
});

test("the portal's own final message wins", async () => {
  const stored = message("a1", { author: "assistant", turn: "t1", text: "stored", finish: "stop" });
  const { final } = await play([{ type: "delta", text: "seen" }, done({ message: stored })]);
  expect(final).toEqual(stored);
});

test("typing catches up evenly and never shows half a character", () => {
  expect(reveal("abcdefgh", 0, 16)).toBe(1);
  expect(reveal("a".repeat(1600), 0, 16)).toBe(160);
  expect(reveal("abc", 1, 5000)).toBe(3);
  expect("😀😀".slice(0, reveal("😀😀", 0, 1))).toBe("😀");
  expect(reveal("", 0, 16)).toBe(0);
});

const tree = [message("m1", { text: "q1" }), message("m2", { parent: "m1", author: "assistant", text: "a1", finish: "stop", turn: "t0" }), message("m3", { parent: "m2", text: "q2" }), message("m4", { parent: "m3", author: "assistant", text: "a2", finish: "stop", turn: "t9" })];

async function opened(extra: Record<string, (body: unknown) => unknown> = {}, messages = tree, head = "m4") {
  const asked = portal({ "GET /api/conversations/c1": () => ({ conversation: { ...conversation, head }, messages }), "PATCH /api/conversations/c1": () => ({ ...conversation, head }), ...extra });
  const thread = new Thread("c1");
  await thread.load();
  return { thread, asked };
}

test("editing a question makes a branch beside it, and both can be looked at", async () => {
  const { thread, asked } = await opened({
    "POST /api/turns": () => ({
      turn: "t1",
      conversation: { ...conversation, head: "m6" },
      question: message("m5", { parent: "m2", text: "q2, edited" }),
      answer: message("m6", { parent: "m5", author: "assistant", turn: "t1" }),
    }),
    "GET /api/turns/t1/events": () => sse([{ type: "delta", text: "a3" }, done()]),
  });
  await thread.ask({ parent: "m2", text: "q2, edited", ask_id: "0123456789abcdef" });
  expect(asked.at(-2)?.body ?? asked.at(-1)?.body).toMatchObject({ conversation: "c1", parent: "m2" });
  expect(thread.get().path).toEqual(["m1", "m2", "m5", "m6"]);
  expect(thread.siblings("m5").map((one) => one.id)).toEqual(["m3", "m5"]);
  await vi.waitFor(() => expect(thread.message("m6")).toMatchObject({ text: "a3", finish: "stop" }));
  thread.show("m3");
  expect(thread.get().path).toEqual(["m1", "m2", "m3", "m4"]);
});

test("a refused question changes nothing and says why", async () => {
  const { thread } = await opened({ "POST /api/turns": () => new Response(JSON.stringify({ code: "storage_full", message: "full", status: 507 }), { status: 507 }) });
  const refused = thread.ask({ parent: "m4", text: "q3", ask_id: "0123456789abcdef" });
  await expect(refused).rejects.toBeInstanceOf(Problem);
  expect(thread.get().path).toEqual(["m1", "m2", "m3", "m4"]);
});

test("an answer under way is followed after a reload, and stop reaches the portal", async () => {
  const running = [...tree.slice(0, 3), message("m4", { parent: "m3", author: "assistant", text: "ha", turn: "t1" })];
  let release: (() => void) | undefined;
  const { thread, asked } = await opened(
    {
      "GET /api/turns/t1/events": () =>
        new Response(
          new ReadableStream({
            start: (controller) => {
              const send = (text: string) => controller.enqueue(new TextEncoder().encode(text));
              send(`id: 4\ndata: {"type":"snapshot","text":"half","thought":null,"events_until":4}\n\n`);
              release = () => send(`id: 5\ndata: {"type":"finished","finish":"stopped","failure":null}\n\n`);
            },
          }),
        ),
      "POST /api/turns/t1/stop": () => new Response(null, { status: 204 }),
    },
    running,
  );
  await vi.waitFor(() => expect(thread.running("m4")?.text).toBe("half"));
  expect(thread.runningTurn()).toBe("t1");
  await thread.stop();
  expect(asked.at(-1)?.route).toBe("POST /api/turns/t1/stop");
  expect(thread.running("m4")?.stopping).toBe(true);
  release?.();
  await vi.waitFor(() => expect(thread.message("m4")).toMatchObject({ text: "half", finish: "stopped" }));
  expect(thread.runningTurn()).toBeNull();
});

test("an older reading that arrives late neither ends nor loses an answer", async () => {
  let late: ((answer: Response) => void) | undefined;
  let reads = 0;
  const { thread } = await opened({
    "GET /api/conversations/c1": () => {
      reads += 1;
      if (reads === 2) return new Promise<Response>((answer) => (late = answer));
      return { conversation: { ...conversation, head: "m4" }, messages: reads === 1 ? tree : [...tree, message("m5", { parent: "m4", text: "q3" }), message("m6", { parent: "m5", author: "assistant", turn: "t1" })] };
    },
    "POST /api/turns": () => ({ turn: "t1", conversation: { ...conversation, head: "m6" }, question: message("m5", { parent: "m4", text: "q3" }), answer: message("m6", { parent: "m5", author: "assistant", turn: "t1" }) }),
    "GET /api/turns/t1/events": () => new Response(new ReadableStream()),
  });
  const reading = thread.load();
  await thread.ask({ parent: "m4", text: "q3", ask_id: "0123456789abcdef" });
  late?.(new Response(JSON.stringify({ conversation: { ...conversation, head: "m4" }, messages: tree })));
  await reading;
  expect(thread.get().path).toEqual(["m1", "m2", "m3", "m4", "m5", "m6"]);
  expect(thread.runningTurn()).toBe("t1");
  thread.close();
});

test("deleting a message takes what follows it, and undo brings the same line back", async () => {
  const { thread } = await opened({ "DELETE /api/messages/m3": () => new Response(null, { status: 204 }), "POST /api/messages/m3/restore": () => new Response(null, { status: 204 }) });
  const undo = await thread.remove("m3");
  expect(thread.get().path).toEqual(["m1", "m2"]);
  await undo();
  expect(thread.get().path).toEqual(["m1", "m2", "m3", "m4"]);
});
