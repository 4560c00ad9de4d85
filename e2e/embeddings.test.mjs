//! A real embedder and a reranker on this machine, from the door with a key to the worker and back: the vectors and the order of the reference
//! that scripts/minilm computed; the matrix and the chat know what they are for.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { becomeOwner, openPage, skipWithout, startBrowser, startHouse } from "./house.mjs";

const MINILM = process.env.PORTICO_MINILM ?? new URL("../.work/minilm", import.meta.url).pathname;
const skip = skipWithout(join(MINILM, "reference.json"));
const reference = existsSync(join(MINILM, "reference.json")) ? JSON.parse(readFileSync(join(MINILM, "reference.json"), "utf8")) : null;

let house, browser, page, key;
before(async () => {
  if (skip) return;
  house = await startHouse({ gguf: join(MINILM, "minilm.gguf"), settings: `[[model]]\npath = "${join(MINILM, "reranker.gguf")}"\n` });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
  key = (await (await page.request.post(`${house.url}/api/keys`, { data: { name: "index" }, headers: { origin: house.url } })).json()).key;
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

async function post(path, body) {
  const answer = await fetch(`${house.url}${path}`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

test("the door gives the vectors of the reference, in numbers and in base64", { skip, timeout: 60_000 }, async () => {
  // An empty text alone is refused before it comes to a model; among others it is a text.
  const texts = reference.texts.map((one) => one.text);
  const { status, body } = await post("/v1/embeddings", { model: "local/minilm", input: texts });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.usage.prompt_tokens, reference.texts.reduce((sum, one) => sum + one.tokens.length, 0));
  for (const [index, { text, vector }] of reference.texts.entries()) {
    const cosine = body.data[index].embedding.reduce((sum, number, at) => sum + number * vector[at], 0);
    assert.ok(1 - cosine < 1e-3, `${JSON.stringify(text)}: ${cosine}`);
  }
  const packed = await post("/v1/embeddings", { model: "local/minilm", input: texts.slice(2, 3), encoding_format: "base64" });
  const bytes = Buffer.from(packed.body.data[0].embedding, "base64");
  const numbers = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
  assert.ok(numbers.every((number, at) => Math.abs(number - body.data[2].embedding[at]) < 1e-4));
});

test("documents come back in the order of the reference", { skip, timeout: 60_000 }, async () => {
  const { query, documents } = reference.ranks;
  const { status, body } = await post("/v1/rerank", { model: "local/reranker", query, documents: documents.map((one) => one.document), top_n: 3 });
  assert.equal(status, 200, JSON.stringify(body));
  const expected = documents.map((one, index) => ({ index, score: one.score })).sort((a, b) => b.score - a.score).slice(0, 3);
  assert.deepEqual(body.results.map((one) => one.index), expected.map((one) => one.index));
});

test("each refuses what it is not for, in words", { skip, timeout: 60_000 }, async () => {
  const chat = await post("/v1/chat/completions", { model: "local/minilm", messages: [{ role: "user", content: "Hi" }] });
  assert.equal(chat.status, 400);
  assert.match(chat.body.error.message, /makes vectors .* and writes no text/);
  const rerank = await post("/v1/rerank", { model: "local/minilm", query: "a", documents: ["b"] });
  assert.equal(rerank.status, 400);
  assert.match(rerank.body.error.message, /a rerank needs a model that reads both together/);
  const long = await post("/v1/embeddings", { model: "local/minilm", input: ["short", "word ".repeat(600)] });
  assert.equal(long.status, 400);
  assert.match(long.body.error.message, /input\[1\] has 602 tokens and this model reads at most 512/);
});

test("the matrix says so, and the chat does not offer them", { skip, timeout: 90_000 }, async () => {
  const list = await (await page.request.get(`${house.url}/api/models`)).json();
  assert.deepEqual(list.models.map((one) => [one.id, one.answers]).sort(), [["local/minilm", false], ["local/reranker", false]]);
  await page.goto(`${house.url}/admin/capabilities`);
  const tests = page.getByRole("button", { name: /^Test: / });
  await tests.first().click();
  await page.getByRole("button", { name: /Embeddings: (Yes|No)/ }).first().waitFor({ timeout: 60_000 });
});
