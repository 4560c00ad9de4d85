//! LoRA adapters with the real engine: taken in, given to a model that runs, asked for under a name of its own, and taken away again, while the
//! worker goes on; the base answers what it always did. And a model that nobody asks leaves memory and comes back for a question.
import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { STORIES, ask, becomeOwner, composer, openPage, reads, skipWithout, startBrowser, startHouse, violations } from "./house.mjs";

const skip = skipWithout(STORIES);

let house, browser, page, key;
before(async () => {
  if (skip) return;
  house = await startHouse({ settings: `[[model]]\npath = "${STORIES}"\n[[model]]\npath = "${STORIES}"\nname = "sleeper"\nkeep_alive = "1s"\n` });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
  key = (await (await page.request.post(`${house.url}/api/keys`, { data: { name: "stories" }, headers: { origin: house.url } })).json()).key;
  await writeFile(join(house.folder, "poet.gguf"), adapter("llama"));
  await writeFile(join(house.folder, "stranger.gguf"), adapter("qwen2"));
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

/** A random adapter of rank 4 for the first layer's queries and output of stories260K, whose matrices are 64 by 64. */
function adapter(architecture) {
  const head = [];
  const number = (value, bytes) => {
    const buffer = Buffer.alloc(bytes);
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value));
    else buffer.writeUInt32LE(value);
    head.push(buffer);
  };
  const text = (value) => (number(Buffer.byteLength(value), 8), head.push(Buffer.from(value)));
  const metadata = { "general.type": "adapter", "adapter.type": "lora", "general.architecture": architecture };
  const tensors = ["attn_q", "attn_output"].flatMap((kind) => [[`blk.0.${kind}.weight.lora_a`, 64, 4], [`blk.0.${kind}.weight.lora_b`, 4, 64]]);
  head.push(Buffer.from("GGUF"));
  number(3, 4);
  number(tensors.length, 8);
  number(Object.keys(metadata).length, 8);
  for (const [name, value] of Object.entries(metadata)) (text(name), number(8, 4), text(value));
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647 - 0.5;
  const data = [];
  for (const [name, inner, outer] of tensors) {
    text(name);
    number(2, 4);
    number(inner, 8);
    number(outer, 8);
    number(0, 4);
    number(data.length * 1024, 8);
    data.push(Buffer.from(Float32Array.from({ length: 256 }, random).buffer));
  }
  const whole = Buffer.concat(head);
  return Buffer.concat([whole, Buffer.alloc((32 - (whole.length % 32)) % 32), ...data]);
}

/** The likeliest story of this model. */
async function story(model) {
  const answer = await fetch(`${house.url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, prompt: "Once upon a time", temperature: 0, max_tokens: 40 }),
  });
  const body = await answer.json();
  return answer.status === 200 ? body.choices[0].text : answer.status;
}

async function workers() {
  const tasks = await readdir(`/proc/${house.child.pid}/task`);
  const children = await Promise.all(tasks.map((task) => readFile(`/proc/${house.child.pid}/task/${task}/children`, "utf8").catch(() => "")));
  return children.join(" ").trim().split(/\s+/).filter(Boolean).sort();
}

const button = (name) => page.getByRole("button", { name, exact: true });

test("an adapter is taken in, given to a running model and taken away, and the base stays what it was", { skip, timeout: 90_000 }, async () => {
  const base = await story("local/stories260K");
  await page.goto(`${house.url}/admin/library`);
  const field = page.getByLabel("Path of a .gguf adapter on the portal's machine");
  await field.fill(join(house.folder, "poet.gguf"));
  await button("Take in the adapter").click();
  const poet = page.getByRole("listitem", { name: "poet" });
  await poet.getByText("rank 4 · changes 2 matrices").waitFor();
  const before = (await workers()).filter(Boolean);
  await poet.getByLabel("Model that poet is given to").selectOption("stories260K");
  await button("Give to the model: poet").click();
  await poet.getByText("local/stories260K:poet").waitFor();
  await poet.getByText("Running").waitFor();
  assert.deepEqual(await violations(page), []);

  const [changed, again] = await Promise.all([story("local/stories260K:poet"), story("local/stories260K")]);
  assert.equal(again, base);
  assert.notEqual(changed, base);
  assert.equal(await story("local/stories260K:poet"), changed);
  assert.ok((await workers()).some((pid) => before.includes(pid)), "no worker was started anew");

  await field.fill(join(house.folder, "stranger.gguf"));
  await button("Take in the adapter").click();
  await page.getByRole("listitem", { name: "stranger" }).waitFor();
  await page.getByLabel("Model that stranger is given to").selectOption("stories260K");
  await button("Give to the model: stranger").click();
  await page.getByText('the adapter stranger is for the architecture "qwen2", and this model is "llama"').waitFor();

  await button("Take poet from stories260K").click();
  await button("Remove poet").waitFor();
  assert.equal(await story("local/stories260K:poet"), 404);
  assert.equal(await story("local/stories260K"), base);
});

test("a model that nobody asks leaves memory, which the page says, and comes back for a question", { skip, timeout: 60_000 }, async () => {
  const state = async (wanted) => {
    const models = async () => (await (await page.request.get(`${house.url}/api/models`)).json()).models;
    const stands = async () => (await models()).find((model) => model.id === "local/sleeper").state.state === wanted;
    while (!(await stands())) await page.waitForTimeout(50);
  };
  await state("cold");
  assert.equal((await workers()).length, 1, "its process has ended");
  await page.goto(`${house.url}/admin/models`);
  await page.getByText("sleeper").first().waitFor();
  const { id } = await (await page.request.post(`${house.url}/api/conversations`, { data: { model: "local/sleeper" }, headers: { origin: house.url } })).json();
  await page.goto(`${house.url}/c/${id}`);
  await composer(page).waitFor();
  await ask(page, "Once upon a time");
  await reads(page, /(\w+[ ,.]+){8}/, 30_000);
  await state("cold");
  assert.deepEqual(page.strangers, []);
});
