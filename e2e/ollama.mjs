//! An Ollama that runs no model: its own interface as its published documentation describes it, what it says of its models out
//! of the fixtures that the adapter's tests and PyPI's `ollama` client read too. A question is answered with its own words.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const fixture = (name) => readFileSync(new URL(`../crates/models/tests/fixtures/ollama/${name}`, import.meta.url), "utf8");
const TAGS = JSON.parse(fixture("tags.json")).models;
const SHOW = JSON.parse(fixture("show.json"));
const PULL = fixture("pull.ndjson").trim().split("\n");

/** At `port` where that is free, else at any. `installed`: which of the fixture's models are on its disk. */
export async function startOllama({ port = 0, installed = TAGS.map((tag) => tag.name), pullMs = 150 } = {}) {
  const disk = new Map(TAGS.filter((tag) => installed.includes(tag.name)).map((tag) => [tag.name, tag]));
  const loaded = new Set();
  const find = (name = "") => disk.get(name) ?? disk.get(`${name}:latest`);
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const asked = text === "" ? {} : JSON.parse(text);
    const json = (value, status = 200) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const tag = find(asked.model);
    const missing = () => json({ error: `model '${asked.model}' not found` }, 404);
    switch (`${request.method} ${request.url}`) {
      case "GET /":
        return response.end("Ollama is running");
      case "GET /api/version":
        return json({ version: "0.12.6" });
      case "GET /api/tags":
        return json({ models: [...disk.values()] });
      case "GET /api/ps":
        return json({ models: [...loaded].map((name) => ({ ...disk.get(name), size_vram: disk.get(name).size, expires_at: "2026-11-25T03:05:00Z", context_length: 4096 })) });
      case "GET /v1/models":
        return json({ object: "list", data: [...disk.keys()].map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "library" })) });
      case "POST /api/show":
        return tag ? json(SHOW[tag.name] ?? SHOW["llama3:latest"]) : missing();
      case "DELETE /api/delete":
        if (!tag) return missing();
        disk.delete(tag.name);
        return response.end();
      case "POST /api/pull":
        return pull(asked.model, response);
      case "POST /api/generate":
      case "POST /api/chat":
        if (!tag) return missing();
        if (asked.keep_alive === 0 || asked.keep_alive === "0") loaded.delete(tag.name);
        else loaded.add(tag.name);
        return json({ model: tag.name, created_at: "2026-11-25T03:00:00Z", response: "", message: { role: "assistant", content: "" }, done: true, done_reason: "load" });
      case "POST /v1/chat/completions":
        if (!tag) return json({ error: { message: `model '${asked.model}' not found`, type: "not_found_error", param: null, code: null } }, 404);
        loaded.add(tag.name);
        return chat(asked, response);
      default:
        return response.writeHead(404).end("404 page not found");
    }
  });
  async function pull(name, response) {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    const full = name.includes(":") ? name : `${name}:latest`;
    for (const line of PULL) {
      if (response.destroyed) return;
      if (line.includes('"success"')) disk.set(full, { ...TAGS[0], name: full, model: full });
      response.write(`${line}\n`);
      await sleep(pullMs);
    }
    response.end();
  }
  const listen = (at) => new Promise((done, fail) => server.once("error", fail).listen(at, "127.0.0.1", done));
  await listen(port).catch(() => listen(0));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    loaded,
    disk,
    stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}

function chat(asked, response) {
  const content = `You said: ${asked.messages.at(-1).content}`;
  const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
  const common = { id: "chatcmpl-1", created: 1_700_000_000, model: asked.model };
  if (!asked.stream) return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...common, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }], usage }));
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (choices, more = {}) => response.write(`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices, ...more })}\n\n`);
  for (const word of content.split(/(?<=\s)/)) send([{ index: 0, delta: { content: word }, finish_reason: null }]);
  send([{ index: 0, delta: {}, finish_reason: "stop" }]);
  if (asked.stream_options?.include_usage) send([], { usage });
  response.end("data: [DONE]\n\n");
}
