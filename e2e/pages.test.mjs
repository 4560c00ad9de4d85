//! Every page in both themes and both languages, wide and narrow: no violation of WCAG 2.2 A and AA, no request to another
//! origin, nothing in the console, nothing wider than the window.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, openPage, reads, speak, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

const RICH = "# Plan\n\nA **bold** word, a [link](https://example.org), `code`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n\n```rust\nfn main() {}\n```\n\n合同第三条：甲方应当支付。\n";
const PLACES = ["/", "/archived", "/settings", "/settings/chat", "/settings/account", "/settings/sessions", "/settings/keys", "/settings/usage", "/admin", "/admin/models", "/admin/aliases", "/admin/aliases/switch?alias=main", "/admin/capabilities", "/admin/catalogue", "/admin/library", "/admin/datasets", "/admin/training", "/admin/load", "/admin/keys", "/admin/people", "/admin/invitations"];

let model, house, browser, owner, state, talk;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url, settings: '[[alias]]\nname = "of-the-file"\ntargets = [{ model = "echo/echo", weight = 2 }, { model = "echo/other" }]\nfallbacks = ["echo/echo"]\n' });
  browser = await startBrowser();
  owner = await openPage(browser, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

test("the page of the first run", async () => {
  await owner.goto(await house.setupLink());
  await owner.getByRole("button", { name: "Create the owner" }).waitFor();
  assert.deepEqual(await violations(owner), []);
  await becomeOwner(owner, house);
  await ask(owner, RICH);
  await reads(owner, "合同第三条");
  await owner.waitForTimeout(500);
  talk = new URL(owner.url()).pathname;
  // One alias of the pages beside the one of the file, and one key, so that their pages have something to show.
  const post = (path, data) => owner.request.post(house.url + path, { data, headers: { origin: house.url } });
  assert.ok((await post("/api/aliases", { name: "main", environment: null, targets: [{ model: "echo/echo" }] })).ok());
  assert.ok((await post("/api/keys", { name: "Editor", scope: { models: ["main"], addresses: ["10.0.0.0/8"], tokens_per_day: 100 } })).ok());
  state = await owner.context().storageState();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries({ wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
    for (const locale of ["en-GB", "zh-CN"]) {
      test(`pages, ${colorScheme}, ${size}, ${locale}`, { timeout: 240_000 }, async () => {
        const page = await openPage(browser, house, { storageState: state, colorScheme, viewport, locale, reducedMotion: "reduce" });
        await speak(page, house, locale === "zh-CN" ? "zh-CN" : "en");
        for (const place of [talk, ...PLACES]) {
          await page.goto(house.url + place);
          await page.locator("main, [role=main], form").first().waitFor();
          await page.waitForTimeout(400);
          assert.deepEqual(await violations(page), [], `${place}: accessibility`);
          const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          assert.ok(over <= 0, `${place}: ${over} px wider than the window`);
          assert.equal(await page.evaluate(() => document.documentElement.lang), locale === "zh-CN" ? "zh-CN" : "en", place);
        }
        assert.deepEqual(page.strangers, []);
        assert.deepEqual(page.complaints, []);
        await page.context().close();
      });
    }
  }
}

test("the page to sign in", async () => {
  const page = await openPage(browser, house);
  await page.goto(`${house.url}/signin`);
  await page.getByLabel("Password", { exact: true }).waitFor();
  assert.deepEqual(await violations(page), []);
  assert.equal(await composer(page).count(), 0);
  await page.context().close();
});
