//! A model server that does as it is told: it answers the last message's own words, one word per chunk, at a pace the
//! message names. `pace=50 Say this` sends a word every 50 ms. A line `call NAME {…}` has that tool called with these arguments, where tools
//! are on offer; what it is answered is then said. It is no test of the wire; that is done in Rust.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Starts it on a free port of `host`; `requests` counts the answers begun, `stop()` ends it. `before`: words before every answer. */
export async function startModel(host = "127.0.0.1", { before = "" } = {}) {
  const told = { requests: 0, left: 0, before };
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/models")) return json(response, { object: "list", data: [{ id: "echo", object: "model" }] });
    if (request.method !== "POST") return json(response, { status: "ok" });
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => void answer(JSON.parse(Buffer.concat(parts).toString()), response, told));
  });
  server.keepAliveTimeout = 5_000;
  await new Promise((done) => server.listen(0, host, done));
  const { port } = server.address();
  return Object.assign(told, {
    url: `http://${host}:${port}/v1`,
    stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  });
}

function json(response, value) {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** The calls that a question names, in pieces as a real server sends them; none once they have been answered. */
function callsIn(body, question) {
  if (!body.tools || body.messages.at(-1)?.role === "tool") return [];
  return [...question.matchAll(/^call (\S+) (\{.*\})$/gm)].flatMap(([, name, text], index) => [
    { index, id: `call-${index}`, type: "function", function: { name, arguments: text.slice(0, 1) } },
    { index, function: { arguments: text.slice(1) } },
  ]);
}

/** Text as it is; of parts their texts, and of a picture its kind and how long its base64 is. */
function textOf(content) {
  if (!Array.isArray(content)) return String(content);
  const picture = (url) => `[${url.slice(5, url.indexOf(";"))}, ${url.length - url.indexOf(",") - 1} letters] `;
  return content.map((part) => (part.type === "image_url" ? picture(part.image_url.url) : part.text)).join("");
}

async function answer(body, response, told) {
  told.requests += 1;
  const last = textOf(body.messages?.at(-1)?.content ?? "");
  const [, pace, asked] = /^(?:pace=(\d+) )?([^]*)$/.exec(last);
  const calls = callsIn(body, asked);
  const text = calls.length > 0 ? "" : told.before + (body.messages?.at(-1)?.role === "tool" ? `It said: ${asked}` : asked);
  const words = text.split(/(?<=\s)/);
  const usage = { prompt_tokens: 7, completion_tokens: words.length, total_tokens: 7 + words.length };
  const common = { id: "chatcmpl-echo", created: 1_700_000_000, model: "echo" };
  if (!body.stream) {
    const message = { role: "assistant", content: text };
    return json(response, { ...common, object: "chat.completion", choices: [{ index: 0, message, finish_reason: "stop" }], usage });
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  let here = true;
  response.on("close", () => {
    here = false;
    if (!response.writableEnded) told.left += 1;
  });
  const send = (choices, more = {}) => response.write(`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices, ...more })}\n\n`);
  for (const call of calls) send([{ index: 0, delta: { tool_calls: [call] }, finish_reason: null }]);
  for (const content of calls.length > 0 ? [] : words) {
    if (!here) return;
    send([{ index: 0, delta: { content }, finish_reason: null }]);
    await sleep(Number(pace ?? 0));
  }
  send([{ index: 0, delta: {}, finish_reason: calls.length > 0 ? "tool_calls" : "stop" }]);
  if (body.stream_options?.include_usage) send([], { usage });
  response.end("data: [DONE]\n\n");
}
