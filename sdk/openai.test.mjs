//! The same promises, judged by OpenAI's own client for Node. The house and its key come from the environment (scripts/sdk).
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const { PORTICO_SDK_URL: url, PORTICO_SDK_KEY: key, PORTICO_SDK_UPSTREAM: upstream } = process.env;
const MODEL = "echo/echo";
const open = (more = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000, ...more });
const client = open();
const ask = (content) => [{ role: "user", content }];
const seen = async () => (await fetch(`${upstream}/__seen`)).json();
const tool = (name, properties) => ({ type: "function", function: { name, parameters: { type: "object", properties, required: Object.keys(properties) } } });
const WEATHER = tool("weather", { city: { type: "string" } });
const CLOCK = tool("clock", { zone: { type: "string" } });

test("a plain answer", async () => {
  const answer = await client.chat.completions.create({ model: MODEL, messages: ask("Say this") });
  assert.deepEqual(answer.choices.map((one) => [one.index, one.message.role, one.message.content, one.finish_reason]), [[0, "assistant", "Say this", "stop"]]);
  assert.deepEqual([answer.object, answer.usage.total_tokens], ["chat.completion", 9]);
});

test("headers name the turn", async () => {
  const { response } = await client.chat.completions.create({ model: MODEL, messages: ask("Say this") }).withResponse();
  assert.match(response.headers.get("x-portico-turn"), /^[0-9a-f-]{36}$/);
});

test("a stream, with usage because it was asked for", async () => {
  let [text, usage, finish] = ["", null, null];
  const stream = await client.chat.completions.create({ model: MODEL, messages: ask("one two 三"), stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual([text, finish, usage.completion_tokens], ["one two 三", "stop", 3]);
});

test("the stream helper gathers parallel tool calls", async () => {
  const stream = client.chat.completions.stream({ model: MODEL, messages: ask("Both"), tools: [WEATHER, CLOCK] });
  const answer = await stream.finalChatCompletion();
  const calls = answer.choices[0].message.tool_calls.map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)]);
  assert.deepEqual(calls, [["call_0", "weather", { city: "Paris" }], ["call_1", "clock", { zone: "Paris" }]]);
});

test("tools are run by the helper and answered", async () => {
  const run = (name) => ({ ...WEATHER, function: { ...WEATHER.function, name, parse: JSON.parse, function: async ({ city }) => `${name} in ${city}` } });
  const runner = client.chat.completions.runTools({ model: MODEL, messages: ask("What is it like?"), tools: [run("weather"), run("traffic")] });
  assert.equal(await runner.finalContent(), "The tools said: weather in Paris; traffic in Paris");
});

test("structured output by a JSON schema", async () => {
  const schema = { type: "object", properties: { name: { type: "string" }, people: { type: "integer" } }, required: ["name", "people"], additionalProperties: false };
  const answer = await client.chat.completions.parse({
    model: MODEL,
    messages: ask("Tell me"),
    response_format: { type: "json_schema", json_schema: { name: "city", strict: true, schema }, $parseRaw: JSON.parse, $brand: "auto-parseable-response-format" },
  });
  assert.deepEqual(answer.choices[0].message.parsed ?? JSON.parse(answer.choices[0].message.content), { name: "Paris", people: 42 });
});

test("models, one by one and all", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(MODEL));
  assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
});

test("refusals are the classes that are caught", async () => {
  await assert.rejects(open({ apiKey: "pk-wrong" }).models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model: "echo/absent-from-the-house", messages: ask("Hello") }), (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  await assert.rejects(client.chat.completions.create({ model: MODEL, messages: "no list" }), OpenAI.BadRequestError);
  await assert.rejects(client.chat.completions.create({ model: MODEL, messages: ask("status=500 Hello") }), OpenAI.InternalServerError);
});

test("a short limit is waited out by the house, one without an end is tried again by the client", async () => {
  const began = performance.now();
  const answer = await client.chat.completions.create({ model: MODEL, messages: ask("status=429 times=1 after=1 key=node-limit Hello") });
  assert.equal(answer.choices[0].message.content, "Hello");
  assert.ok(performance.now() - began >= 1000);
  const again = await open({ maxRetries: 2 }).chat.completions.create({ model: MODEL, messages: ask("status=429 times=1 key=node-endless Hello") });
  assert.equal(again.choices[0].message.content, "Hello");
});

test("a limit says when, to who does not wait", async () => {
  await assert.rejects(client.chat.completions.create({ model: MODEL, messages: ask("status=429 after=30 Hello") }), (error) => error instanceof OpenAI.RateLimitError && error.headers.get("retry-after") === "30");
});

test("a cut stream is an error", async () => {
  let text = "";
  await assert.rejects(async () => {
    const stream = await client.chat.completions.create({ model: MODEL, messages: ask("cut=2 one two three"), stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  }, OpenAI.APIError);
  assert.equal(text, "one two ");
});

test("the client's own timeout, and a reader who leaves", async () => {
  await assert.rejects(open({ timeout: 300 }).chat.completions.create({ model: MODEL, messages: ask("pace=500 one two") }), OpenAI.APIConnectionTimeoutError);
  const before = (await seen()).left;
  const stream = await client.chat.completions.create({ model: MODEL, messages: ask(`pace=30 ${"word ".repeat(100)}`), stream: true });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 3) break;
  const until = performance.now() + 2000;
  while ((await seen()).left === before && performance.now() < until) await new Promise((done) => setTimeout(done, 20));
  assert.equal((await seen()).left, before + 1);
});
