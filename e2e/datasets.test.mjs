//! Data sets in the portal: a table is previewed with the fault of each line, taken in, looked over, edited and deleted with undo,
//! frozen and exported; an answer is rated and corrected, and becomes an example; training says what it lacks: a model that could learn. Jobs with one are training.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, lastMessage, openPage, reads, startBrowser, startHouse, violations } from "./house.mjs";
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
const row = (text) => page.getByRole("row").filter({ hasText: text });

test("a table comes in, is looked over, edited and frozen", { timeout: 90_000 }, async () => {
  await page.goto(`${house.url}/admin/datasets`);
  await page.getByText("No data sets yet").waitFor();
  assert.deepEqual(await violations(page), []);
  await button("New data set").click();
  await dialog().getByLabel("Name").fill("Front desk");
  await dialog().getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Front desk" }).waitFor();
  await page.getByText("No examples yet").waitFor();

  await button("Import a file").click();
  const gbk = { name: "faq.csv", mimeType: "text/csv", buffer: Buffer.from([0xce, 0xca, 0xcc, 0xe2, 0x2c, 0xb4, 0xf0, 0xb0, 0xb8, 0x0a]) };
  await dialog().getByLabel("File").setInputFiles(gbk);
  await dialog().getByRole("button", { name: "Preview" }).click();
  await dialog().getByText("it looks like GBK").waitFor();
  const table = "question,answer\nWhen do you open?,At nine.\nWhat is your number?,Call 13800138000 please.\nWhen do you open?,At nine.\nNobody answers,\n";
  await dialog().getByLabel("File").setInputFiles({ name: "faq.csv", mimeType: "text/csv", buffer: Buffer.from(table) });
  await dialog().getByRole("button", { name: "Preview" }).click();
  await dialog().getByText("Line 5").waitFor();
  await dialog().getByText("1 already there").waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog().getByRole("button", { name: "Import 2" }).click();
  await row("At nine.").waitFor();

  await page.getByRole("button", { name: "Phone number 1" }).click();
  await row("At nine.").waitFor({ state: "detached" });
  await button("Mask all").click();
  await row("Call [phone] please.").waitFor();
  await row("At nine.").getByRole("button", { name: "Delete" }).click();
  await row("At nine.").waitFor({ state: "detached" });
  await button("Undo").click();
  await row("At nine.").getByRole("button", { name: "Edit" }).click();
  await dialog().getByLabel("Answer").fill("At nine sharp.");
  await dialog().getByRole("button", { name: "Save" }).click();
  await row("At nine sharp.").waitFor();
  assert.deepEqual(await violations(page), []);

  await page.getByLabel("Held out").fill("0");
  await button("Save").click();
  await page.getByText("2 to learn, 0 held out").first().waitFor();
  await button("Freeze version 1").click();
  await button("Freeze version 2").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export JSONL" }).click()]);
  const text = (await (await download.createReadStream()).toArray()).join("");
  assert.equal(text.trim().split("\n").length, 2);
  assert.ok(text.includes("At nine sharp.") && text.includes("[phone]"), text);
});

test("an answer that was corrected becomes an example", { timeout: 60_000 }, async () => {
  await page.goto(house.url);
  await composer(page).waitFor();
  await ask(page, "Where is the lift?");
  await reads(page, "lift");
  await lastMessage(page).getByRole("button", { name: "Bad answer" }).click();
  await dialog().getByRole("button", { name: "Wrong" }).click();
  await dialog().getByLabel("What should have been answered").fill("Beside the stairs.");
  assert.deepEqual(await violations(page), []);
  await dialog().getByRole("button", { name: "Send" }).click();
  await lastMessage(page).getByRole("button", { name: "Bad answer", pressed: true }).waitFor();
  await page.goto(`${house.url}/admin/datasets`);
  await page.getByRole("link", { name: /Front desk/ }).click();
  await button("Collect ratings").click();
  await dialog().getByRole("button", { name: "Preview" }).click();
  await dialog().getByRole("button", { name: "Import 1" }).click();
  await row("Beside the stairs.").getByText("Corrected").waitFor();
});

test("training lists its jobs, and says what it lacks", { timeout: 30_000 }, async () => {
  await page.goto(`${house.url}/admin/training`);
  await page.getByText("No jobs yet").waitFor();
  await page.getByText("There is no chat model on this machine that could learn").waitFor();
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.strangers, []);
});
