//! Plugins in the portal: one of the house and one from an OpenAPI description, looked at, granted and installed; called by hand; asked for
//! by a model while one watches and after a reload; taken back and denied; removed. In Chinese, dark and on a phone, too.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { KEY, startErp, tickets } from "./erp.mjs";
import { ask, becomeOwner, lastMessage, openPage, reads, speak, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, erp, house, browser, page;
before(async () => {
  model = await startModel();
  erp = await startErp();
  house = await startHouse({ model: model.url });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await erp?.stop();
  await model?.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const dialog = () => page.getByRole("dialog");
const tab = (name) => page.getByRole("tab", { name });
const steps = (on = page) => on.getByRole("list", { name: "Steps before this answer" }).last();
const wide = (on) => on.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

test("a plugin of the house is installed from the catalogue", { timeout: 60_000 }, async () => {
  await page.goto(`${house.url}/admin/plugins`);
  await page.getByText("No plugin is installed yet").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: /^Install .*Calculator/ }).click();
  await dialog().getByText("It asks for no permission").waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog().getByRole("button", { name: "Install", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: /Calculator/ }).waitFor();
  assert.deepEqual(await violations(page), []);
  await tab("Try it").click();
  await page.getByLabel("expression").fill("0.1 + 0.2");
  await button("Call").click();
  await page.getByRole("region", { name: "What it answered" }).getByText("0.3").waitFor();
});

test("what is wrong with a manifest is said field by field", { timeout: 60_000 }, async () => {
  await page.goto(`${house.url}/admin/plugins`);
  await button("Install a plugin").click();
  const text = dialog().getByLabel("Manifest, as JSON");
  await text.fill("{ nearly");
  await button("Look at it").click();
  await dialog().getByText(/This is no JSON/).waitFor();
  await text.fill(JSON.stringify({ id: "x", permissions: ["read:everything"], api: { baseUrl: "nowhere" } }));
  await button("Look at it").click();
  await dialog().getByText("2 things are wrong with it:").waitFor();
  for (const field of ["permissions.0", "api.baseUrl"]) await dialog().getByText(field, { exact: true }).waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog().getByRole("button", { name: "Close" }).click();
});

test("an OpenAPI description is fetched, looked at, granted and installed", { timeout: 60_000 }, async () => {
  await button("Install a plugin").click();
  await dialog().getByRole("radio", { name: "Address" }).click();
  await dialog().getByLabel("Address of the manifest").fill(`${erp.url}/nothing.json`);
  await button("Look at it").click();
  await dialog().getByText("status 401").waitFor();
  await dialog().getByLabel("Address of the manifest").fill(`${erp.url}/openapi.json`);
  await button("Look at it").click();
  await dialog().getByText("ERP demo").waitFor();
  await dialog().getByRole("switch", { name: "Contact 127.0.0.1" }).waitFor();
  assert.deepEqual(await violations(page), []);
  const install = dialog().getByRole("button", { name: "Install", exact: true });
  assert.ok(await install.isDisabled(), "its key is missing");
  await dialog().getByLabel("Key", { exact: true }).fill(KEY);
  await dialog().getByRole("checkbox", { name: /createOrder/ }).uncheck();
  await dialog().getByText("2 tools", { exact: true }).waitFor();
  await install.click();
  await page.getByRole("heading", { level: 1, name: "ERP demo" }).waitFor();
  await button("Look whether it answers").click();
  await page.getByText(/It answers/).waitFor();
  await page.getByText("erp-demo__listOrders").click();
  await page.getByRole("region", { name: "What erp-demo__listOrders takes" }).getByText("open | paid").waitFor();
  assert.deepEqual(await violations(page), []);
});

test("a tool is called by hand, and its answer is a table", { timeout: 60_000 }, async () => {
  await tab("Try it").click();
  await page.getByLabel("What to try").selectOption("erp-demo__listOrders");
  await page.getByLabel("state").selectOption("open");
  await button("Call").click();
  await page.getByText(/^Done in/).waitFor();
  const table = page.getByRole("table");
  await table.getByRole("button", { name: "id" }).click();
  const first = table.getByRole("row").nth(1).getByRole("cell").first();
  assert.equal(await first.innerText(), "9");
  await table.getByRole("button", { name: "id" }).click();
  assert.equal(await first.innerText(), "11");
  assert.equal(await table.getByRole("columnheader", { name: "id" }).getAttribute("aria-sort"), "descending");
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(erp.seen.at(-1), { line: "GET /orders?state=open", key: KEY, body: "" });
});

test("a model calls it: the step is there while it runs, when it is done, and after a reload", { timeout: 90_000 }, async () => {
  await page.request.post(`${house.url}/api/plugins`, { data: { manifest: tickets(erp.url) }, headers: { origin: house.url } });
  await page.goto(house.url);
  const release = erp.hold();
  await ask(page, 'About TICKET-7:\ncall erp-demo__hold {}\ncall erp-demo__listOrders {"state":"open"}');
  // The order in which it happened: the plugin that the question set off, then what the model asked for.
  await steps().getByRole("button", { name: /Done.*Ticket desk · asked with the question/ }).waitFor();
  await steps().getByRole("button", { name: /· hold.*Running/ }).waitFor();
  assert.deepEqual(await violations(page), []);
  // A reader that comes in the middle sees the same.
  await page.reload();
  await steps().getByRole("button", { name: /· hold.*Running/ }).waitFor();
  release();
  await reads(page, "It said:");
  const seen = async () => (await steps().getByRole("button").allInnerTexts()).map((text) => text.split(/\s+/).slice(0, 4).join(" "));
  await page.getByRole("button", { name: "Details" }).last().waitFor();
  await steps().getByRole("button", { name: /Done.*ERP demo · listOrders \(open\)/ }).waitFor();
  const live = await seen();
  assert.equal(live.length, 3);
  await page.reload();
  const list = steps().getByRole("button", { name: /ERP demo · listOrders/ });
  await list.waitFor();
  assert.deepEqual(await seen(), live);

  // By keyboard alone.
  assert.equal(await list.getAttribute("aria-expanded"), "false");
  await list.focus();
  await page.keyboard.press("Enter");
  assert.equal(await list.getAttribute("aria-expanded"), "true");
  const table = steps().getByRole("table");
  await table.getByText("Nordwind GmbH").waitFor();
  await steps().getByRole("region", { name: "What it was asked" }).getByText('"state": "open"').waitFor();
  assert.deepEqual(await violations(page), []);

  await page.getByRole("button", { name: "Details" }).last().click();
  await page.getByRole("heading", { name: "What plugins did" }).waitFor();
  await page.getByText("erp-demo · listOrders", { exact: true }).waitFor();
  assert.deepEqual(await violations(page), []);
});

test("the log has each call, and no secret", { timeout: 60_000 }, async () => {
  const conversation = page.url();
  await page.goto(`${house.url}/admin/plugins/erp-demo`);
  await tab("Calls").click();
  await page.getByText(/Ada Lovelace · in a conversation/).first().waitFor();
  await page.getByText(/Ada Lovelace · in the console/).first().waitFor();
  await page.locator("summary").filter({ hasText: "listOrders" }).first().click();
  await page.getByRole("table").getByText("Nordwind GmbH").waitFor();
  assert.deepEqual(await violations(page), []);
  await tab("Settings").click();
  assert.equal(await page.getByLabel("Key", { exact: true }).inputValue(), "");
  assert.ok(!(await page.content()).includes(KEY));
  assert.deepEqual(await violations(page), []);
  await page.goto(conversation);
});

test("a permission that is taken back is gone with the next call", { timeout: 60_000 }, async () => {
  const conversation = page.url();
  const before = erp.seen.length;
  await page.goto(`${house.url}/admin/plugins/erp-demo`);
  await tab("Permissions").click();
  await page.getByRole("switch", { name: "Contact 127.0.0.1" }).click();
  await page.getByText("Taken back.").waitFor();
  await tab("Permissions (1 missing)").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.goto(conversation);
  await ask(page, "call erp-demo__listOrders {}");
  await reads(page, "not_permitted");
  const denied = lastMessage(page).getByRole("button", { name: /ERP demo · listOrders.*Not allowed/ });
  await denied.click();
  await lastMessage(page).getByText("An administrator can grant it.").waitFor();
  assert.deepEqual(await violations(page), []);
  assert.equal(erp.seen.length, before, "nothing left the portal");
});

test("in Chinese, dark and on a phone nothing is wider than the page", { timeout: 90_000 }, async () => {
  await speak(page, house, "zh-CN");
  const phone = await openPage(browser, house, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "dark", storageState: await page.context().storageState() });
  for (const [path, name] of [["/admin/plugins", "插件"], ["/admin/plugins/erp-demo", "ERP demo"]]) {
    await phone.goto(house.url + path);
    await phone.getByRole("heading", { level: 1, name }).waitFor();
    assert.ok(!(await wide(phone)), `${path} is wider than the phone`);
    assert.deepEqual(await violations(phone), [], path);
  }
  for (const name of ["工具", "权限（缺 1 项）", "设置", "试用", "调用记录"]) {
    await phone.getByRole("tab", { name, exact: true }).click();
    await phone.waitForLoadState("networkidle");
    assert.ok(!(await wide(phone)), `${name} is wider than the phone`);
    assert.deepEqual(await violations(phone), [], name);
  }
  await phone.goto(page.url());
  await phone.getByRole("list", { name: "回答之前的步骤" }).first().waitFor();
  assert.ok(!(await wide(phone)), "the conversation is wider than the phone");
  assert.deepEqual(await violations(phone), []);
  await speak(page, house, "en");
  assert.deepEqual([...page.strangers, ...phone.strangers], []);
  assert.deepEqual([...page.complaints, ...phone.complaints].filter((line) => !/status of (401|422)/.test(line)), []);
});

test("it is removed after one is asked, and its steps stay in the answers", { timeout: 60_000 }, async () => {
  const conversation = page.url();
  await speak(page, house, "en");
  await page.goto(`${house.url}/admin/plugins/erp-demo`);
  await button("Remove").click();
  await dialog().getByText("1 secret is deleted").waitFor();
  await dialog().getByRole("button", { name: "Remove" }).click();
  await page.getByText("ERP demo is removed.").waitFor();
  await page.getByRole("listitem", { name: "ERP demo" }).waitFor({ state: "detached" });
  await page.goto(conversation);
  await page.getByRole("list", { name: "Steps before this answer" }).first().getByRole("button", { name: /erp-demo · listOrders/ }).first().waitFor();
});
