//! The details of an answer: the way to it (who was asked and gave none, who answered, the wait in the queue), and the parameters
//! that the answering server's dialect has no word for.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { ask, becomeOwner, composer, lastMessage, openPage, reads, speak, startBrowser, startHouse, violations } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, claude, house, browser, page;
before(async () => {
  model = await startModel();
  claude = await startAnthropic();
  // Nothing listens on port 9 of the loopback: the first target is never reached.
  const settings = [
    `[[provider]]\nslug = "gone"\nname = "Gone"\nbase_url = "http://127.0.0.1:9/v1"\n[[provider.model]]\nname = "m"\n`,
    `[[provider]]\nslug = "claude"\nname = "Claude"\nkind = "anthropic"\nbase_url = "${claude.url}"\n[[provider.model]]\nname = "claude-test"\n`,
    `[[alias]]\nname = "main"\ntitle = "Main"\ntargets = [{ model = "gone/m" }]\nfallbacks = ["echo/echo"]\n`,
    `[[alias]]\nname = "lost"\ntitle = "Lost"\ntargets = [{ model = "gone/m" }]\n`,
    `[[alias]]\nname = "narrow"\ntitle = "Narrow"\ntargets = [{ model = "echo/echo" }]\nmax_concurrent = 1\n`,
  ].join("");
  house = await startHouse({ model: model.url, settings });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
  await claude?.stop();
});

/** A server of Anthropic's dialect that says one word. */
async function startAnthropic() {
  const events = [
    { type: "message_start", message: { id: "msg_1", type: "message", role: "assistant", model: "claude-test", content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 5, output_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Understood" } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 2 } },
    { type: "message_stop" },
  ];
  const server = createServer((request, response) => {
    if (request.method !== "POST") return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data: [{ type: "model", id: "claude-test", display_name: "Claude", created_at: "2025-01-01T00:00:00Z" }], has_more: false, first_id: null, last_id: null }));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))) };
}

const details = (on = page) => on.getByRole("complementary", { name: "Details" });

async function choose(name, on = page) {
  await on.goto(house.url);
  await composer(on).waitFor();
  await on.getByRole("button", { name: /Choose a model/ }).click();
  await on.getByRole("menuitemcheckbox", { name }).or(on.getByRole("menuitem", { name })).first().click();
}

async function open(on = page) {
  await lastMessage(on).getByRole("button", { name: "Details" }).click();
  await details(on).waitFor();
}

test("a fallback's details name who was asked first and why another answered", async () => {
  await choose(/^Main/);
  await ask(page, "who answers");
  await reads(page, "who answers");
  await open();
  const steps = details().getByRole("region", { name: "Who was asked" }).getByRole("listitem");
  assert.match(await steps.first().innerText(), /gone\/m\s+could not be reached/);
  assert.match(await steps.last().innerText(), /echo\/echo\s+answered/);
  assert.deepEqual(await violations(page), []);
});

test("they are there after a reload too, on a phone and in Chinese", async () => {
  const phone = await openPage(browser, house, { viewport: { width: 390, height: 844 }, locale: "zh-CN", hasTouch: true, storageState: await page.context().storageState() });
  await speak(phone, house, "zh-CN");
  await phone.goto(page.url());
  await phone.getByRole("article").last().getByRole("button", { name: "详情" }).click();
  const steps = phone.getByRole("region", { name: "请求路径" }).getByRole("listitem");
  await steps.first().waitFor();
  assert.match(await steps.first().innerText(), /gone\/m\s+无法连接/);
  assert.deepEqual(await violations(phone), []);
  await speak(phone, house, "en");
  await phone.context().close();
});

test("where nobody answers, the details say who was asked", async () => {
  await choose(/^Lost/);
  await ask(page, "anybody there");
  await lastMessage(page).getByRole("alert").waitFor();
  await open();
  const steps = details().getByRole("region", { name: "Who was asked" }).getByRole("listitem");
  assert.match(await steps.first().innerText(), /gone\/m\s+could not be reached/);
  assert.doesNotMatch(await details().innerText(), /answered/);
});

test("what waited in the queue says for how long", async () => {
  await choose(/^Narrow/);
  await ask(page, `pace=150 ${Array.from({ length: 60 }, (_, at) => `w${at}`).join(" ")}`);
  await reads(page, "w1");
  const second = await page.context().newPage();
  await choose(/^Narrow/, second);
  await ask(second, "after you");
  await reads(second, "after you", 30_000);
  await open(second);
  assert.match(await details(second).innerText(), /Waited [\d.]+ sec for a place in the queue/);
  await second.close();
});

test("parameters that the dialect has no word for are named", async () => {
  const headers = { origin: house.url };
  const asked = await page.request.post(`${house.url}/api/turns`, { data: { text: "do you understand", model: "claude/claude-test", sampling: { frequency_penalty: 0.5, seed: 7 }, ask_id: crypto.randomUUID() }, headers });
  assert.equal(asked.status(), 202);
  const { conversation } = await asked.json();
  await page.goto(`${house.url}/c/${conversation.id}`);
  await reads(page, "Understood");
  await open();
  const names = details().getByRole("region", { name: "Not passed on" }).getByRole("listitem");
  assert.deepEqual((await names.allInnerTexts()).sort(), ["frequency_penalty", "seed"]);
  assert.deepEqual(page.strangers, []);
});
