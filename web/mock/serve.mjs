//! A portal that is not one: the wire contract in memory, for development and browser tests of the web alone. Never shipped.
//! `node mock/serve.mjs [port] [--dist]`: with --dist it also serves the built web. Words in a question steer the answer: see mock/answers.mjs.
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";
import { accountRoutes } from "./account.mjs";
import { adminRoutes } from "./admin.mjs";
import { answerFor, seed } from "./answers.mjs";

const port = Number(process.argv[2] ?? 8421);
const dist = process.argv.includes("--dist") ? new URL("../dist", import.meta.url).pathname : null;

let counter = 0;
/** Ids sort by time, as UUIDv7 does. */
export const newId = (at = Date.now()) => `${at.toString(16).padStart(12, "0").replace(/(.{8})(.{4})/, "$1-$2")}-7000-8000-${(++counter).toString(16).padStart(12, "0")}`;

const conversations = new Map();
const messages = new Map();
const turns = new Map();
const sockets = new Set();
export const state = {
  setupNeeded: process.env.MOCK_SETUP === "1",
  signedIn: process.env.MOCK_SIGNED_OUT !== "1",
  me: { id: newId(), name: "lin", display_name: process.env.MOCK_NAME ?? "林晓", role: process.env.MOCK_ROLE ?? "owner", language: null, settings: {} },
  models: process.env.MOCK_NO_MODEL
    ? []
    : [
        { id: "main", name: "Main", provider: "alias", provider_name: "", local: false, context: 8192, chat_template: true, answers: true, enabled: true, state: { state: "ready" }, alias: true, targets: ["vllm/llama3-70b", "vllm/glm-4-9b"], modalities: ["text"] },
        { id: "fast", name: "Fast", provider: "alias", provider_name: "", local: false, context: 32768, chat_template: true, answers: true, enabled: true, state: { state: "ready" }, alias: true, targets: ["local/qwen3-8b"], modalities: ["text"] },
        { id: "local/qwen3-8b", name: "Qwen3 8B", provider: "local", provider_name: "本机 · This machine", local: true, context: 32768, chat_template: true, answers: true, enabled: true, state: { state: process.env.MOCK_COLD ? "cold" : "ready" }, alias: false, targets: [], modalities: ["text"] },
        { id: "vllm/llama3-70b", name: "Llama 3 70B", provider: "vllm", provider_name: "vLLM", local: false, context: 8192, chat_template: true, answers: true, enabled: true, state: { state: "ready" }, alias: false, targets: [], modalities: ["text"] },
        { id: "vllm/glm-4-9b", name: "GLM-4 9B", provider: "vllm", provider_name: "vLLM", local: false, context: 131072, chat_template: true, answers: true, enabled: true, state: { state: "ready" }, alias: false, targets: [], modalities: ["text"] },
        { id: "local/stories260k", name: "stories260K", provider: "local", provider_name: "本机 · This machine", local: true, context: 512, chat_template: false, answers: true, enabled: true, state: { state: "cold" }, alias: false, targets: [], modalities: ["text"] },
        { id: "ollama/mistral", name: "Mistral 7B", provider: "ollama", provider_name: "Ollama", local: false, context: 32768, chat_template: true, answers: true, enabled: true, state: { state: "failed", code: "unreachable", message: "http://127.0.0.1:11434 refuses connections" }, alias: false, targets: [], modalities: ["text"] },
      ],
};

class Refusal extends Error {
  constructor(status, code, message, extra = {}) {
    super(message);
    this.status = status;
    this.body = { code, message, status, ...extra };
  }
}
export const refuse = (status, code, message = code, extra = {}) => {
  throw new Refusal(status, code, message, extra);
};

const live = (event) => {
  for (const socket of sockets) socket.send(JSON.stringify(event));
};
const touch = (id, change = "updated") => live({ type: "conversation", id, change });
const visible = (conversation) => conversation && !conversation.deleted;
const shown = ({ deleted: _deleted, ...conversation }) => ({ ...conversation, running: [...turns.values()].filter((turn) => turn.conversation === conversation.id && !turn.done).map((turn) => turn.id) });
const open = (id) => {
  const found = conversations.get(id);
  return visible(found) ? found : refuse(404, "not_found");
};
const message = (id) => messages.get(id) ?? refuse(404, "not_found");
const wire = ({ conversation: _conversation, deleted: _deleted, ...rest }) => rest;
const treeOf = (id) => [...messages.values()].filter((one) => one.conversation === id && !one.deleted).sort((a, b) => (a.id < b.id ? -1 : 1));

export function newConversation(part = {}) {
  const at = part.created_at ?? Date.now();
  const made = { id: newId(at), title: "", titled_by: "none", model: null, system_prompt: null, sampling: {}, pinned: false, archived: false, created_at: at, updated_at: at, head: null, ...part };
  conversations.set(made.id, made);
  return made;
}
export function newMessage(conversation, part) {
  const made = { id: newId(part.at), conversation: conversation.id, parent: null, author: "user", text: "", thought: null, at: Date.now(), model: null, turn: null, finish: null, failure: null, usage: null, ttft_ms: null, tpot_ms: null, trimmed: null, provenance: null, rating: null, files: [], ...part };
  messages.set(made.id, made);
  conversation.head = made.id;
  return made;
}

function ask(body) {
  if (state.models.length === 0) refuse(409, "no_model", "no model is configured");
  const known = [...turns.values()].find((turn) => turn.askId === body.ask_id);
  if (known) return { turn: known.id, conversation: shown(conversations.get(known.conversation)), question: wire(messages.get(known.question)), answer: wire(messages.get(known.answer)) };
  if (body.text?.includes("/full")) refuse(507, "storage_full", "the disk is full");
  if (body.text?.includes("/limit")) refuse(429, "over_daily_limit", "used up", { params: { limit: 100000, used: 100321, resets_at: Date.now() + 3_600_000 } });
  const model = body.model ?? state.models[0].id;
  if (!state.models.some((one) => one.id === model)) refuse(404, "model_not_found");
  const asked = body.regenerate ? message(body.regenerate) : null;
  const conversation = asked ? open(asked.conversation) : body.conversation ? open(body.conversation) : newConversation({ model, system_prompt: body.system_prompt ?? null, sampling: body.sampling ?? {} });
  const parent = body.parent ? message(body.parent) : null;
  if (parent?.turn && parent.finish === null) refuse(409, "turn_running", "an answer is being written", { params: { turn: parent.turn } });
  const question = asked ?? newMessage(conversation, { parent: body.parent ?? null, text: body.text });
  const turn = { id: newId(), askId: body.ask_id, conversation: conversation.id, question: question.id, events: [], readers: new Set(), done: false, stopped: false };
  const answer = newMessage(conversation, { parent: question.id, author: "assistant", model, turn: turn.id });
  turn.answer = answer.id;
  turns.set(turn.id, turn);
  conversation.updated_at = Date.now();
  if (conversation.titled_by === "none") Object.assign(conversation, { title: question.text.slice(0, 24), titled_by: "auto" });
  live({ type: "turn", turn: turn.id, conversation: conversation.id, change: "started" });
  touch(conversation.id);
  void run(turn, answer, question, state.models.find((one) => one.id === model));
  return { turn: turn.id, conversation: shown(conversation), question: wire(question), answer: { ...wire(answer) } };
}

function provenanceOf(text, model) {
  const tried = text.includes("/fallback") ? [{ model: "ollama/mistral", code: "unreachable" }] : [];
  const dropped = text.includes("/unsaid") ? ["logit_bias", "frequency_penalty"] : [];
  return { provider: model.provider, model: model.targets[0] ?? model.id, tried, queued_ms: text.includes("/queue") ? 4500 : 0, dropped };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function run(turn, answer, question, model) {
  const emit = (event) => {
    turn.events.push({ id: turn.events.length + 1, event });
    for (const reader of turn.readers) reader();
  };
  const began = Date.now();
  emit({ type: "started", turn: turn.id, model: model.id });
  if (question.text.includes("/queue")) for (const position of [3, 2, 1]) await (emit({ type: "queued", position, eta_ms: position * 1500 }), sleep(1500));
  if (question.text.includes("/fallback")) {
    await sleep(400);
    emit({ type: "fell_back", from: "ollama/mistral", to: model.id, code: "unreachable" });
  }
  await warm(model, emit);
  const script = answerFor(question.text, model);
  if (script.trimmed) emit({ type: "trimmed", ...(answer.trimmed = script.trimmed) });
  await sleep(script.wait ?? 250);
  for (const piece of script.thought ?? []) {
    if (turn.stopped) break;
    answer.thought = (answer.thought ?? "") + piece;
    emit({ type: "thought", text: piece });
    await sleep(20);
  }
  let first = 0;
  for (const piece of script.pieces) {
    if (turn.stopped) break;
    first ||= Date.now();
    answer.text += piece;
    emit({ type: "delta", text: piece });
    await sleep(script.pace ?? 18);
  }
  const usage = { prompt: 42, completion: script.pieces.length, cached: 0, reasoning: script.thought?.length ?? 0, reported: true };
  emit({ type: "used", usage });
  const finish = turn.stopped ? "stopped" : script.failure ? "failed" : (script.finish ?? "stop");
  Object.assign(answer, { finish, failure: turn.stopped ? null : (script.failure ?? null), usage, ttft_ms: first ? first - began : null, tpot_ms: 18.4, provenance: provenanceOf(question.text, model) });
  turn.done = true;
  emit({ type: "finished", finish, failure: answer.failure, ttft_ms: answer.ttft_ms, tpot_ms: 18.4, message: wire(answer) });
  live({ type: "turn", turn: turn.id, conversation: turn.conversation, change: "finished" });
  touch(turn.conversation);
}

async function warm(model, emit) {
  if (model.state.state !== "cold") return;
  const move = async (next, ms) => {
    model.state = next;
    live({ type: "models", models: state.models });
    emit({ type: "warming", state: next });
    await sleep(ms);
  };
  for (let percent = 0; percent < 100; percent += 8) await move({ state: "loading", percent, eta_ms: (100 - percent) * 40 }, 320);
  await move({ state: "warming" }, 900);
  model.state = { state: "ready" };
  live({ type: "models", models: state.models });
}

function events(turn, after, request, response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform" });
  let last = after;
  const write = () => {
    const fresh = turn.events.filter((one) => one.id > last);
    for (const { id, event } of fresh) response.write(`id: ${id}\ndata: ${JSON.stringify(event)}\n\n`);
    last = fresh.at(-1)?.id ?? last;
    const question = messages.get(turn.question);
    if (question.text.includes("/drop") && !turn.dropped && last > 30) {
      turn.dropped = true;
      request.socket.destroy();
    }
    if (turn.done) response.end();
  };
  if (after === 0 && turn.events.length > 5) {
    const text = turn.events.filter(({ event }) => event.type === "delta").map(({ event }) => event.text).join("");
    const thought = turn.events.filter(({ event }) => event.type === "thought").map(({ event }) => event.text).join("");
    last = turn.events.at(-1).event.type === "finished" ? turn.events.length - 1 : turn.events.length;
    response.write(`id: ${last}\ndata: ${JSON.stringify({ type: "snapshot", text, thought, events_until: last })}\n\n`);
  }
  turn.readers.add(write);
  const ping = setInterval(() => response.write(": ping\n\n"), 10_000);
  response.on("close", () => {
    clearInterval(ping);
    turn.readers.delete(write);
  });
  write();
}

function snippet(text, query) {
  const at = text.toLowerCase().indexOf(query.toLowerCase());
  const from = Math.max(0, at - 24);
  return [
    { text: (from > 0 ? "…" : "") + text.slice(from, at), hit: false },
    { text: text.slice(at, at + query.length), hit: true },
    { text: text.slice(at + query.length, at + 90), hit: false },
  ];
}

function search(query) {
  const items = [];
  for (const conversation of conversations.values()) {
    if (!visible(conversation)) continue;
    const hit = { conversation: conversation.id, title: conversation.title, at: conversation.updated_at };
    if (conversation.title.toLowerCase().includes(query.toLowerCase())) items.push({ ...hit, message: null, author: null, snippet: snippet(conversation.title, query) });
    for (const one of treeOf(conversation.id)) if (one.text.toLowerCase().includes(query.toLowerCase())) items.push({ ...hit, message: one.id, author: one.author, at: one.at, snippet: snippet(one.text, query) });
  }
  return { items: items.slice(0, 30) };
}

function list(archived, before, limit) {
  const all = [...conversations.values()].filter((one) => visible(one) && one.archived === archived).sort((a, b) => b.updated_at - a.updated_at);
  const pinned = before ? [] : all.filter((one) => one.pinned);
  const rest = all.filter((one) => !one.pinned && (!before || one.updated_at < Number(before)));
  const page = rest.slice(0, limit);
  return { items: [...pinned, ...page].map(shown), next: rest.length > limit ? String(page.at(-1).updated_at) : null };
}

function below(id, act) {
  act(messages.get(id));
  for (const one of messages.values()) if (one.parent === id) below(one.id, act);
}

const routes = [
  ["GET", /^\/api\/bootstrap$/, () => ({ version: "0.1.0", setup_needed: state.setupNeeded, me: state.signedIn ? state.me : null, brand: { name: "Portico" }, model_count: state.models.length, max_body_bytes: 33554432, daily_token_limit: null, local_engine: true })],
  ["GET", /^\/api\/models$/, () => ({ models: state.models, default: state.models[0]?.id ?? null })],
  ["GET", /^\/api\/conversations$/, (_, query) => list(query.get("archived") === "true", query.get("before"), Number(query.get("limit") ?? 50))],
  ["POST", /^\/api\/conversations\/import$/, (_, __, body) => {
    if (!body?.conversation) refuse(422, "invalid_request", "not an export of Portico");
    const made = newConversation({ title: body.conversation.title, titled_by: "person" });
    touch(made.id, "created");
    return shown(made);
  }],
  ["GET", /^\/api\/conversations\/([^/]+)\/export$/, ([id], query) => ({ download: query.get("format") === "json" ? JSON.stringify({ conversation: open(id), messages: treeOf(id) }, null, 1) : treeOf(id).map((one) => one.text).join("\n\n"), type: query.get("format") === "json" ? "json" : "md" })],
  ["POST", /^\/api\/conversations\/([^/]+)\/restore$/, ([id]) => {
    const one = conversations.get(id);
    one.deleted = false;
    touch(id, "created");
    return shown(one);
  }],
  ["GET", /^\/api\/conversations\/([^/]+)$/, ([id]) => ({ conversation: shown(open(id)), messages: treeOf(id).map(wire) })],
  ["PATCH", /^\/api\/conversations\/([^/]+)$/, ([id], _, body) => {
    const one = Object.assign(open(id), body);
    if (body.title) one.titled_by = "person";
    touch(id);
    return shown(one);
  }],
  ["DELETE", /^\/api\/conversations\/([^/]+)$/, ([id]) => {
    open(id).deleted = true;
    touch(id, "deleted");
  }],
  ["DELETE", /^\/api\/messages\/([^/]+)$/, ([id]) => below(id, (one) => (one.deleted = true))],
  ["POST", /^\/api\/messages\/([^/]+)\/restore$/, ([id]) => below(id, (one) => (one.deleted = false))],
  ["GET", /^\/api\/search$/, (_, query) => search(query.get("q") ?? "")],
  ["POST", /^\/api\/turns$/, (_, __, body) => ({ status: 202, body: ask(body) })],
  ["POST", /^\/api\/turns\/([^/]+)\/stop$/, ([id]) => void ((turns.get(id) ?? refuse(404, "not_found")).stopped = true)],
  ...accountRoutes(state),
  ...adminRoutes(state, { newId, refuse, live }),
];

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json" };
const CSP = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

function file(path, response) {
  let name = join(dist, normalize(path));
  if (!name.startsWith(dist) || !statSync(name, { throwIfNoEntry: false })?.isFile()) name = join(dist, "index.html");
  response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-security-policy": CSP });
  response.end(readFileSync(name));
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  if (!url.pathname.startsWith("/api/")) return dist ? file(url.pathname, response) : response.writeHead(404).end();
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const json = (status, body) => response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" }).end(JSON.stringify(body));
  try {
    if (!state.signedIn && !/^\/api\/(bootstrap|session|setup|join|reset)/.test(url.pathname)) refuse(401, "unauthenticated");
    const stream = /^\/api\/turns\/([^/]+)\/events$/.exec(url.pathname);
    if (stream) return events(turns.get(stream[1]) ?? refuse(404, "not_found"), Number(url.searchParams.get("after") ?? 0), request, response);
    for (const [method, pattern, act] of routes) {
      const match = pattern.exec(url.pathname);
      if (!match || method !== request.method) continue;
      const answer = await act(match.slice(1), url.searchParams, text === "" ? undefined : JSON.parse(text));
      if (answer === undefined) return response.writeHead(204).end();
      if (answer.download !== undefined) return response.writeHead(200, { "content-disposition": `attachment; filename="conversation.${answer.type}"` }).end(answer.download);
      if (answer.status && answer.body) return json(answer.status, answer.body);
      return json(200, answer);
    }
    refuse(404, "not_found");
  } catch (error) {
    if (error instanceof Refusal) return json(error.status, error.body);
    console.error(error);
    json(500, { code: "internal", message: String(error), status: 500 });
  }
});

const ws = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, socket, head) => {
  ws.handleUpgrade(request, socket, head, (client) => {
    if (!state.signedIn) return client.close(4401);
    sockets.add(client);
    client.send(JSON.stringify({ type: "models", models: state.models }));
    const ping = setInterval(() => client.send(JSON.stringify({ type: "ping" })), 10_000);
    client.on("close", () => {
      clearInterval(ping);
      sockets.delete(client);
    });
  });
});

seed(newConversation, newMessage, state);
server.listen(port, "0.0.0.0", () => console.log(`mock portal on http://127.0.0.1:${port}`));
