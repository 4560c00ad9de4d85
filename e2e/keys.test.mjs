//! An API key in the browser: made with a scope, used by curl within it and refused outside it, its use seen by its person and by
//! an administrator, narrowed, revoked.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { HOST, becomeOwner, openPage, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, other, house, browser, page, secret;
before(async () => {
  model = await startModel();
  other = await startModel();
  house = await startHouse({ model: model.url, settings: `[[provider]]\nslug = "other"\nname = "Other"\nbase_url = "${other.url}"\n` });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
  await other?.stop();
});

const run = promisify(execFile);

async function curl(name) {
  const body = JSON.stringify({ model: name, messages: [{ role: "user", content: "said by curl" }] });
  const { stdout: out } = await run("curl", ["-s", "-w", "\n%{http_code}", `${house.url}/v1/chat/completions`, "-H", `Authorization: Bearer ${secret}`, "-H", "Content-Type: application/json", "-d", body]);
  const [text, status] = [out.slice(0, out.lastIndexOf("\n")), Number(out.slice(out.lastIndexOf("\n") + 1))];
  return { status, body: JSON.parse(text) };
}

test("made with models, limits and addresses; shown once", async () => {
  await page.goto(`${house.url}/settings/keys`);
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("What is it for?").fill("Nightly report");
  await page.getByLabel("Works for").selectOption("7");
  await page.getByLabel("Only these").check();
  await page.getByRole("checkbox", { name: /echo\/echo/ }).check();
  await page.getByText("Limits and addresses").click();
  await page.getByLabel("Tokens a day").fill("1000");
  await page.getByLabel("Only from these addresses").fill(`${HOST}\n10.99.0.0/16`);
  assert.deepEqual(await violations(page), []);
  await page.getByRole("dialog").getByRole("button", { name: "New key" }).click();
  secret = await page.getByRole("textbox", { name: "API key" }).inputValue();
  assert.match(await page.getByRole("region", { name: "Try it" }).innerText(), /"model":"echo\/echo"/);
  await page.getByRole("button", { name: "I have kept it" }).click();
  await page.getByText(/^Until /).waitFor();
  assert.ok(!(await page.content()).includes(secret));
});

test("curl asks within its scope, and is refused outside it", async () => {
  const inside = await curl("echo/echo");
  assert.equal(inside.status, 200);
  assert.equal(inside.body.choices[0].message.content, "said by curl");
  const outside = await curl("other/echo");
  assert.equal(outside.status, 403);
  assert.equal(outside.body.error.code, "model_not_allowed");
});

test("its use stands in the list, and in the administration with its person", async () => {
  for (const place of ["/settings/keys", "/admin/keys"]) {
    await page.goto(house.url + place);
    const row = page.getByRole("listitem").filter({ hasText: "Nightly report" });
    await row.getByRole("meter", { name: "Today" }).waitFor();
    assert.match(await row.innerText(), /10 of 1K/, place);
  }
  await page.getByText("ada", { exact: false }).first().waitFor();
});

test("its use by day is a chart, read with the pointer or the arrow keys", async () => {
  await page.goto(`${house.url}/settings/keys`);
  const open = page.getByRole("button", { name: "Use of “Nightly report” by day" });
  await open.click();
  const chart = page.getByRole("slider", { name: /^Tokens a day/ });
  await chart.waitFor();
  assert.match(await chart.getAttribute("aria-valuetext"), /Read 7, Written 3, 1 request$/);
  await chart.press("ArrowLeft");
  assert.match(await chart.getAttribute("aria-valuetext"), /Read 0, Written 0, 0 requests$/);
  assert.deepEqual(await violations(page), []);
  await open.click();
  await chart.waitFor({ state: "detached" });
});

test("bound to a task, a chat is refused with it", async () => {
  await page.getByRole("button", { name: "Edit “Nightly report”" }).click();
  await page.getByLabel("Chosen tasks only").check();
  await page.getByRole("checkbox", { name: "Embeddings" }).check();
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Key saved").last().waitFor();
  await page.getByRole("listitem").filter({ hasText: "Nightly report" }).getByText("Embeddings").waitFor();
  const refused = await curl("echo/echo");
  assert.equal(refused.status, 403);
  assert.equal(refused.body.error.code, "task_not_allowed");
  await page.getByRole("button", { name: "Edit “Nightly report”" }).click();
  await page.getByRole("radio", { name: "Everything" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal((await curl("echo/echo")).status, 200);
});

test("narrowed to other addresses it is refused here, revoked it is nothing", async () => {
  await page.getByRole("button", { name: "Edit “Nightly report”" }).click();
  await page.getByLabel("Only from these addresses").fill("10.99.0.0/16");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Key saved").last().waitFor();
  assert.equal((await curl("echo/echo")).status, 403);
  await page.getByRole("button", { name: "Revoke: Nightly report" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText("No keys yet").waitFor();
  assert.equal((await curl("echo/echo")).status, 401);
  assert.deepEqual(page.strangers, []);
});
