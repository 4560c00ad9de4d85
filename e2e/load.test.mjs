//! The load page lives: a request that is under way and one that waits are seen, then the time to the first token, then a server
//! that is gone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, openPage, reads, speak, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, house, browser, page, chat;
before(async () => {
  model = await startModel();
  house = await startHouse({ settings: `[[provider]]\nslug = "echo"\nname = "Echo"\nbase_url = "${model.url}"\nmax_concurrent = 1\n[[provider.model]]\nname = "echo"\n` });
  browser = await startBrowser();
  chat = await openPage(browser, house);
  await becomeOwner(chat, house);
  page = await chat.context().newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${house.url}/admin/load`);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

const row = () => page.getByRole("row").filter({ hasText: "echo/echo" });

test("a request under way and one that waits are seen without a reload", async () => {
  await row().getByText("0 of 1").waitFor();
  await ask(chat, `pace=200 ${Array.from({ length: 30 }, (_, at) => `w${at}`).join(" ")}`);
  await reads(chat, "w1");
  await row().getByText("1 of 1").waitFor();
  const asked = chat.request.post(`${house.url}/api/turns`, { data: { text: "after you", model: "echo/echo", ask_id: crypto.randomUUID() }, headers: { origin: house.url } });
  assert.equal((await asked).status(), 202);
  await page.waitForFunction(() => document.querySelector("tbody tr td:nth-of-type(2)")?.textContent === "1");
  assert.deepEqual(await violations(page), []);
});

test("then it is idle again, and says how soon it answered", async () => {
  await reads(chat, "w29", 30_000);
  await row().getByText("0 of 1").waitFor();
  await row().getByText(/p50 [\d.]+ ms · p95 [\d.]+ ms · 2 answers/).waitFor();
});

test("a server that is gone is said to be, in Chinese and on a phone too", async () => {
  await model.stop();
  const asked = await chat.request.post(`${house.url}/api/turns`, { data: { text: "are you there", model: "echo/echo", ask_id: crypto.randomUUID() }, headers: { origin: house.url } });
  assert.equal(asked.status(), 202);
  await row().getByText("Failed").waitFor();
  const phone = await openPage(browser, house, { viewport: { width: 390, height: 844 }, locale: "zh-CN", colorScheme: "dark", storageState: await chat.context().storageState() });
  await speak(phone, house, "zh-CN");
  await phone.goto(`${house.url}/admin/load`);
  await phone.getByRole("heading", { name: "负载" }).waitFor();
  await phone.getByRole("row").filter({ hasText: "echo/echo" }).waitFor();
  assert.deepEqual(await violations(phone), []);
  assert.deepEqual(phone.strangers, []);
  await phone.context().close();
});
