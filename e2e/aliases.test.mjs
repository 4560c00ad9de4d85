//! An alias in the browser: made, asked in the chat, led elsewhere after saved conversations were replayed on the new model with
//! the answers side by side, rolled back from the toast and from the history.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, openPage, reads, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

let first, second, house, browser, page;
before(async () => {
  first = await startModel();
  second = await startModel("127.0.0.1", { before: "Indeed: " });
  house = await startHouse({ model: first.url, settings: `[[provider]]\nslug = "second"\nname = "Second"\nbase_url = "${second.url}"\n` });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await first?.stop();
  await second?.stop();
});

const leadsTo = (model) => page.getByText(model, { exact: true }).first().waitFor();
const choose = async (act) => {
  await page.getByRole("button", { name: "Options for main" }).click();
  await page.getByRole("menuitem", { name: act }).click();
};

test("made, and chosen in the chat before all other models", async () => {
  await page.goto(`${house.url}/admin/aliases`);
  await page.getByText("No aliases yet").waitFor();
  await page.getByRole("button", { name: "New alias" }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("main");
  await page.getByLabel("Model 1").selectOption("echo/echo");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("heading", { name: "main" }).waitFor();
  await leadsTo("echo/echo");
  await page.goto(house.url);
  await composer(page).waitFor();
  await page.getByRole("button", { name: /Choose a model/ }).click();
  const menu = page.getByRole("menu");
  const choices = menu.getByRole("menuitemcheckbox").or(menu.getByRole("menuitemradio"));
  await choices.first().waitFor();
  assert.match(await choices.first().innerText(), /^main/);
  await choices.first().click();
  await ask(page, "one two three");
  await reads(page, "one two three");
  assert.equal(second.requests, 0);
});

test("saved questions are asked of the new model, the answers stand side by side", async () => {
  await page.goto(`${house.url}/admin/aliases`);
  await page.getByRole("link", { name: "Switch" }).click();
  await page.getByLabel("New model").selectOption("second/echo");
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  const now = page.getByRole("region", { name: "Now", exact: true });
  await now.getByText("one two three").waitFor();
  assert.equal(await now.locator("ins").first().innerText(), "Indeed: ");
  const before = page.getByRole("region", { name: "Before", exact: true });
  assert.match(await before.innerText(), /one two three/);
  await page.getByText("Similarity").waitFor();
  const summary = await page.getByRole("region", { name: "Summary" }).innerText();
  assert.match(summary, /Failed\s+0/);
  assert.ok(second.requests >= 1);
  assert.deepEqual(await violations(page), []);
  // The comparison has an address of its own.
  await page.reload();
  await now.getByText("one two three").waitFor();
});

test("switched, it is the other model that answers; the toast leads back", async () => {
  await page.getByRole("button", { name: "Switch now" }).click();
  await page.getByText("main now leads to second/echo").waitFor();
  await leadsTo("second/echo");
  const asked = async () => {
    const reply = await page.request.post(`${house.url}/api/turns`, { data: { text: "which one", model: "main", ask_id: crypto.randomUUID() }, headers: { origin: house.url } });
    return (await reply.json()).conversation.id;
  };
  const id = await asked();
  for (let tries = 0; ; tries += 1) {
    const { messages } = await (await page.request.get(`${house.url}/api/conversations/${id}`)).json();
    const answer = messages.find((message) => message.author === "assistant");
    if (answer?.finish) {
      assert.equal(answer.text, "Indeed: which one");
      break;
    }
    assert.ok(tries < 200, "no answer");
    await page.waitForTimeout(50);
  }
  await page.getByRole("button", { name: "Roll back", exact: true }).click();
  await leadsTo("echo/echo");
});

test("the history leads back to any version, and that can be undone", async () => {
  await choose("History");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("listitem").nth(2).waitFor();
  assert.equal(await dialog.getByRole("listitem").count(), 3);
  await dialog.getByText("after a replay of").waitFor();
  await dialog.getByRole("button", { name: "Roll back to version 2" }).click();
  await page.getByText("main rolled back").waitFor();
  await leadsTo("second/echo");
  await page.getByRole("button", { name: "Undo" }).click();
  await leadsTo("echo/echo");
  await choose("Roll back the last change");
  await leadsTo("second/echo");
});

test("removed by one click, and brought back by one", async () => {
  await choose("Remove");
  await page.getByText("No aliases yet").waitFor();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await page.getByRole("heading", { name: "main" }).waitFor();
  assert.deepEqual(page.strangers, []);
});
