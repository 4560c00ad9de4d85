//! A model that answers one question at a time: the second person sees a place in the line, and is answered by itself.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, log, openPage, reads, startBrowser, startHouse } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, house, browser, page, second;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url, settings: `[[alias]]\nname = "main"\ntargets = [{ model = "echo/echo" }]\nmax_concurrent = 1\n` });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

test("the second question waits in line, says its place, and is answered", async () => {
  const words = Array.from({ length: 30 }, (_, at) => `word${at}`).join(" ");
  await ask(page, `pace=150 ${words}`);
  await reads(page, "word1");
  second = await page.context().newPage();
  await second.goto(house.url);
  await composer(second).waitFor();
  await ask(second, "after you");
  await log(second).getByText(/1st in line/).waitFor();
  await log(second).getByText("Your question is kept").waitFor();
  assert.equal(model.requests, 1);
  await reads(page, "word29");
  await reads(second, "after you");
  assert.equal(await log(second).getByText(/in line/).count(), 0);
  assert.equal(model.requests, 2);
});
