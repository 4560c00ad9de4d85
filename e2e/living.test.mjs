//! Living with conversations: branches, edit, rename, pin, archive, delete with undo, search in Chinese, import, language, theme.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, lastMessage, log, openPage, reads, startBrowser, startHouse } from "./house.mjs";
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

const rail = () => page.getByRole("navigation", { name: "Conversations" });
const options = (title) => rail().getByRole("button", { name: `Options for “${title}”` });
async function choose(title, entry) {
  await rail().getByRole("link", { name: title }).hover();
  await options(title).click();
  await page.getByRole("menuitem", { name: entry, exact: true }).click();
}

test("answering again makes a branch, and both stay", async () => {
  await ask(page, "first words");
  await reads(page, "first words");
  await lastMessage(page).getByRole("button", { name: "Answer again", exact: true }).first().click();
  await page.getByRole("menuitem").first().click({ timeout: 3000 }).catch(() => {});
  await page.getByText("2/2").waitFor();
  await page.getByRole("button", { name: "Previous version" }).last().click();
  await page.getByText("1/2").waitFor();
});

test("an edited question is a branch of its own", async () => {
  await log(page).getByText("first words").first().hover();
  await page.getByRole("button", { name: "Edit", exact: true }).first().click();
  const editor = log(page).getByRole("textbox").first();
  await editor.fill("other words");
  await editor.press("Enter");
  await reads(page, "other words");
  await page.getByRole("button", { name: "Previous version" }).first().click();
  await reads(page, "first words");
});

test("renamed, pinned, archived, deleted and back", async () => {
  const title = await rail().getByRole("link").first().innerText();
  await choose(title, "Rename");
  await page.getByRole("textbox", { name: "Rename" }).fill("合同风险审查");
  await page.getByRole("textbox", { name: "Rename" }).press("Enter");
  await rail().getByRole("link", { name: "合同风险审查" }).waitFor();
  await choose("合同风险审查", "Pin");
  await rail().getByRole("heading", { name: "Pinned" }).waitFor();
  await choose("合同风险审查", "Delete");
  await rail().getByRole("link", { name: "合同风险审查" }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await rail().getByRole("link", { name: "合同风险审查" }).waitFor();
  await choose("合同风险审查", "Archive");
  await page.goto(`${house.url}/archived`);
  await page.getByRole("button", { name: "Move out of the archive" }).click();
  await rail().getByRole("link", { name: "合同风险审查" }).waitFor();
});

test("search finds Chinese, in titles and in what was said", async () => {
  await page.goto(house.url);
  await ask(page, "甲方应当在三十日内支付违约金");
  await reads(page, "违约金");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("违约");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("违约").first().waitFor();
  await page.keyboard.press("Escape");
});

test("an exported conversation can be imported", async () => {
  const { items } = await (await page.request.get(`${house.url}/api/conversations`)).json();
  const newest = items.find((item) => !item.pinned);
  const exported = await (await page.request.get(`${house.url}/api/conversations/${newest.id}/export?format=json`)).body();
  await page.locator("input[type=file]").first().setInputFiles({ name: "conversation.json", mimeType: "application/json", buffer: exported });
  await page.getByText(/imported/).first().waitFor();
  await reads(page, "违约金");
});

test("language and theme follow the settings, also after a reload", async () => {
  await page.goto(`${house.url}/settings`);
  await page.getByLabel("Language").selectOption("zh-CN");
  await page.getByRole("heading", { name: "设置" }).waitFor();
  await page.getByRole("radio", { name: "深色" }).click();
  await page.waitForFunction(() => document.documentElement.classList.contains("dark"));
  await page.reload();
  await page.getByRole("heading", { name: "设置" }).waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.classList.contains("dark")));
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  await page.getByLabel("语言").selectOption("en");
  await page.getByRole("radio", { name: "Light" }).click();
});

test("a key is made in the settings, and works at the OpenAI door", async () => {
  await page.goto(`${house.url}/settings/keys`);
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("What is it for?").fill("my editor");
  await page.getByRole("dialog").getByRole("button", { name: "New key" }).click();
  const key = await page.getByRole("textbox", { name: "API key" }).inputValue();
  const answer = await fetch(`${house.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "echo/echo", messages: [{ role: "user", content: "by key" }] }),
  });
  assert.equal((await answer.json()).choices[0].message.content, "by key");
  await page.getByRole("button", { name: "I have kept it" }).click();
  assert.ok(!(await page.content()).includes(key));
});

test("nothing left the house, and nothing complained", async () => {
  await page.goto(house.url);
  await composer(page).waitFor();
  assert.deepEqual(page.strangers, []);
  assert.deepEqual(page.complaints, []);
});
