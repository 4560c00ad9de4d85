//! A call that somebody has to agree to: the rule is chosen with the plugin, one person's answer waits, another agrees from the list while the
//! first looks on; refused with a reason, nothing is called. In Chinese, dark and on a phone, too.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { KEY, startErp } from "./erp.mjs";
import { PASSWORD, ask, becomeOwner, composer, lastMessage, openPage, reads, speak, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, erp, house, browser, owner, member;
before(async () => {
  model = await startModel();
  erp = await startErp();
  house = await startHouse({ model: model.url });
  browser = await startBrowser();
  owner = await openPage(browser, house);
  await becomeOwner(owner, house);
  const post = (path, data) => owner.request.post(house.url + path, { data, headers: { origin: house.url } });
  const manifest = await (await fetch(`${erp.url}/openapi.json`)).json();
  assert.equal((await post("/api/plugins", { manifest, secrets: { key: KEY } })).status(), 200);
  const { link } = await (await post("/api/invitations", { role: "member", days: 1 })).json();
  member = await openPage(browser, house);
  await member.goto(link);
  await member.getByLabel("Your name").fill("Grace Hopper");
  await member.getByLabel("Sign-in name").fill("grace");
  await member.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await member.getByRole("button", { name: "Join" }).click();
  await composer(member).waitFor();
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await erp?.stop();
  await model?.stop();
});

const ORDER = 'call erp-demo__createOrder {"body":{"customer":"Nordwind GmbH","amount":20000}}';
const created = () => erp.seen.filter(({ line }) => line === "POST /orders");
const wide = (on) => on.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

test("a rule is chosen with the plugin's settings", { timeout: 60_000 }, async () => {
  await owner.goto(`${house.url}/admin/plugins/erp-demo`);
  await owner.getByRole("tab", { name: "Settings" }).click();
  await owner.getByText("No call waits for anybody.").waitFor();
  await owner.getByRole("button", { name: "Add a rule" }).click();
  await owner.getByLabel("Which call").selectOption("erp-demo__createOrder");
  await owner.getByLabel("When").selectOption({ label: "An argument is more than" });
  await owner.getByLabel("Argument", { exact: true }).fill("body.amount");
  await owner.getByLabel("Value", { exact: true }).fill("much");
  const save = owner.getByRole("group", { name: "Rule 1" }).locator("xpath=ancestor::form").getByRole("button", { name: "Save" });
  await save.click();
  await owner.getByText("approvals.0.when.value").waitFor();
  await owner.getByLabel("Value", { exact: true }).fill("10000");
  await save.click();
  await save.waitFor({ state: "detached" });
  assert.deepEqual(await violations(owner), []);
});

test("an answer waits, somebody else agrees from the list, and it goes on before the eyes of who asked", { timeout: 90_000 }, async () => {
  await ask(member, `Order pumps, please.\n${ORDER}`);
  await lastMessage(member).getByText("Waits for an administrator.").waitFor();
  await lastMessage(member).getByText("Nordwind GmbH").waitFor();
  assert.equal(await lastMessage(member).getByRole("button", { name: "Approve" }).count(), 0, "who asks may not agree");
  assert.deepEqual(await violations(member), []);
  assert.equal(created().length, 0, "nothing was ordered");
  await member.reload();
  await lastMessage(member).getByText("Waits for an administrator.").waitFor();

  await owner.goto(house.url);
  await owner.getByRole("link", { name: /Approvals/ }).click();
  await owner.getByRole("heading", { level: 1, name: "Approvals" }).waitFor();
  const call = owner.getByRole("region", { name: /ERP demo · createOrder/ });
  await call.getByText("Asked by Grace Hopper.").waitFor();
  await call.getByText("20000").waitFor();
  assert.deepEqual(await violations(owner), []);
  await call.getByRole("button", { name: "Approve" }).click();
  await reads(member, '"amount":20000');
  await lastMessage(member).getByText("Waits for an administrator.").waitFor({ state: "detached" });
  await owner.getByText(/Ada Lovelace agreed/).waitFor();
  assert.equal(created().length, 1, "it was ordered once");
  assert.deepEqual(JSON.parse(created()[0].body), { customer: "Nordwind GmbH", amount: 20000 });
  await member.reload();
  await reads(member, '"amount":20000');
  assert.equal(await member.getByRole("group", { name: /Version/ }).count(), 0, "the answer that waited is no version of its own");
});

test("refused with a reason nothing is called, and the model is told why", { timeout: 60_000 }, async () => {
  await ask(member, `Again.\n${ORDER}`);
  await lastMessage(member).getByText("Waits for an administrator.").waitFor();
  const call = owner.getByRole("region", { name: /createOrder/ }).filter({ has: owner.getByRole("button", { name: "Approve" }) });
  await call.getByRole("button", { name: "Refuse…" }).click();
  await owner.getByLabel(/Why not\?/).fill("we have enough pumps");
  assert.deepEqual(await violations(owner), []);
  await owner.getByRole("button", { name: "Refuse", exact: true }).click();
  await reads(member, "we have enough pumps");
  await owner.getByText("Reason: we have enough pumps").waitFor();
  assert.equal(created().length, 1);
});

test("below the limit nobody is asked", { timeout: 60_000 }, async () => {
  await ask(member, 'call erp-demo__createOrder {"body":{"customer":"Small","amount":10}}');
  await reads(member, '"customer":"Small"');
  assert.equal(created().length, 2);
});

test("in Chinese, dark and on a phone nothing is wider than the page", { timeout: 60_000 }, async () => {
  await speak(owner, house, "zh-CN");
  const phone = await openPage(browser, house, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "dark", storageState: await owner.context().storageState() });
  await phone.goto(`${house.url}/approvals`);
  await phone.getByRole("heading", { level: 1, name: "审批" }).waitFor();
  await phone.getByText("已决定").waitFor();
  assert.ok(!(await wide(phone)), "it is wider than the phone");
  assert.deepEqual(await violations(phone), []);
  await speak(owner, house, "en");
  assert.deepEqual([...owner.strangers, ...member.strangers, ...phone.strangers], []);
  assert.deepEqual([...owner.complaints, ...member.complaints, ...phone.complaints].filter((line) => !/status of (401|422)/.test(line)), []);
});
