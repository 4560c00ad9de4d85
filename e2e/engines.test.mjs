//! Engines in the browser: a provider card as it is printed is explained, imported and answers; a server on this machine is found;
//! an Ollama's models are fetched, loaded and sent away; what a model can do stands in a table of marks.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SHARED, ask, becomeOwner, composer, openPage, reads, skipWithout, startBrowser, startHouse, violations } from "./house.mjs";
import { startOllama } from "./ollama.mjs";

const CARD = join(SHARED, "fixtures/provider-card.ts");
let ollama, house, browser, page;
before(async () => {
  ollama = await startOllama({ port: 11434, installed: ["llama3:latest"] });
  house = await startHouse();
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await ollama?.stop();
});

test("the card as printed: what contradicts itself is explained, then it is imported", { skip: skipWithout(CARD) }, async () => {
  // Elsewhere only where another program has the port of an Ollama.
  const card = readFileSync(CARD, "utf8").replace(":11434", `:${ollama.port}`);
  await page.goto(`${house.url}/admin/models`);
  await page.getByRole("button", { name: "Add a model" }).click();
  await page.getByRole("radio", { name: "Import a card" }).click();
  await page.getByRole("textbox", { name: "Card" }).fill("no card at all");
  await page.getByRole("button", { name: "Check the card" }).click();
  await page.getByRole("alert").filter({ hasText: "line 1" }).waitFor();
  await page.getByRole("textbox", { name: "Card" }).fill(card);
  await page.getByRole("button", { name: "Check the card" }).click();
  const plan = page.getByRole("region", { name: "What will be made" });
  await plan.getByText("Local LLM (via Ollama)").waitFor();
  await plan.getByText("local-model/llama3", { exact: true }).waitFor();
  await page.getByText("cannot both be meant").waitFor();
  assert.match(await page.getByRole("region", { name: "Worth knowing" }).innerText(), /mistral/);
  assert.match(await page.getByRole("region", { name: "What the server said" }).innerText(), /\/api\/tags/);
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: "Add Local LLM (via Ollama)" }).click();
  await page.getByRole("heading", { name: "Local LLM (via Ollama)" }).waitFor();
});

test("its model answers in the chat", { skip: skipWithout(CARD) }, async () => {
  await page.getByRole("link", { name: "Back to chats" }).click();
  await composer(page).waitFor();
  await ask(page, "hello from the card");
  await reads(page, "You said: hello from the card");
});

test("what answers on this machine is found, and known to be there already", { skip: skipWithout(CARD) }, async (t) => {
  if (ollama.port !== 11434) return t.skip("another program has the port 11434");
  await page.goto(`${house.url}/admin/models`);
  await page.getByRole("button", { name: "Add a model" }).click();
  await page.getByRole("radio", { name: "On this machine" }).click();
  const found = page.getByRole("listitem").filter({ hasText: "http://127.0.0.1:11434" });
  await found.getByText("added").waitFor();
  assert.match(await found.innerText(), /0\.12\.6/);
  await page.keyboard.press("Escape");
});

test("a model is fetched with its progress, loaded, sent away and removed", { skip: skipWithout(CARD) }, async () => {
  await page.goto(`${house.url}/admin/models`);
  await page.getByText("Models on its disk").click();
  await page.getByLabel("Model to fetch").fill("qwen3:8b");
  await page.getByRole("button", { name: "Fetch", exact: true }).click();
  await page.getByRole("progressbar", { name: "Fetching qwen3:8b" }).waitFor();
  await page.getByRole("button", { name: "Load: qwen3:8b", exact: true }).click();
  await page.getByRole("button", { name: "Unload: qwen3:8b" }).waitFor();
  assert.ok(ollama.loaded.has("qwen3:8b"));
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: "Unload: qwen3:8b" }).click();
  await page.getByRole("button", { name: "Load: qwen3:8b", exact: true }).waitFor();
  assert.ok(!ollama.loaded.has("qwen3:8b"));
  await page.getByRole("button", { name: "Remove qwen3:8b" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByText("qwen3:8b").first().waitFor({ state: "detached" });
  assert.ok(!ollama.disk.has("qwen3:8b"));
});

test("what a model can do is tested, marked, and stays", { skip: skipWithout(CARD) }, async () => {
  await page.goto(`${house.url}/admin/capabilities`);
  const row = page.getByRole("row").filter({ hasText: "local-model/llama3" });
  await row.getByText("Not tested yet").first().waitFor();
  await row.getByRole("button", { name: /^Test/ }).click();
  await row.getByRole("button", { name: "Llama3, Chat: Yes, seen to work" }).waitFor({ timeout: 60_000 });
  await row.getByRole("button", { name: /, Tools: No/ }).waitFor();
  await row.getByRole("button", { name: /, Stream: / }).click();
  await page.getByText("piece by piece").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.reload();
  await row.getByRole("button", { name: "Llama3, Chat: Yes, seen to work" }).waitFor();
  assert.deepEqual(page.strangers, []);
});
