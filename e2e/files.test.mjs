//! Files in the chat: attached by button, by drop and by paste; one too large refused; a broken connection that goes on; a DOCX, a Chinese PDF
//! and a picture answered by a model that says what it was sent; the preview, deleting with undo, and a plugin that reads what it may.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SHARED, becomeOwner, composer, log, openPage, reads, skipWithout, speak, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

const FIXTURES = new URL("../crates/documents/tests/fixtures/", import.meta.url).pathname;
const DOCX = join(SHARED, "data/documents/docx_lists.docx");
const LARGEST = 6 << 20;
/** A red dot. */
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");

let model, house, browser, page;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url, settings: `\n[files]\nlargest_bytes = ${LARGEST}\n` });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

const button = (name, scope = page) => scope.getByRole("button", { name, exact: true });
const chips = (scope = page) => scope.getByRole("list", { name: "Files of this question" }).getByRole("listitem");
const attached = (name, scope = page) => button(`Remove ${name}`, scope).waitFor();
const panel = () => page.getByRole("complementary", { name: "File" });

async function pick(files, scope = page) {
  const choosing = scope.waitForEvent("filechooser");
  await button("Attach files", scope).click();
  await (await choosing).setFiles(files);
}

/** To the beginning of a long conversation: what is far from the screen is not in the page. */
const toTop = () =>
  page.evaluate(() => {
    for (const element of document.querySelectorAll("main, main *")) if (element.scrollTop > 0) element.scrollTop = 0;
  });

/** What a drop or a paste from outside the browser looks like to the page. */
async function bring(event, selector, name, type, content) {
  await page.evaluate(
    ({ event, selector, name, type, bytes }) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
      const init = { bubbles: true, cancelable: true };
      const made = event === "paste" ? new ClipboardEvent(event, { ...init, clipboardData: data }) : new DragEvent(event, { ...init, dataTransfer: data });
      document.querySelector(selector).dispatchEvent(made);
    },
    { event, selector, name, type, bytes: [...content] },
  );
}

test("a Chinese PDF and a DOCX are attached, read, and answered from", { timeout: 90_000, skip: skipWithout(DOCX) }, async () => {
  await pick([join(FIXTURES, "columns.pdf"), DOCX]);
  await attached("columns.pdf");
  await attached("docx_lists.docx");
  assert.deepEqual(await violations(page), []);
  await composer(page).fill("What do they say?");
  await button("Send").click();
  const said = await reads(page, "What do they say?", 30_000);
  assert.match(said, /the attached file "columns.pdf"/);
  assert.match(said, /the attached file "docx_lists.docx"/);
  assert.match(said, /\p{Script=Han}{8}/u);
  await toTop();
  await log(page).getByRole("article", { name: "You" }).getByRole("list", { name: "Files" }).waitFor();
  await page.reload();
  await log(page).getByRole("article").first().waitFor();
  await toTop();
  await page.getByRole("button", { name: /^columns\.pdf/ }).click();
  await panel().getByRole("heading", { name: "Page 1" }).waitFor();
  assert.match(await panel().innerText(), /\p{Script=Han}{8}/u);
  assert.deepEqual(await violations(page), []);
  await button("Close", panel()).click();
});

test("a drop and a paste attach, and a picture goes to the model as one", { timeout: 60_000 }, async () => {
  await page.goto(house.url);
  await composer(page).waitFor();
  await bring("drop", "main, body", "dropped.txt", "text/plain", Buffer.from("dropped words"));
  await attached("dropped.txt");
  await bring("paste", "textarea", "shot.png", "image/png", PNG);
  await attached("shot.png");
  assert.equal(await chips().count(), 2);
  assert.deepEqual(await violations(page), []);
  // A question may be its files alone.
  await button("Send").click();
  const said = await reads(page, "dropped words", 30_000);
  assert.match(said, new RegExp(`\\[image/png, ${PNG.toString("base64").length} letters\\]`));
  const thumbnail = button("shot.png").locator("img");
  await thumbnail.waitFor();
  assert.ok(await thumbnail.evaluate((image) => image.decode().then(() => image.naturalWidth === 1)));
  await button("shot.png").click();
  await panel().getByRole("img", { name: "shot.png" }).waitFor();
  await button("Delete", panel()).click();
  await button("Undo").click();
  await button("shot.png").click();
  await panel().getByRole("img", { name: "shot.png" }).waitFor();
  await button("Close", panel()).click();
});

test("what is too large says so, what is on its way can be stopped, and what breaks goes on", { timeout: 90_000 }, async () => {
  await page.goto(house.url);
  await pick({ name: "large.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(LARGEST + 1) });
  await page.getByRole("alert").filter({ hasText: "large.bin is too large: a file may have at most 6 MiB." }).waitFor();
  assert.ok(await button("Send").isDisabled());
  assert.deepEqual(await violations(page), []);
  await button("Remove large.bin").click();

  // The second piece breaks off three times: first on its way, then before it leaves, then the portal cannot be asked how far it came.
  let broken = 0;
  await page.route(/\/api\/files\/[^/]+(\?offset=\d+)?$/, async (route) => {
    const late = /offset=[1-9]/.test(route.request().url());
    if ((late && broken < 2) || (broken === 2 && route.request().method() === "GET")) {
      broken += 1;
      return route.abort("connectionreset");
    }
    return route.continue();
  });
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => `line ${n}\n`).join(""));
  await pick({ name: "long.txt", mimeType: "text/plain", buffer: content });
  await page.getByText("The connection broke. It goes on in a moment.").waitFor();
  await attached("long.txt");
  assert.equal(broken, 3);
  await page.unroute(/\/api\/files\/[^/]+(\?offset=\d+)?$/);
  const { items } = await (await page.request.get(`${house.url}/api/files`)).json();
  assert.deepEqual([items[0].name, items[0].bytes, items[0].complete], ["long.txt", content.length, true]);
  const back = await (await page.request.get(`${house.url}/api/files/${items[0].id}/content`)).body();
  assert.ok(back.equals(content), "what came back is what was sent");

  await composer(page).fill("What is in it?");
  await button("Send").click();
  await reads(page, /rest of the file.* did not fit/, 30_000);
  await log(page).getByText("did not fit this model and was left out", { exact: false }).waitFor();
});

test("the file analyser gets a file with its permission, and not a byte without it", { timeout: 90_000 }, async () => {
  const service = spawn("python3", [new URL("../examples/file-analyzer/service.py", import.meta.url).pathname, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  let heard = "";
  service.stdout.on("data", (piece) => (heard += piece));
  try {
    while (!/listening on (\S+)/.test(heard)) await page.waitForTimeout(20);
    const [, address] = /listening on (\S+)/.exec(heard);
    const headers = { origin: house.url };
    const manifest = JSON.parse(await readFile(new URL("../catalog/plugins/file-analyzer.json", import.meta.url), "utf8"));
    const made = await page.request.post(`${house.url}/api/plugins`, { data: { manifest, base_url: address }, headers });
    assert.ok(made.ok(), await made.text());
    await page.goto(house.url);
    await pick(join(FIXTURES, "contract.docx"));
    await attached("contract.docx");
    await composer(page).fill("Who sells?");
    await button("Send").click();
    const said = await reads(page, "Who sells?", 30_000);
    assert.match(said, /context from the plugin file-analyzer/);
    assert.match(said, /Parties: 北京示例科技有限公司; 上海样本设备有限公司/);
    assert.match(heard, /POST \/file\/upload[^]*POST \/file\/extract/);

    const changed = await page.request.patch(`${house.url}/api/plugins/file-analyzer`, { data: { grants: ["net:127.0.0.1"] }, headers });
    assert.ok(changed.ok(), await changed.text());
    const before = heard;
    await pick(join(FIXTURES, "contract.docx"));
    await attached("contract.docx");
    await composer(page).fill("And who buys?");
    await button("Send").click();
    assert.doesNotMatch(await reads(page, "And who buys?", 30_000), /plugin file-analyzer/);
    assert.equal(heard, before, "nothing reached the service");
  } finally {
    service.kill();
  }
});

test("in Chinese, dark and on a phone nothing is wider than the page", { timeout: 60_000 }, async () => {
  const last = page.url();
  await speak(page, house, "zh-CN");
  const phone = await openPage(browser, house, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "dark", storageState: await page.context().storageState() });
  await phone.goto(last);
  await phone.getByRole("list", { name: "文件" }).first().waitFor();
  const choosing = phone.waitForEvent("filechooser");
  await phone.getByRole("button", { name: "添加文件" }).click();
  const name = `${"很长的名字".repeat(12)}.txt`;
  await (await choosing).setFiles({ name, mimeType: "text/plain", buffer: Buffer.from("甲") });
  await phone.getByRole("button", { name: `移除 ${name}` }).waitFor();
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.ok(!wide, "it is wider than the phone");
  assert.deepEqual(await violations(phone), []);
  const aborted = (line) => /ERR_CONNECTION_RESET|413/.test(line);
  assert.deepEqual([...page.strangers, ...phone.strangers], []);
  assert.deepEqual([...page.complaints, ...phone.complaints].filter((line) => !aborted(line)), []);
});
