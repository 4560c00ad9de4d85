//! Embeddings, responses, files, sound and pictures, judged by OpenAI's own client for Node.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI, { toFile } from "openai";

const { PORTICO_SDK_URL: url, PORTICO_SDK_KEY: key } = process.env;
const MODEL = "echo/echo";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });
const tool = (name, argument) => ({ type: "function", name, strict: true, parameters: { type: "object", properties: { [argument]: { type: "string" } }, required: [argument], additionalProperties: false } });

test("embeddings, as numbers and as base64, are the same", async () => {
  const encoded = await client.embeddings.create({ model: "echo/echo-embedding", input: ["one", "two"] });
  const numbers = await client.embeddings.create({ model: "echo/echo-embedding", input: ["one", "two"], encoding_format: "float" });
  assert.deepEqual(encoded.data.map((one) => [...one.embedding]), numbers.data.map((one) => one.embedding));
  assert.equal(numbers.data[1].embedding.length, 8);
});

test("a response", async () => {
  const answer = await client.responses.create({ model: MODEL, input: "Say this", instructions: "Be brief" });
  assert.deepEqual([answer.object, answer.status, answer.output_text, answer.usage.output_tokens], ["response", "completed", "Say this", 2]);
});

test("a response streamed", async () => {
  const kinds = [];
  const stream = client.responses.stream({ model: MODEL, input: "one two three" });
  for await (const event of stream) kinds.push(event.type);
  const last = await stream.finalResponse();
  assert.deepEqual([kinds[0], kinds.at(-1), last.output_text], ["response.created", "response.completed", "one two three"]);
  assert.equal(kinds.filter((kind) => kind === "response.output_text.delta").length, 3);
});

test("parallel tools of a response", async () => {
  const tools = [tool("weather", "city"), tool("clock", "zone")];
  const asked = [{ role: "user", content: "Both" }];
  const answer = await client.responses.create({ model: MODEL, input: asked, tools });
  const calls = answer.output.filter((one) => one.type === "function_call");
  assert.deepEqual(calls.map((call) => [call.name, JSON.parse(call.arguments)]), [["weather", { city: "Paris" }], ["clock", { zone: "Paris" }]]);
  const results = calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: `${call.name}: fine` }));
  const next = await client.responses.create({ model: MODEL, input: [...asked, ...calls, ...results], tools });
  assert.equal(next.output_text, "The tools said: weather: fine; clock: fine");
});

test("the reasoning of a response", async () => {
  const thought = [];
  const stream = client.responses.stream({ model: MODEL, input: "think=Hm Say this" });
  for await (const event of stream) if (event.type === "response.reasoning_text.delta") thought.push(event.delta);
  const last = await stream.finalResponse();
  assert.deepEqual([thought.join(""), last.output[0].content[0].text, last.output_text], ["Hm", "Hm", "Say this"]);
});

test("the tools of a response streamed", async () => {
  const stream = client.responses.stream({ model: MODEL, input: "Both", tools: [tool("weather", "city"), tool("clock", "zone")] });
  const done = [];
  for await (const event of stream) if (event.type === "response.function_call_arguments.done") done.push(JSON.parse(event.arguments));
  const calls = (await stream.finalResponse()).output;
  assert.deepEqual([done, calls.map((call) => call.name)], [[{ city: "Paris" }, { zone: "Paris" }], ["weather", "clock"]]);
});

test("a response by a schema", async () => {
  const schema = { type: "object", properties: { name: { type: "string" }, people: { type: "integer" } }, required: ["name", "people"], additionalProperties: false };
  const answer = await client.responses.create({ model: MODEL, input: "Tell me", text: { format: { type: "json_schema", name: "city", strict: true, schema } } });
  assert.deepEqual(JSON.parse(answer.output_text), { name: "Paris", people: 42 });
});

test("a response is kept, gone on with, and deleted", async () => {
  const first = await client.responses.create({ model: MODEL, input: "Remember", store: true });
  assert.equal((await client.responses.retrieve(first.id)).output_text, "Remember");
  const second = await client.responses.create({ model: MODEL, input: "More", previous_response_id: first.id });
  assert.ok(second.usage.input_tokens > first.usage.input_tokens);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
});

test("files", async () => {
  const made = await client.files.create({ file: await toFile(Buffer.from("你好\n"), "会议记录.txt"), purpose: "user_data" });
  assert.deepEqual([made.object, made.bytes, made.filename], ["file", 7, "会议记录.txt"]);
  const names = [];
  for await (const file of client.files.list()) names.push(file.id);
  assert.ok(names.includes(made.id));
  assert.equal(await (await client.files.content(made.id)).text(), "你好\n");
  assert.equal((await client.files.delete(made.id)).deleted, true);
  await assert.rejects(client.files.retrieve(made.id), OpenAI.NotFoundError);
});

test("speech and transcription", async () => {
  const sound = await client.audio.speech.create({ model: "echo/echo-voice", voice: "alloy", input: "Say this" });
  assert.equal(Buffer.from(await sound.arrayBuffer()).toString(), "ID3Say this");
  const said = await client.audio.transcriptions.create({ model: "echo/echo-ear", file: await toFile(Buffer.alloc(2000, 7), "talk.wav") });
  assert.equal(said.text, "2000 bytes of sound");
});

test("pictures", async () => {
  const answer = await client.images.generate({ model: "echo/echo-picture", prompt: "A house", n: 2 });
  assert.deepEqual(answer.data.map((one) => one.b64_json.slice(0, 5)), ["iVBOR", "iVBOR"]);
});
