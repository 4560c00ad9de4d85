//! The first ten minutes: become the owner, ask, see the answer stream, reload in the middle of it, close the tab, come back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, lastMessage, openPage, reads, startBrowser, startHouse, watch } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, house, browser, page;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url });
  browser = await startBrowser();
  page = await openPage(browser, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

/** Each question has words of its own: the last message may still be the one before. */
const counting = (upTo, word = "word") => Array.from({ length: upTo }, (_, at) => `${word}${at + 1}`).join(" ");

test("the link from the terminal makes the owner, once", async () => {
  await becomeOwner(page, house);
  const link = await house.setupLink();
  const answer = await page.request.post(`${house.url}/api/setup`, {
    data: { token: link.split("token=")[1], name: "eve", password: "another pass phrase", display_name: "Eve", language: "en" },
    headers: { origin: house.url },
  });
  assert.equal(answer.status(), 410, await answer.text());
});

test("a question is answered, and the answer streams", async () => {
  await ask(page, `pace=60 ${counting(40)}`);
  const early = await reads(page, "word5");
  assert.ok(!early.includes("word40"), "the answer came in one piece");
  await reads(page, "word40");
  assert.match(page.url(), /\/c\/[\w-]+/);
});

test("a reload in mid-answer goes on where it was", async () => {
  await ask(page, `pace=60 ${counting(80, "piece")}`);
  await reads(page, "piece10");
  const before = model.requests;
  await page.reload();
  const resumed = await reads(page, "piece12");
  assert.ok(!resumed.includes("piece80"), "the answer was over before the reload");
  const whole = await reads(page, "piece80", 20_000);
  for (let at = 1; at <= 80; at += 1) assert.equal(whole.split(new RegExp(`\\bpiece${at}\\b`)).length - 1, 1, `piece${at} once`);
  assert.ok(model.requests - before <= 1, "the question was asked again");
});

test("a reload in the moment of asking leaves no answer that nobody writes", { timeout: 90_000 }, async () => {
  for (let times = 1; times <= 6; times += 1) {
    await ask(page, `pace=20 ${counting(20)} at time ${times}`);
    await page.waitForTimeout(times * 20);
    await page.reload();
    await composer(page).waitFor();
    const conversation = await (await page.request.get(`${house.url}/api/conversations/${page.url().split("/").at(-1)}`)).json();
    // Asked or not: both are right. Asked and not answered is wrong.
    if (conversation.messages.some((message) => message.text.endsWith(`at time ${times}`))) await reads(page, `at time ${times}`);
  }
});

test("another tab reads along, and stops the answer for both", async () => {
  await ask(page, `pace=60 ${counting(300, "shared")}`);
  await reads(page, "shared5");
  const second = watch(await page.context().newPage(), house);
  await second.goto(page.url());
  await reads(second, "shared10");
  await second.getByRole("button", { name: "Stop", exact: true }).click();
  await reads(second, "You stopped this answer.");
  await reads(page, "You stopped this answer.");
  await second.close();
});

test("an answer goes on while nobody looks", async () => {
  await ask(page, `pace=40 ${counting(60, "alone")}`);
  await reads(page, "alone3");
  const place = page.url();
  await page.goto("about:blank");
  await page.waitForTimeout(3000);
  await page.goto(place);
  await reads(page, "alone60", 8000);
});

test("after kill -9 what had arrived is there, marked as interrupted", async () => {
  await ask(page, `pace=50 ${counting(400, "kept")}`);
  // The answer's words, not the same ones in the question above it, which are there at once.
  await reads(page, /^(?![^]*pace=)[^]*kept20/);
  const place = new URL(page.url()).pathname;
  await house.kill();
  const again = await startHouse({ model: model.url, data: house.folder });
  house = again;
  const fresh = await openPage(browser, house);
  await fresh.goto(`${house.url}/signin`);
  await fresh.getByLabel("Sign-in name").fill("ada");
  await fresh.getByLabel("Password", { exact: true }).fill("a long enough pass phrase");
  await fresh.getByRole("button", { name: "Sign in", exact: true }).click();
  await composer(fresh).waitFor();
  await fresh.goto(house.url + place);
  const kept = await reads(fresh, /kept10[^]*What had arrived is kept/);
  assert.ok(kept.includes("kept10"), kept);
  page = fresh;
});

test("nothing left the house, and nothing complained", async () => {
  await ask(page, "one last word");
  await reads(page, "one last word");
  assert.equal(await lastMessage(page).count(), 1);
  assert.deepEqual(page.strangers, []);
  assert.deepEqual(page.complaints, []);
});
