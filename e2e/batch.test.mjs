//! Batches in the portal: an example taken and looked at, begun, watched, killed in the middle and gone on with; one that is stopped; files as rows;
//! the results saved. In Chinese, dark and on a phone, too.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { becomeOwner, openPage, signIn, speak, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, house, browser, page;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const link = (name) => page.getByRole("link", { name, exact: true });
const said = (text) => page.getByText(text, { exact: false }).first();
const rows = () => page.getByRole("region", { name: "Rows" }).locator("tbody tr");
const wide = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** Chooses a table that is made here. */
async function choose(name, text) {
  const choosing = page.waitForEvent("filechooser");
  await button("Upload a CSV or XLSX").click();
  await (await choosing).setFiles([{ name, mimeType: "text/csv", buffer: Buffer.from(text) }]);
  await said(name).waitFor();
}

/** Rows that take so long each. */
const slow = (count, ms) => `text\n${Array.from({ length: count }, (_, at) => `pace=${ms} row ${at + 1} says this\n`).join("")}`;

async function begin(name, text) {
  await page.goto(`${house.url}/batches/new`);
  await choose("rows.csv", text);
  await button("Insert the column text").click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await button("Start").click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

test("an example is taken, looked at, asked and saved", { timeout: 90_000 }, async () => {
  await page.goto(house.url);
  await link("Batches").click();
  await page.getByText("No batches yet").waitFor();
  assert.deepEqual(await violations(page), []);
  await link("New batch").click();
  await button("Use it: Ticket analysis").click();
  await said("tickets.csv").waitFor();
  await button("Insert the column ticket").waitFor();
  await button("Look at the first row").click();
  await page.locator("pre", { hasText: "Ticket T-1001 of 2026-11-02, by mail:" }).waitFor();
  await page.getByText(/^6 rows, about \d+ tokens to read/).waitFor();
  assert.deepEqual(await violations(page), []);
  await button("Start").click();
  await page.getByText("6 done, 0 failed, 0 waiting").waitFor({ timeout: 30_000 });
  assert.equal(await rows().count(), 6);
  await rows().filter({ hasText: "charged twice" }).getByText("Ticket T-1003 of 2026-11-03, by phone:").waitFor();
  assert.deepEqual(await violations(page), []);
  const saving = page.waitForEvent("download");
  await link("Save as CSV").click();
  const text = await readFile(await (await saving).path(), "utf8");
  assert.match(text, /^\ufeffticket,channel,created,text,answer,state,failure,prompt,completion,ms,tries\r\n/);
  assert.equal(text.split(/,done,,/).length, 7);
});

test("a portal that was killed goes on where it was", { timeout: 90_000 }, async () => {
  await begin("Slow", slow(12, 120));
  await page.getByText(/^[3-6] of 12 rows/).first().waitFor({ timeout: 30_000 });
  await house.kill();
  house = await startHouse({ model: model.url, data: house.folder });
  page = await openPage(browser, house);
  await signIn(page, house, "ada");
  await page.goto(`${house.url}/batches`);
  await link("Slow").click();
  await page.getByText("12 done, 0 failed, 0 waiting").waitFor({ timeout: 30_000 });
});

test("it is stopped, goes on, and is deleted", { timeout: 90_000 }, async () => {
  await begin("Stopped", slow(10, 120));
  await page.getByText(/^[1-5] of 10 rows/).first().waitFor({ timeout: 30_000 });
  await button("Stop").click();
  await page.getByText("Stopped", { exact: true }).last().waitFor();
  await button("Go on").click();
  await page.getByText("10 done, 0 failed, 0 waiting").waitFor({ timeout: 30_000 });
  await button("Delete this batch").click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete this batch" }).click();
  await page.getByRole("heading", { level: 1, name: "Batches" }).waitFor();
  assert.equal(await link("Stopped").count(), 0);
});

test("files are rows; in Chinese, dark and on a phone, too", { timeout: 90_000 }, async () => {
  await page.goto(`${house.url}/batches/new`);
  await button("Use it: Report summaries").click();
  await said("example-tools-q3.md, sample-foods-q3.md").waitFor();
  await button("Start").click();
  await page.getByText("2 done, 0 failed, 0 waiting").waitFor({ timeout: 30_000 });
  await rows().first().getByText(/Revenue was 412\.5 million/).waitFor();
  await speak(page, house, "zh-CN");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.reload();
  await page.getByText("完成 2，失败 0，等待 0").waitFor();
  assert.equal(await wide(), false);
  assert.deepEqual(await violations(page), []);
});
