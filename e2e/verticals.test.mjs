//! The two plugins for a trade: an invoice that is attached is read and checked, and two versions of a contract are compared, with a document of
//! tracked changes to save. Through the portal's own reader of files.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { ask, becomeOwner, openPage, reads, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

const INVOICES = new URL("../crates/tools/tests/fixtures/invoices/", import.meta.url).pathname;
const V1 = "第一条　甲方应当于2024年5月1日前支付10,000元。\n\n第二条　乙方负责运输。\n\n第三条　争议提交仲裁。\n";
const V2 = "第一条　甲方应当于2024年6月1日前支付12,000元。\n\n第二条　争议提交仲裁。\n";

let model, house, browser, page;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
  for (const id of ["invoice-fields", "contract-diff"]) {
    const manifest = JSON.parse(await readFile(new URL(`../catalog/plugins/${id}.json`, import.meta.url), "utf8"));
    const made = await page.request.post(`${house.url}/api/plugins`, { data: { manifest }, headers: { origin: house.url } });
    assert.ok(made.ok(), await made.text());
  }
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const steps = () => page.getByRole("list", { name: "Steps before this answer" }).last();

async function attach(files) {
  const choosing = page.waitForEvent("filechooser");
  await button("Attach files").click();
  await (await choosing).setFiles(files);
}

test("an invoice is read field by field and checked", { timeout: 90_000 }, async () => {
  await attach([`${INVOICES}wrong.pdf`]);
  await button("Remove wrong.pdf").waitFor();
  await ask(page, 'Check it.\ncall invoice-fields {"language":"en"}');
  await reads(page, /amounts of the lines = their sum/, 60_000);
  await steps().getByRole("button", { name: /invoice.fields/i }).click();
  await steps().getByRole("cell", { name: "300.00 × 6% = 18.00; written 18.50" }).waitFor();
  await steps().getByRole("cell", { name: "23312000000123456700" }).first().waitFor();
  assert.deepEqual(await violations(page), []);
});

test("two versions of a contract are compared, and the changes are saved as a document", { timeout: 90_000 }, async () => {
  await page.goto(house.url);
  const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
  await attach([file("v1.txt", V1), file("v2.txt", V2)]);
  await button("Remove v2.txt").waitFor();
  await ask(page, 'Compare them.\ncall contract-diff {"language":"en"}');
  // The last line of it, so that all has been said.
  const said = await reads(page, /第三条 → 第二条 \[renumbered\]/, 60_000);
  assert.match(said, /amount \(第一条\): 10,000元 → 12,000元/);
  assert.match(said, /date \(第一条\): 2024年5月1日 → 2024年6月1日/);
  assert.match(said, /第二条 \[deleted\]/);
  await steps().getByRole("button", { name: /contract.(comparison|diff)/i }).click();
  const saving = page.waitForEvent("download");
  await steps().getByRole("link", { name: /contract-comparison\.docx/ }).click();
  const bytes = await readFile(await (await saving).path());
  assert.equal(bytes.subarray(0, 2).toString(), "PK");
  assert.deepEqual(await violations(page), []);
});
