//! A model file on this machine: the worker starts, warms up, and its greedy text is in the browser byte for byte; killed in
//! mid-answer it costs that answer, which says so, and nothing else.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SHARED, STORIES, ask, becomeOwner, openPage, reads, skipWithout, startBrowser, startHouse, violations } from "./house.mjs";

const skip = skipWithout(STORIES);
const FIRST = "Once upon a time, there was a little girl named Lily.";

let house, browser, page;
before(async () => {
  if (skip) return;
  house = await startHouse({ gguf: STORIES });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
});

test("the story goes on as it must, and the page says that the model is no talker", { skip, timeout: 90_000 }, async () => {
  const expected = await readFile(join(SHARED, "models/stories260K.expected.txt"), "utf8");
  const rest = expected.slice(FIRST.length).trim();
  await page.getByText("it was not made for conversation").first().waitFor();
  const conversation = await page.request.post(`${house.url}/api/conversations`, {
    data: { sampling: { temperature: 0, max_tokens: 185 } },
    headers: { origin: house.url },
  });
  const { id } = await conversation.json();
  await page.goto(`${house.url}/c/${id}`);
  await ask(page, FIRST);
  const flat = (text) => text.replace(/\s+/g, " ").trim();
  await reads(page, new RegExp(flat(rest).slice(-40).replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ /g, "\\s+")), 60_000);
  const told = await (await page.request.get(`${house.url}/api/conversations/${id}`)).json();
  const answer = told.messages.find((message) => message.author === "assistant");
  assert.equal(answer.text.trim(), rest);
});

test("administrators see it among the models, with its file, and in the matrix", { skip, timeout: 90_000 }, async () => {
  await page.goto(`${house.url}/admin/models`);
  await page.getByRole("heading", { name: "On this machine" }).waitFor();
  await page.getByText(STORIES).waitFor();
  await page.goto(`${house.url}/admin/capabilities`);
  await page.getByRole("button", { name: /^Test: / }).click();
  await page.getByRole("button", { name: /stories260K, Chat: Yes/ }).waitFor({ timeout: 60_000 });
  assert.deepEqual(await violations(page), []);
});

/** The worker's process: the portal's only child. */
async function worker() {
  const tasks = await readdir(`/proc/${house.child.pid}/task`);
  const children = await Promise.all(tasks.map((task) => readFile(`/proc/${house.child.pid}/task/${task}/children`, "utf8").catch(() => "")));
  return Number(children.join(" ").trim().split(/\s+/)[0] || 0);
}

/** Asks for the whole story in a conversation of its own, and reads the answer's events as they come. */
async function story(cookie, onText) {
  const headers = { cookie, origin: house.url, "content-type": "application/json" };
  const post = async (path, body) => (await fetch(`${house.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
  const conversation = await post("/api/conversations", { sampling: { temperature: 0, max_tokens: 185 } });
  const { turn } = await post("/api/turns", { ask_id: crypto.randomUUID(), conversation: conversation.id, text: FIRST });
  const events = await fetch(`${house.url}/api/turns/${turn}/events`, { headers });
  let said = "";
  for await (const piece of events.body) {
    said += Buffer.from(piece).toString();
    if (said.includes('"delta"')) onText();
  }
  return (await (await fetch(`${house.url}/api/conversations/${conversation.id}`, { headers })).json()).messages.find((message) => message.author === "assistant");
}

test("kill -9 of the worker in mid-answer: an explicit error with what had arrived, the worker is back, the portal never blinked", { skip, timeout: 90_000 }, async () => {
  const before = await worker();
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  // Held until all have asked, so that none has its whole answer before the first is read.
  process.kill(before, "SIGSTOP");
  let killed = 0;
  const kill = () => {
    if (killed) return;
    killed = performance.now();
    process.kill(before, "SIGKILL");
  };
  const stories = Array.from({ length: 6 }, () => story(cookie, kill));
  await new Promise((done) => setTimeout(done, 500));
  process.kill(before, "SIGCONT");
  const portal = setInterval(() => fetch(`${house.url}/livez`).then((alive) => assert.equal(alive.status, 200)), 20);
  const answers = await Promise.all(stories);
  const cut = answers.filter((answer) => answer.finish === "failed");
  assert.ok(cut.length > 0, JSON.stringify(answers.map((answer) => answer.finish)));
  const begun = cut.filter((answer) => answer.text !== "");
  assert.ok(begun.length > 0, "no answer was killed in its middle");
  for (const answer of begun) assert.equal(answer.failure.code, "cut", JSON.stringify(answer.failure));
  const again = await story(cookie, () => {});
  clearInterval(portal);
  assert.equal(again.finish, "length", JSON.stringify(again));
  const after = await worker();
  assert.ok(after > 0 && after !== before);
  console.log(`killed in mid-answer: ${cut.length} of ${answers.length} answers said so; the next was whole ${Math.round(performance.now() - killed)} ms after the kill`);
});
