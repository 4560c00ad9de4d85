//! "Add a model" in the browser: a portal without models says how to get one; a wrong address is told apart in words; a right
//! one is tested, added and answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, openPage, reads, startBrowser, startHouse } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, house, browser, page;
before(async () => {
  model = await startModel();
  house = await startHouse();
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

test("without a model the start page shows the way to one", async () => {
  await page.getByText("No model is set up yet").waitFor();
  const way = page.getByRole("link", { name: "Add a model" });
  // A link: the middle button opens another tab.
  const [tab] = await Promise.all([page.context().waitForEvent("page"), way.click({ button: "middle" })]);
  await tab.getByRole("heading", { name: "Models", level: 1 }).waitFor();
  await tab.close();
  await way.click();
  await page.getByRole("heading", { name: "Models", level: 1 }).waitFor();
  assert.equal(page.url(), `${house.url}/admin/models`);
});

test("an address where nothing answers: the reason in words", async () => {
  await page.getByRole("button", { name: "Add a model" }).click();
  await page.getByLabel("Address").fill("http://127.0.0.1:9");
  await page.getByLabel("Name").fill("Nobody");
  await page.getByRole("button", { name: "Test the connection" }).click();
  await page.getByText("cannot be reached").first().waitFor();
  await page.getByRole("button", { name: "Add anyway" }).waitFor();
});

test("an address that answers: tested, added, asked", async () => {
  await page.getByLabel("Address").fill(model.url.replace("/v1", ""));
  await page.getByLabel("Name").fill("Scripted");
  await page.getByRole("button", { name: "Test the connection" }).click();
  await page.getByText(/It answered in \d+ ms and lists 1 model/).waitFor();
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("scripted/echo").waitFor();
  await page.getByText("Ready").first().waitFor();
  await page.getByRole("link", { name: "Back to chats" }).click();
  await composer(page).waitFor();
  await ask(page, "are you there");
  await reads(page, "are you there");
});

test("switched off it is gone for everyone, removed it is gone for good", async () => {
  await page.goto(`${house.url}/admin/models`);
  await page.getByRole("switch", { name: "Use Scripted" }).click();
  await page.getByText("Switched off").waitFor();
  const { models } = await (await page.request.get(`${house.url}/api/models`)).json();
  assert.deepEqual(models, []);
  await page.getByRole("button", { name: "Options for Scripted" }).click();
  await page.getByRole("menuitem", { name: "Remove" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("No model yet").waitFor();
  assert.deepEqual(page.strangers, []);
});
