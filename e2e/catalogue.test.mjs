//! The catalogue is searched and narrowed; what stands behind a size and a price opens with the keyboard, and a link asks before it
//! leaves.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { becomeOwner, openPage, startBrowser, startHouse, violations } from "./house.mjs";

let house, browser, page;
before(async () => {
  house = await startHouse();
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
  await page.goto(`${house.url}/admin/catalogue`);
  await page.getByRole("heading", { name: "Catalogue" }).waitFor();
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

const status = () => page.getByRole("search").getByRole("status");

test("found by words, by kind, by memory", async () => {
  const all = Number.parseInt(await status().innerText(), 10);
  assert.ok(all >= 100, `${all} models`);
  await page.getByLabel("Name, maker or licence").fill("apache mistral");
  await page.getByRole("row", { name: /Mistral/ }).first().waitFor();
  assert.equal(await page.getByRole("row", { name: /Llama/ }).count(), 0);
  await page.getByLabel("Name, maker or licence").fill("");
  await page.getByRole("radio", { name: "Open weights" }).click();
  await page.getByLabel("Memory").selectOption({ label: "Fits into 8 GB" });
  const some = Number.parseInt(await status().innerText(), 10);
  assert.ok(some > 0 && some < all, `${some} of ${all}`);
  assert.deepEqual(await violations(page), []);
  await page.getByLabel("Name, maker or licence").fill("nothing of the kind");
  await page.getByText("No model is like that").waitFor();
  await page.getByRole("button", { name: "Show all" }).click();
  assert.equal(Number.parseInt(await status().innerText(), 10), all);
});

test("sizes and prices open with the keyboard, and close with Escape", async () => {
  await page.getByLabel("Name, maker or licence").fill("Llama 3 8B");
  const sizes = page.getByRole("button", { name: /^Size of its weights: Llama 3 8B/ });
  await sizes.focus();
  await page.keyboard.press("Enter");
  const open = page.getByRole("dialog");
  await open.getByText("Q4_K_M").waitFor();
  assert.match(await open.innerText(), /131 MB more for every 1,000 tokens/);
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Escape");
  await open.waitFor({ state: "detached" });
  assert.ok(await sizes.evaluate((button) => button === document.activeElement));
});

test("a licence's link asks before it leaves", async () => {
  await page.getByRole("link", { name: /Community License/ }).first().click();
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual(page.strangers, []);
  assert.deepEqual(page.complaints, []);
});
