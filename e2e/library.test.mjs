//! Model files in the portal, with the real engine: one comes by its path, is run, answers, is sent away and removed; another by
//! upload; what is no model is refused in a sentence and leaves nothing behind.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { STORIES, ask, becomeOwner, composer, openPage, reads, skipWithout, startBrowser, startHouse, violations } from "./house.mjs";

const skip = skipWithout(STORIES);

let house, browser, page;
before(async () => {
  if (skip) return;
  house = await startHouse();
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });

test("a model file is taken in by its path, run, asked, stopped and removed; its file stays where it was", { skip, timeout: 90_000 }, async () => {
  await page.goto(`${house.url}/admin/library`);
  await page.getByText("No model files yet").waitFor();
  await page.getByLabel("Path on the portal's machine").fill(STORIES);
  await button("Take in").click();
  await button("Run: stories260K").click();
  await button("Stop: stories260K").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.goto(house.url);
  await composer(page).waitFor();
  await ask(page, "Once upon a time");
  await reads(page, /(\w+[ ,.]+){8}/, 30_000);
  await page.goto(`${house.url}/admin/library`);
  await button("Stop: stories260K").click();
  await button("Run: stories260K").waitFor();
  await button("Remove stories260K").click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByText("No model files yet").waitFor();
  assert.ok(existsSync(STORIES));
});

test("a file is uploaded; one that is no model is refused in a sentence, and nothing of it stays", { skip, timeout: 60_000 }, async () => {
  await page.goto(`${house.url}/admin/library`);
  await page.getByLabel("Upload a file").setInputFiles({ name: "mine.gguf", mimeType: "application/octet-stream", buffer: await readFile(STORIES) });
  await button("Run: mine").waitFor();
  await page.getByLabel("Upload a file").setInputFiles({ name: "letter.gguf", mimeType: "application/octet-stream", buffer: Buffer.from("Dear Sir or Madam") });
  await page.getByText("The file is no GGUF model that may be loaded.").waitFor();
  assert.deepEqual((await readdir(join(house.folder, "models"))).filter((name) => name.includes("letter")), []);
  assert.deepEqual(page.strangers, []);
});
