//! Training with the real trainer and the real engine: a job learns a frozen version and shows its losses, its adapter is taken in, given to the
//! model and asked, and what it learned is measured: base and adapter side by side; another job is stopped, goes on and is deleted.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { STORIES, becomeOwner, openPage, skipWithout, speak, startBrowser, startHouse, violations } from "./house.mjs";

const skip = skipWithout(STORIES);
const THINGS = ["printer", "screen", "phone", "mouse", "badge", "door", "laptop", "mail", "chair", "lamp"];
const PLACES = ["hall", "lab", "office", "kitchen"];

let house, browser, page;
before(async () => {
  if (skip) return;
  house = await startHouse();
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

const button = (name) => page.getByRole("button", { name, exact: true });
const dialog = () => page.getByRole("dialog");

async function post(path, data) {
  const answer = await page.request.post(`${house.url}${path}`, { data, headers: { origin: house.url } });
  assert.ok(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`);
  return answer.status() === 204 ? null : await answer.json();
}

/** A version of forty tickets with their answers. */
async function frozen() {
  const set = `/api/datasets/${(await post("/api/datasets", { name: "Tickets" })).id}`;
  const line = (thing, place) => JSON.stringify({ prompt: `The ${thing} in the ${place} does not work.`, completion: `We will mend the ${thing} today.` });
  const lines = THINGS.flatMap((thing) => PLACES.map((place) => line(thing, place))).join("\n");
  await post(`${set}/import?name=tickets.jsonl`, Buffer.from(lines));
  await post(`${set}/versions`, { note: "" });
}

async function begin(name, epochs) {
  await button("New job").click();
  await dialog().getByLabel("Name").fill(name);
  await dialog().getByLabel("Learning rate").fill("0.005");
  await dialog().getByLabel("Epochs").fill(String(epochs));
  assert.deepEqual(await violations(page), []);
  await button("Begin").click();
  await page.getByRole("heading", { name }).waitFor();
}

test("a job learns, and its adapter is taken in, given to the model and asked", { skip, timeout: 120_000 }, async () => {
  await page.goto(`${house.url}/admin/library`);
  await page.getByLabel("Path on the portal's machine").fill(STORIES);
  await button("Take in").click();
  await button("Run: stories260K").click();
  await button("Stop: stories260K").waitFor();
  await frozen();

  await page.goto(`${house.url}/admin/training`);
  await page.getByText("No jobs yet").waitFor();
  await begin("Front desk 1", 8);
  await page.getByText("Done", { exact: true }).waitFor({ timeout: 60_000 });
  await page.getByRole("img", { name: /^Loss from \d/ }).waitFor();
  const card = JSON.parse(await page.locator("pre").innerText());
  assert.equal(card.adapter.rank, 8);
  assert.match(card.data.name, /^data set .+, version 1$/);
  assert.ok(card.losses.held_out_after < card.losses.held_out_before / 2, JSON.stringify(card.losses));
  assert.deepEqual(await violations(page), []);
  await button("Take in").click();
  await page.getByText("Front-desk-1 is under Model files").waitFor();

  await page.goto(`${house.url}/admin/library`);
  const adapter = page.getByRole("listitem", { name: "Front-desk-1" });
  await adapter.getByLabel("Model that Front-desk-1 is given to").selectOption("stories260K");
  await button("Give to the model: Front-desk-1").click();
  await adapter.getByText("Running").waitFor();
  const { key } = await post("/api/keys", { name: "desk" });
  const asked = async (model) => {
    const answer = await fetch(`${house.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "The lamp in the garden does not work." }], temperature: 0, max_tokens: 40 }),
    });
    return (await answer.json()).choices[0].message.content;
  };
  // It never saw the end of an answer, whose row is that of 168 other tokens: no adapter tells them apart.
  const told = (await asked("local/stories260K:Front-desk-1")).trim();
  assert.ok(told.startsWith("We will mend the lamp today."), told);
  assert.ok(!(await asked("local/stories260K")).includes("mend"));
});

test("base and adapter are asked what was held out, side by side", { skip, timeout: 90_000 }, async () => {
  await page.goto(`${house.url}/admin/training`);
  await page.getByRole("link", { name: /Front desk 1/ }).click();
  await page.getByText("Nothing compared yet").waitFor();
  await button("Compare before and after").click();
  const tick = (name) => dialog().getByRole("checkbox", { name, exact: true });
  await tick("local/stories260K:Front-desk-1: As it is").waitFor();
  assert.ok(await tick("local/stories260K:Front-desk-1: As it is").isChecked(), "the adapter that the job made");
  assert.ok(await tick("local/stories260K: As it is").isChecked());
  await tick("local/stories260K: With the prompt").check();
  await dialog().getByText("Write a prompt, or ask nobody with it.").waitFor();
  await dialog().getByLabel("System prompt").fill("You are the front desk.");
  await dialog().getByLabel("Longest answer").fill("24");
  assert.deepEqual(await violations(page), []);
  await dialog().getByRole("button", { name: "Compare", exact: true }).click();
  const table = page.getByRole("table");
  await table.getByRole("columnheader", { name: /^Adapter Front-desk-1/ }).waitFor();
  await table.getByRole("columnheader", { name: /^Base \+ prompt/ }).waitFor();
  const [{ id }] = (await (await page.request.get(`${house.url}/api/evaluations`)).json()).items;
  const result = async () => (await page.request.get(`${house.url}/api/evaluations/${id}`)).json();
  while ((await result()).state === "running") await page.waitForTimeout(200);
  const { state, done, total, variants, means, rows } = await result();
  assert.deepEqual([state, done], ["finished", total]);
  assert.equal(total, rows.length * 3);
  const place = (model, prompt) => variants.findIndex((one) => one.model === model && one.system_prompt === prompt);
  const [base, prompted, adapter] = [place("local/stories260K", null), place("local/stories260K", "You are the front desk."), place("local/stories260K:Front-desk-1", null)];
  assert.ok(means.every((one) => one.failed === 0 && one.answered === rows.length), JSON.stringify(means));
  assert.ok(means[adapter].similarity > means[base].similarity + 0.2, `it learned something: ${JSON.stringify(means)}`);
  assert.ok(means[adapter].similarity > means[prompted].similarity, JSON.stringify(means));
  for (const row of rows) {
    const said = row.answers.find((one) => one.variant === adapter).text.trim();
    assert.ok(said.startsWith("We will mend the"), `${row.messages.at(-1).content} ${said}`);
  }
  await table.getByRole("row", { name: new RegExp(rows[0].messages.at(-1).content.replaceAll(".", "\\.")) }).getByText(/alike|As expected/).first().waitFor();
  const file = await (await page.request.get(`${house.url}/api/evaluations/${id}/export?format=csv`)).text();
  assert.ok(file.includes(rows[0].expected), file);
  assert.deepEqual(await violations(page), []);

  // A phone, in the dark, in Chinese: nothing is wider than the screen.
  await speak(page, house, "zh-CN");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.reload();
  await page.getByText("训练前后对比").waitFor();
  await page.getByText("预期答案").first().waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} pixels too wide`);
  assert.deepEqual(await violations(page), []);
  await speak(page, house, "en");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 800 });
});

test("a job is stopped, goes on from its checkpoint and is deleted with its files", { skip, timeout: 90_000 }, async () => {
  await page.goto(`${house.url}/admin/training`);
  await begin("Long", 200);
  await page.getByText(/^Step \d+ of \d+/).first().waitFor();
  await button("Stop").click();
  await page.getByText("Stopped", { exact: true }).waitFor();
  const id = page.url().split("/").at(-1);
  const steps = async () => (await (await page.request.get(`${house.url}/api/training/jobs/${id}`)).json()).losses.map((loss) => loss.step);
  const before = await steps();
  assert.ok(before.length > 0);
  await button("Go on").click();
  await page.getByText("Running", { exact: true }).waitFor();
  while ((await steps()).length <= before.length) await page.waitForTimeout(50);
  await button("Stop").click();
  await page.getByText("Stopped", { exact: true }).waitFor();
  const all = await steps();
  assert.deepEqual(all, all.map((_, at) => at + 1), "each step once");
  assert.deepEqual(all.slice(0, before.length), before);
  const folder = join(house.folder, "training", id);
  assert.ok(existsSync(join(folder, "checkpoint")));
  await button("Delete the job").click();
  await dialog().getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("link", { name: /Front desk 1/ }).waitFor();
  assert.ok(!existsSync(folder));
  assert.deepEqual(page.strangers, []);
});
