//! The pictures of the book: a portal with a scripted model, asked four questions, photographed. `npm run shots` in web/ writes
//! docs/images/{conversation,dark,phone,chinese}.png. Look at them before they are committed.
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { becomeOwner, openPage, startBrowser, startHouse } from "./house.mjs";

const OUT = process.argv[2] ?? new URL("../docs/images", import.meta.url).pathname;
mkdirSync(OUT, { recursive: true });

const ENGLISH = {
  question: "Which of these three models should we run on one 24 GB card? Show how you would measure it.",
  answer: `For one 24 GB card, **Qwen3 14B in Q4** is the best middle: it leaves room for a long context and for several people at once.

| Model | Weights | Context that fits | Tokens/s, one reader |
|---|--:|--:|--:|
| Qwen3 8B, Q8 | 8.7 GB | 128 k | 92 |
| **Qwen3 14B, Q4** | 9.0 GB | 96 k | 68 |
| Qwen3 32B, Q4 | 19.8 GB | 12 k | 31 |

The KV cache decides, not the weights. Per token it needs

$$2 \\cdot n_{layers} \\cdot n_{kv} \\cdot d_{head} \\cdot 2\\ \\text{bytes}$$

To measure it yourself, ask with the same prompt and watch the first token and the pace after it:

\`\`\`python
import time
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8420/v1", api_key="pk-…")
began, first, tokens = time.perf_counter(), None, 0
for chunk in client.chat.completions.create(model="lab/qwen3-14b", messages=ask, stream=True):
    first = first or time.perf_counter()
    tokens += 1
print(f"TTFT {first - began:.2f} s, {tokens / (time.perf_counter() - first):.0f} tokens/s")
\`\`\`

- [x] Same prompt, same length
- [ ] Eight readers at once`,
};
const CHINESE = {
  question: "请审查这份供应商合同的违约条款，标出风险并给出修改建议。",
  answer: `这份合同的违约条款**对甲方偏不利**，主要有三处风险：

| 条款 | 风险 | 建议 |
|---|---|---|
| 第 8.2 条 | 违约金按日 0.3% 计，无上限，可能远超实际损失 | 改为日 0.05%，累计不超过合同总价的 10% |
| 第 9.1 条 | “不可抗力”未列举，也没有通知期限 | 列举情形，并约定 7 日内书面通知 |
| 第 11 条 | 争议由乙方所在地法院管辖 | 改为甲方所在地，或约定仲裁 |

### 建议的第 8.2 条

> 任何一方逾期履行的，每逾期一日，应按逾期部分金额的 0.05% 支付违约金；违约金累计不超过合同总价的 10%。

依据是《民法典》第五百八十五条：约定的违约金**过分高于**造成的损失的，可以请求适当减少。实践中一般以超过损失的 30% 为界。

**下一步**

1. 请确认合同总价和付款节点，我据此测算上限。
2. 如需要，我可以直接给出带修订标记的全文。`,
};
const DARK = {
  question: "How does a question travel through Portico, from the browser to the model and back?",
  answer: `In one straight line. The question is stored **before** anything else happens, so nothing is lost when a cable is pulled:

\`\`\`mermaid
flowchart LR
  A[Browser] --> B[Door]
  B --> C[Question stored]
  C --> D[Limit checked]
  D --> E[Context cut to fit]
  E --> F[Model]
  F -- tokens --> G[Answer kept]
  G -- SSE --> A
\`\`\`

Three things follow from that:

1. **Reload as often as you like.** The answer is written on the server; every event has a number, and a page that comes back asks for what it missed.
2. **Stop from anywhere.** Another tab, another device: the model stops within one token.
3. **Exactly one bill.** Tokens are settled once, also when the answer was cut, stopped or the machine lost power.

\`\`\`rust
let permit = self.ledger.admit(caller, &ask).await?;
let prompt = self.context.assemble(caller, &conversation, &ask).await?;
let reply = self.router.open(prompt).await?;
\`\`\``,
};
const ANSWERS = new Map([ENGLISH, CHINESE, DARK].map(({ question, answer }) => [question, answer]));
const TITLES = ["三季度客服质检周报", "Onboarding FAQ", "Kubernetes 部署排障", "Release notes 0.1", "教学：什么是注意力机制"];

/** A model server with three good answers. */
async function startScripted() {
  const server = createServer(async (request, response) => {
    if (request.method === "GET") return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ object: "list", data: [{ id: "qwen3-14b", object: "model" }] }));
    let text = "";
    for await (const part of request) text += part;
    const question = JSON.parse(text).messages?.findLast((message) => message.role === "user")?.content ?? "";
    const words = (ANSWERS.get(question) ?? "Good.").match(/[^]{1,12}/gu);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (value) => response.write(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: "qwen3-14b", ...value })}\n\n`);
    for (const content of words) {
      send({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
      await sleep(4);
    }
    send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    send({ choices: [], usage: { prompt_tokens: 42, completion_tokens: words.length, total_tokens: 42 + words.length } });
    response.end("data: [DONE]\n\n");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))) };
}

async function shoot(page, name, question) {
  await page.getByRole("textbox", { name: /^(Message|消息)$/ }).fill(question);
  await page.getByRole("button", { name: /^(Send|发送)$/ }).click();
  await page.getByRole("button", { name: /^(Stop|停止)$/ }).waitFor();
  await page.getByRole("button", { name: /^(Stop|停止)$/ }).waitFor({ state: "detached", timeout: 60_000 });
  // Colours, formulas and diagrams arrive after the words.
  await page.waitForTimeout(4000);
  await page.evaluate(() => document.querySelector("[role=log]").scrollTo(0, 0));
  await page.mouse.move(2, 2);
  await page.waitForTimeout(800);
  await page.screenshot({ path: join(OUT, `${name}.png`) });
  console.log(join(OUT, `${name}.png`));
}

const model = await startScripted();
const house = await startHouse({ model: model.url });
const browser = await startBrowser();
try {
  const owner = await openPage(browser, house);
  await becomeOwner(owner, house);
  for (const title of TITLES.toReversed()) await owner.request.post(`${house.url}/api/conversations`, { data: { title }, headers: { origin: house.url } });
  const state = await owner.context().storageState();
  const looks = [
    ["conversation", ENGLISH, { colorScheme: "light", viewport: { width: 1280, height: 860 } }],
    ["dark", DARK, { colorScheme: "dark", viewport: { width: 1280, height: 860 } }],
    ["phone", CHINESE, { colorScheme: "light", locale: "zh-CN", viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
    ["chinese", CHINESE, { colorScheme: "light", locale: "zh-CN", viewport: { width: 1280, height: 860 } }],
  ];
  for (const [name, { question }, look] of looks) {
    const page = await openPage(browser, house, { storageState: state, deviceScaleFactor: 2, ...look });
    if (look.locale === "zh-CN") await page.request.patch(`${house.url}/api/me`, { data: { language: "zh-CN", display_name: "林晓" }, headers: { origin: house.url } });
    await page.goto(house.url);
    await page.getByRole("textbox", { name: /^(Message|消息)$/ }).waitFor();
    await shoot(page, name, question);
    await page.context().close();
  }
} finally {
  await browser.close();
  await house.stop();
  await model.stop();
}
