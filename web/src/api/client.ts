//! One way to ask the portal for JSON. Knows problems (RFC 9457) and nothing about screens; the turn stream is in chat/.

/** A refusal or a failure, with the code that picks its sentence (see lib/problem.ts). */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly params: Record<string, unknown>;
  readonly retryAfter: number | null;

  constructor(code: string, message: string, status = 0, params: Record<string, unknown> = {}, retryAfter: number | null = null) {
    super(message);
    this.name = "Problem";
    this.code = code;
    this.status = status;
    this.params = params;
    this.retryAfter = retryAfter;
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Options = { body?: unknown; query?: Record<string, string | number | boolean | null | undefined>; signal?: AbortSignal | undefined };

let onSignedOut: () => void = () => {};
/** The session ended on the server (revoked, expired): the shell shows the sign-in page. */
export function whenSignedOut(act: () => void) {
  onSignedOut = act;
}

export async function request<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  const init: RequestInit = { method, credentials: "same-origin", headers: { accept: "application/json" } };
  if (options.signal) init.signal = options.signal;
  if (options.body !== undefined) {
    init.headers = { ...init.headers, "content-type": "application/json" };
    init.body = typeof options.body === "string" ? options.body : JSON.stringify(options.body);
  }
  const answer = await send(path + queryString(options.query), init);
  if (!answer.ok) throw await readProblem(answer);
  if (answer.status === 204) return undefined as T;
  return (await answer.json()) as T;
}

export const api = {
  get: <T>(path: string, query?: Options["query"], signal?: AbortSignal) => request<T>("GET", path, { ...(query ? { query } : {}), signal }),
  post: <T>(path: string, body?: unknown) => request<T>("POST", path, { body }),
  put: <T>(path: string, body?: unknown) => request<T>("PUT", path, { body }),
  patch: <T>(path: string, body?: unknown) => request<T>("PATCH", path, { body }),
  delete: <T = void>(path: string) => request<T>("DELETE", path),
};

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new Problem("portal_unreachable", "the portal does not answer");
  }
}

/** The problem in a refused answer; a proxy's HTML page becomes a code by its status. */
export async function readProblem(answer: Response): Promise<Problem> {
  let problem: Problem;
  try {
    const body = (await answer.json()) as { code?: string; message?: string; params?: Record<string, unknown>; retry_after?: number };
    problem = new Problem(body.code ?? codeOf(answer.status), body.message ?? answer.statusText, answer.status, body.params ?? {}, body.retry_after ?? null);
  } catch {
    problem = new Problem(codeOf(answer.status), answer.statusText, answer.status);
  }
  if (problem.code === "unauthenticated") onSignedOut();
  return problem;
}

function codeOf(status: number): string {
  if (status === 413) return "body_too_large";
  if (status === 404) return "not_found";
  if (status === 502 || status === 503 || status === 504) return "portal_unreachable";
  return "internal";
}

function queryString(query: Options["query"]): string {
  const pairs = Object.entries(query ?? {}).filter((pair): pair is [string, string | number | boolean] => pair[1] !== null && pair[1] !== undefined && pair[1] !== "");
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]))}`;
}
