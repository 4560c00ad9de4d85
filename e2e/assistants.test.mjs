//! Assistants in the portal: one of the library is taken and asked, edited, tried beside the version that answers, published, compared
//! and shared; deleted with undo; out as a file and in again; and a kept prompt comes after a slash.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { becomeOwner, composer, log, openPage, reads, speak, startBrowser, startHouse, violations } from "./house.mjs";
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
const dialog = () => page.getByRole("dialog");
const card = (name) => page.getByRole("listitem").filter({ hasText: name });
let started = "";

test("one of the library is asked at once, with an opening question", { timeout: 60_000 }, async () => {
  await page.getByRole("link", { name: "Assistants" }).click();
  await page.getByText("No assistants yet").waitFor();
  assert.deepEqual(await violations(page), []);
  await button("Open the library").click();
  await page.getByRole("heading", { name: "Insurance claims consultant" }).waitFor();
  assert.ok((await page.getByRole("button", { name: /^Use it: / }).count()) >= 10);
  await page.getByLabel("Find by name or task").fill("plain words");
  await page.getByRole("heading", { name: "Court clerk" }).waitFor({ state: "detached" });
  assert.deepEqual(await violations(page), []);
  await button("Use it: Insurance claims consultant").click();
  // Its card in the library has the same heading: only the address tells that the page is another.
  await page.waitForURL(/\/a\//);
  await page.getByRole("heading", { name: "Insurance claims consultant" }).waitFor();
  started = page.url();
  assert.deepEqual(await violations(page), []);
  await page.getByRole("list", { name: "Opening questions" }).getByRole("button").first().click();
  assert.match(await composer(page).inputValue(), /exclusion clause/);
  await button("Send").click();
  await reads(page, "exclusion clause");
  await page.getByRole("link", { name: "With Insurance claims consultant" }).waitFor();
  await page.locator("nav .avatar").waitFor();
  assert.deepEqual(await violations(page), []);
});

test("a draft is tried beside the version that answers, published and compared", { timeout: 90_000 }, async () => {
  await page.goto(started);
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByText("Version 1 answers").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.getByLabel("Instructions", { exact: true }).fill("Answer {{name}} briefly, for {{firm}}.");
  await page.getByText("Not saved yet").waitFor();
  assert.ok(await button("Publish").isDisabled(), "what is not saved is not published");
  await page.getByRole("link", { name: "All assistants" }).click();
  await dialog().getByText("Leave without saving?").waitFor();
  await dialog().getByRole("button", { name: "Cancel" }).click();
  await button("Save").click();
  await page.getByText("Nothing fills {{firm}}").waitFor();
  await button("Add a variable").click();
  await page.getByLabel("Name of variable 1").fill("firm");
  await page.getByLabel("Value of variable 1").fill("Ada & Sons");
  await button("Save").click();
  await page.getByText("Nothing fills {{firm}}").waitFor({ state: "detached" });

  await page.getByLabel("Question", { exact: true }).fill("Is this covered?");
  await button("Ask").click();
  for (const name of ["Version 1", "Draft"]) await page.getByRole("region", { name, exact: true }).getByText("Is this covered?").waitFor();
  await button("Compare the draft").click();
  await dialog().locator("ins").filter({ hasText: "briefly" }).waitFor();
  await dialog().getByText("firm = Ada & Sons").waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog().getByRole("button", { name: "Close" }).click();

  await button("Publish").click();
  await dialog().getByLabel("What changed").fill("shorter");
  await dialog().getByRole("button", { name: "Publish" }).click();
  await page.getByText("Version 2 answers").waitFor();
  await page.getByText("shorter").waitFor();
  await button("Bring back version 1").click();
  await page.getByText("Draft has changes").waitFor();
  assert.match(await page.getByLabel("Instructions", { exact: true }).inputValue(), /^You are a senior insurance claims consultant/);
  await page.getByRole("radio", { name: "Everyone" }).click();
  await page.getByText("Everybody asks the published version").waitFor();
});

test("out as a file, deleted with undo, and in again", { timeout: 60_000 }, async () => {
  const [download] = await Promise.all([page.waitForEvent("download"), button("Export").click()]);
  const text = (await (await download.createReadStream()).toArray()).join("");
  assert.equal(JSON.parse(text).format, "portico.assistant.1");
  assert.match(JSON.parse(text).assistant.prompt, /briefly/, "the version that answers");
  await page.getByRole("link", { name: "All assistants" }).click();
  await button("Options for “Insurance claims consultant”").click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByText("No assistants yet").waitFor();
  await button("Undo").click();
  await card("Insurance claims consultant").getByText("Everyone").waitFor();
  const choosing = page.waitForEvent("filechooser");
  await button("Import a file").click();
  await (await choosing).setFiles({ name: "a.json", mimeType: "application/json", buffer: Buffer.from(text.replace("Insurance claims consultant", "Taken in")) });
  await page.getByRole("heading", { name: "Taken in" }).waitFor();
  await page.getByText("Nothing is published yet.").waitFor();
});

test("a kept prompt comes after a slash, by keyboard alone", { timeout: 60_000 }, async () => {
  await page.goto(`${house.url}/assistants?tab=prompts`);
  for (const [name, text] of [["Plain", "Say it in plain words: "], ["Table", "Make a table of this: "]]) {
    await button("New prompt").click();
    await dialog().getByLabel("Name").fill(name);
    await dialog().getByLabel("Text").fill(text);
    await dialog().getByRole("button", { name: "Save" }).click();
    await page.getByText(`/${name}`).waitFor();
  }
  assert.deepEqual(await violations(page), []);
  await page.goto(house.url);
  await composer(page).fill("/");
  await page.getByRole("option", { name: /Table/ }).waitFor();
  assert.deepEqual(await violations(page), []);
  await composer(page).press("ArrowDown");
  await composer(page).press("Enter");
  assert.equal((await composer(page).inputValue()).trim(), "Make a table of this:");
  await composer(page).fill("/pl");
  await page.getByRole("option", { name: /Plain/ }).waitFor();
  await composer(page).press("Escape");
  await page.getByRole("listbox", { name: "Prompts" }).waitFor({ state: "detached" });
  await composer(page).press("Enter");
  await reads(page, "/pl");
  await log(page).waitFor();
});

test("in Chinese, dark and on a phone nothing is wider than the page", { timeout: 60_000 }, async () => {
  await speak(page, house, "zh-CN");
  const phone = await openPage(browser, house, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "dark", storageState: await page.context().storageState() });
  for (const path of ["/assistants", "/assistants?tab=library", new URL(started).pathname, new URL(started).pathname.replace("/a/", "/assistants/")]) {
    await phone.goto(house.url + path);
    await phone.getByRole("heading").first().waitFor();
    await phone.waitForLoadState("networkidle");
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    assert.ok(!wide, `${path} is wider than the phone`);
    assert.deepEqual(await violations(phone), [], path);
  }
  await phone.goto(`${house.url}/assistants?tab=library`);
  await phone.getByRole("heading", { name: "保险理赔顾问" }).waitFor();
  assert.deepEqual([...page.strangers, ...phone.strangers], []);
  assert.deepEqual([...page.complaints, ...phone.complaints], []);
});
