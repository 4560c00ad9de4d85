//! Eight tabs of one person over HTTP/1.1, where a browser opens six connections to an origin: two answers stream while the
//! other six pages stay usable.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, openPage, reads, startBrowser, startHouse, watch } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, house, browser;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

test("eight tabs, two of them streaming", { timeout: 90_000 }, async () => {
  const first = await openPage(browser, house);
  await becomeOwner(first, house);
  const tabs = [first];
  while (tabs.length < 8) {
    const tab = watch(await first.context().newPage(), house);
    await tab.goto(house.url);
    await composer(tab).waitFor();
    tabs.push(tab);
  }
  const words = Array.from({ length: 120 }, (_, at) => `word${at + 1}`).join(" ");
  await ask(tabs[0], `pace=80 ${words}`);
  await ask(tabs[1], `pace=80 ${words}`);
  await Promise.all([reads(tabs[0], "word5"), reads(tabs[1], "word5")]);
  for (const tab of tabs.slice(2)) {
    const began = performance.now();
    await tab.reload();
    await composer(tab).waitFor({ timeout: 5000 });
    assert.ok(performance.now() - began < 5000);
  }
  await Promise.all([reads(tabs[0], "word120", 30_000), reads(tabs[1], "word120", 30_000)]);
});
