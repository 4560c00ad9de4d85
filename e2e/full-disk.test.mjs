//! The disk fills while an answer is being written: the next question is refused with the cause and stays in the composer;
//! the answer goes on, marked as not saved, and is saved once there is space. Needs root, for a disk of 32 MiB of its own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { openSync, rmSync, writeSync, closeSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, lastMessage, openPage, reads, startBrowser, startHouse } from "./house.mjs";
import { startModel } from "./model.mjs";

const skip = process.getuid?.() === 0 ? false : "only root can mount a small disk";
const FULL = /disk is full/i;

let disk, model, house, browser, page;
before(async () => {
  if (skip) return;
  disk = mkdtempSync(join(tmpdir(), "portico-disk."));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=32m", "tmpfs", disk]);
  model = await startModel();
  house = await startHouse({ model: model.url, data: disk });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop({ keep: true });
  await model?.stop();
  if (disk) {
    execFileSync("umount", [disk]);
    rmSync(disk, { recursive: true });
  }
});

/** Takes what space there is, down to the last byte. */
function fill() {
  const file = openSync(join(disk, "filler"), "a");
  for (const size of [1 << 20, 1 << 12, 1]) {
    const piece = Buffer.alloc(size);
    try {
      for (;;) writeSync(file, piece);
    } catch (error) {
      assert.equal(error.code, "ENOSPC");
    }
  }
  closeSync(file);
}

test("a full disk loses nothing", { skip, timeout: 120_000 }, async () => {
  // Words as long as this fill the log's spare pages soon.
  const words = Array.from({ length: 200 }, (_, at) => `word${at + 1}-${"x".repeat(400)}`).join(" ");
  await ask(page, `pace=100 ${words}`);
  await reads(page, "word10-");
  const running = page.url();
  fill();
  await reads(page, FULL, 20_000);

  const other = await openPage(browser, house, { storageState: await page.context().storageState() });
  await other.goto(house.url);
  await ask(other, "is there room?");
  await other.getByRole("alert").filter({ hasText: FULL }).first().waitFor();
  assert.equal(await composer(other).inputValue(), "is there room?");

  rmSync(join(disk, "filler"));
  await reads(page, "word200-", 40_000);
  await page.waitForTimeout(1500);
  await page.goto(running);
  const saved = await reads(page, "word200-");
  assert.doesNotMatch(saved, FULL);
  assert.equal(await lastMessage(page).count(), 1);
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "detached" });

  await other.getByRole("button", { name: "Send", exact: true }).click();
  await reads(other, "is there room?");
});
