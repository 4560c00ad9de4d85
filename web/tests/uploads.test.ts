//! A file on its way: the digest, pieces, what happens when a connection breaks, and what ends it.
import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Sha256 } from "@/chat/sha256";
import { upload } from "@/chat/uploads";

const MIB = 1 << 20;

/** A portal that takes a file; `fault` may answer or throw in its place. */
function portal(fault: (method: string, path: string, received: number) => Response | Error | null = () => null) {
  const took: number[] = [];
  let content = new Uint8Array();
  let told = "";
  const row = () => ({ id: "f1", name: "a", media_type: "", bytes: 0, received: content.length, complete: false, created_at: 0 });
  const answer = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
  const handle = async (path: string, init: RequestInit = {}) => {
    const method = init.method ?? "GET";
    const wrong = fault(method, path, content.length);
    if (wrong instanceof Error) throw wrong;
    if (wrong) return wrong;
    if (method === "PATCH") {
      const piece = new Uint8Array(await (init.body as Blob).arrayBuffer());
      const offset = Number(new URL(path, "http://x").searchParams.get("offset"));
      if (offset !== content.length) return answer({ code: "upload_offset", message: "", params: { received: content.length } }, 409);
      content = Uint8Array.from([...content, ...piece]);
      took.push(piece.length);
    }
    if (path.endsWith("/finish")) told = (JSON.parse(init.body as string) as { sha256: string }).sha256;
    return answer(row());
  };
  vi.stubGlobal("fetch", vi.fn(handle));
  return { took, content: () => content, told: () => told };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout"] }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const bytes = (length: number) => Uint8Array.from({ length }, (_, at) => (at * 31) % 251);
const digest = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
/** Lets time pass until it is done. */
async function settle<T>(work: Promise<T>): Promise<T> {
  let done = false;
  const end = () => void (done = true);
  work.then(end, end);
  for (;;) {
    if (done) return work;
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

test("the digest is SHA-256, however the bytes come", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 128, 1000]) expect(new Sha256().update(bytes(length)).end(), String(length)).toBe(digest(bytes(length)));
  const content = bytes(3_000);
  const sum = new Sha256();
  for (let at = 0, step = 1; at < content.length; at += step, step = (step * 7) % 150 || 1) sum.update(content.subarray(at, at + step));
  expect(sum.end()).toBe(digest(content));
});

test("a file goes in pieces and is closed with its digest", async () => {
  const house = portal();
  const content = bytes(2 * MIB + 5);
  const shares: number[] = [];
  await settle(upload(new File([content], "a"), { signal: new AbortController().signal, onProgress: ({ share }) => shares.push(share) }));
  expect(house.took).toEqual([MIB, MIB, 5]);
  expect(house.told()).toBe(digest(content));
  expect(shares.at(0)).toBe(0);
  expect(shares.at(-1)).toBe(1);
});

test("what breaks goes on from where the portal has it", async () => {
  let breaks = 3;
  const house = portal((method, _, received) => (method === "PATCH" && received === MIB && breaks-- > 0 ? new TypeError("network") : null));
  const content = bytes(2 * MIB);
  const states: string[] = [];
  await settle(upload(new File([content], "a"), { signal: new AbortController().signal, onProgress: ({ state }) => states.push(state) }));
  expect(states.filter((state) => state === "waiting")).toHaveLength(3);
  expect(house.told()).toBe(digest(content));
  expect(digest(house.content())).toBe(digest(content));
});

test("an earlier try is taken up, and a lost answer to the end is asked for again", async () => {
  let lost = true;
  const house = portal((_, path) => (path.endsWith("/finish") && lost ? ((lost = false), new TypeError("network")) : null));
  const content = bytes(900);
  await fetch("/api/files/f1?offset=0", { method: "PATCH", body: new Blob([content.subarray(0, 300)]) });
  await settle(upload(new File([content], "a"), { signal: new AbortController().signal, known: "f1", onProgress: () => {} }));
  expect(house.took).toEqual([300, 600]);
  expect(house.told()).toBe(digest(content));
});

test("a refusal is not tried again, nor a portal that stays away for ever", async () => {
  const full = () => new Response(JSON.stringify({ code: "files_full", message: "full" }), { status: 413 });
  portal((method) => (method === "POST" ? full() : null));
  await expect(settle(upload(new File(["x"], "a"), { signal: new AbortController().signal, onProgress: () => {} }))).rejects.toMatchObject({ code: "files_full" });
  portal((method) => (method === "POST" ? null : new TypeError("network")));
  await expect(settle(upload(new File(["x"], "a"), { signal: new AbortController().signal, onProgress: () => {} }))).rejects.toMatchObject({ code: "portal_unreachable" });
});

test("what is stopped ends at once", async () => {
  const stop = new AbortController();
  portal((method) => (method === "PATCH" ? (stop.abort(), new DOMException("stopped", "AbortError")) : null));
  await expect(settle(upload(new File(["x"], "a"), { signal: stop.signal, onProgress: () => {} }))).rejects.toMatchObject({ name: "AbortError" });
});
