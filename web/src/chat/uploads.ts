//! One file on its way to the portal: in pieces, again from where the portal has it when a connection breaks, closed with its digest. No screens here.
import { Problem, api, readProblem } from "@/api/client";
import type { Uploaded } from "@/api/files";
import { Sha256 } from "@/chat/sha256";

/** `waiting`: the connection broke, and it goes on in a moment. */
export type Progress = { state: "sending" | "waiting" | "checking"; share: number };
type Options = { onProgress: (progress: Progress) => void; signal: AbortSignal; /** Of an earlier try. */ known?: string | undefined; onId?: (id: string) => void };

const PIECE = 1 << 20;
/** How often in a row it tries again without a byte getting through, and how long it waits before that, in milliseconds. */
const TRIES = 8;
const wait = (tries: number) => Math.min(10_000, 500 * 2 ** tries);

export async function upload(file: File, { onProgress, signal, known, onId }: Options): Promise<Uploaded> {
  const told = known ? await api.get<Uploaded>(`/api/files/${known}`) : await api.post<Uploaded>("/api/files", { name: file.name || "file", bytes: file.size });
  const path = `/api/files/${told.id}`;
  onId?.(told.id);
  let at = told.received;
  let tries = 0;
  const hash = new Sha256();
  let hashed = 0;
  const hashTo = async (end: number) => {
    for (; hashed < end; hashed = Math.min(end, hashed + PIECE)) hash.update(new Uint8Array(await file.slice(hashed, Math.min(end, hashed + PIECE)).arrayBuffer()));
  };
  /** Does it until it is done or cannot be: what may pass is tried again, from where the portal is then. */
  const insist = async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (problem) {
        signal.throwIfAborted();
        if (!passes(problem) || tries >= TRIES) throw problem;
        onProgress({ state: "waiting", share: at / file.size });
        await pause(wait(tries), signal);
        tries += 1;
        at = await api.get<Uploaded>(path, undefined, signal).then(
          (row) => row.received,
          (again: unknown) => (passes(again) ? at : Promise.reject(again)),
        );
      }
    }
  };
  await hashTo(at);
  while (at < file.size) {
    onProgress({ state: "sending", share: at / file.size });
    await insist(async () => {
      const from = at;
      const end = Math.min(file.size, from + PIECE);
      at = await send(`${path}?offset=${from}`, file.slice(from, end), signal);
      if (at > from) tries = 0;
    });
    await hashTo(at);
  }
  onProgress({ state: "checking", share: 1 });
  const sha256 = hash.end();
  return insist(() => api.post<Uploaded>(`${path}/finish`, { sha256 }));
}

async function send(url: string, body: Blob, signal: AbortSignal): Promise<number> {
  let answer: Response;
  try {
    answer = await fetch(url, { method: "PATCH", body, signal, credentials: "same-origin", headers: { "content-type": "application/octet-stream" } });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Problem("portal_unreachable", String(cause));
  }
  if (!answer.ok) throw await readProblem(answer);
  return ((await answer.json()) as Uploaded).received;
}

/** Whether the same can go well a moment later. */
function passes(problem: unknown): boolean {
  if (!(problem instanceof Problem)) return false;
  return ["portal_unreachable", "upload_offset", "conflict", "storage_failed", "draining"].includes(problem.code);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), fail(signal.reason as Error)), { once: true });
  });
}

/** Takes one back; whatever becomes of that, it is not attached. */
export function discard(id: string) {
  void api.delete(`/api/files/${id}`).catch(() => undefined);
}
