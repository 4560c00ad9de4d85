//! A model file on this machine: the worker starts, warms up, and its greedy text is in the browser byte for byte.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SHARED, STORIES, ask, becomeOwner, openPage, reads, skipWithout, startBrowser, startHouse } from "./house.mjs";

const skip = skipWithout(STORIES);
const FIRST = "Once upon a time, there was a little girl named Lily.";

let house, browser, page;
before(async () => {
  if (skip) return;
  house = await startHouse({ gguf: STORIES });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

test("the story goes on as it must, and the page says that the model is no talker", { skip, timeout: 90_000 }, async () => {
  const expected = await readFile(join(SHARED, "models/stories260K.expected.txt"), "utf8");
  const rest = expected.slice(FIRST.length).trim();
  await page.getByText("it was not made for conversation").first().waitFor();
  const conversation = await page.request.post(`${house.url}/api/conversations`, {
    data: { sampling: { temperature: 0, max_tokens: 185 } },
    headers: { origin: house.url },
  });
  const { id } = await conversation.json();
  await page.goto(`${house.url}/c/${id}`);
  await ask(page, FIRST);
  const flat = (text) => text.replace(/\s+/g, " ").trim();
  await reads(page, new RegExp(flat(rest).slice(-40).replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ /g, "\\s+")), 60_000);
  const told = await (await page.request.get(`${house.url}/api/conversations/${id}`)).json();
  const answer = told.messages.find((message) => message.author === "assistant");
  assert.equal(answer.text.trim(), rest);
});
