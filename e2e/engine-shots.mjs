//! The pictures of the book that show engines: what our engine and a real llama-server can do, found out by asking them, an
//! alias before it is switched, and the load while people ask. `npm run shots` in web/ writes docs/images/{capabilities,aliases,load}.png; LLAMA_SERVER names a
//! llama-server (scripts/llama-server builds one), without it the matrix has our engine alone. Look at them before they are committed.
import { spawn } from "node:child_process";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { STORIES, becomeOwner, openPage, startBrowser, startHouse } from "./house.mjs";
import { startOllama } from "./ollama.mjs";

const OUT = process.argv[2] ?? new URL("../docs/images", import.meta.url).pathname;
const OLD = "Blue light is scattered by air about four times as strongly as red light, so it reaches us from every direction. At sunset its way through the air is longer, and the red remains.";
const NEW = "Blue light is scattered by air much more strongly than red light, so it reaches our eyes from every direction. At sunset its way through the air is longer, and mostly the red remains.";

/** A model server with one good answer. */
async function startScripted(id, answer, firstMs) {
  const server = createHttp(async (request, response) => {
    if (request.method === "GET") return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ object: "list", data: [{ id, object: "model" }] }));
    for await (const _ of request);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (value) => response.write(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: id, ...value })}\n\n`);
    await new Promise((done) => setTimeout(done, firstMs));
    const words = answer.match(/\S+\s*/g);
    for (const content of words) {
      send({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
      await new Promise((done) => setTimeout(done, 12));
    }
    send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    send({ choices: [], usage: { prompt_tokens: 24, completion_tokens: words.length, total_tokens: 24 + words.length } });
    response.end("data: [DONE]\n\n");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))) };
}

/** A real llama-server with the smallest model; null without one. */
async function startLlama() {
  if (!process.env.LLAMA_SERVER) return null;
  const port = await new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port: free } = probe.address();
      probe.close(() => done(free));
    });
  });
  const child = spawn(process.env.LLAMA_SERVER, ["-m", STORIES, "--host", "127.0.0.1", "--port", String(port), "--alias", "stories260K", "--jinja"], { stdio: "ignore" });
  for (let tries = 0; tries < 200; tries += 1) {
    const well = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null);
    if (well?.ok) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  return { url: `http://127.0.0.1:${port}/v1`, stop: () => child.kill() };
}

const llama = await startLlama();
const ollama = await startOllama({ installed: ["llama3:latest"] });
const [old, fresh] = [await startScripted("gpt-4", OLD, 240), await startScripted("llama3-70b", NEW, 140)];
const more = [
  ["openai", "OpenAI", "openai", old.url],
  ["vllm", "vLLM", "openai", fresh.url],
  ["ollama", "Ollama (scripted)", "ollama", ollama.url],
  ...(llama ? [["llama-server", "llama-server", "openai", llama.url]] : []),
];
const settings = more.map(([slug, name, kind, url]) => `[[provider]]\nslug = "${slug}"\nname = "${name}"\nkind = "${kind}"\nbase_url = "${url}"\n${slug === "vllm" ? "max_concurrent = 2\n" : ""}`).join("");
const all = `environment = "production"\n${settings}`;
const house = await startHouse({ gguf: STORIES, settings: all }).catch(() => {
  console.log("skipped our own engine: this binary was built without it");
  return startHouse({ settings: all });
});
const browser = await startBrowser();
try {
  const page = await openPage(browser, house, { viewport: { width: 1280, height: 860 }, deviceScaleFactor: 2 });
  page.setDefaultTimeout(120_000);
  await becomeOwner(page, house);
  const post = (path, data) => page.request.post(house.url + path, { data, headers: { origin: house.url }, timeout: 300_000 });
  await post("/api/aliases", { name: "main", title: "Main", targets: [{ model: "openai/gpt-4" }], environment: "production" });
  for (const text of ["Why is the sky blue?", "And why is it red in the evening?"]) await post("/api/turns", { text, model: "main", ask_id: crypto.randomUUID() });
  await page.waitForTimeout(3000);
  await page.goto(`${house.url}/admin/aliases/switch?alias=main&environment=production`);
  await page.getByLabel("New model").selectOption("vllm/llama3-70b");
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await page.getByRole("button", { name: "Switch now" }).waitFor();
  await page.mouse.move(2, 2);
  await page.waitForTimeout(600);
  await page.screenshot({ path: join(OUT, "aliases.png") });
  console.log(join(OUT, "aliases.png"));

  await page.goto(`${house.url}/admin/load`);
  for (let second = 0; second < 40; second += 1) {
    const burst = Math.round(2 + 2 * Math.sin(second / 5));
    for (let one = 0; one < burst; one += 1) void post("/api/turns", { text: `Why is the sky blue? ${second} ${one}`, model: one % 3 ? "vllm/llama3-70b" : "openai/gpt-4", ask_id: crypto.randomUUID() });
    await page.waitForTimeout(1000);
  }
  await page.screenshot({ path: join(OUT, "load.png") });
  console.log(join(OUT, "load.png"));

  const { models } = await (await page.request.get(`${house.url}/api/models`)).json();
  const asked = models.filter((model) => !model.alias && ["local", "llama-server", "ollama"].includes(model.id.split("/")[0]));
  for (const model of asked) await post(`/api/models/${encodeURIComponent(model.id)}/capabilities`);
  await page.goto(`${house.url}/admin/capabilities`);
  await page.getByRole("button", { name: /, Chat: Yes/ }).first().waitFor();
  await page.waitForTimeout(600);
  await page.screenshot({ path: join(OUT, "capabilities.png") });
  console.log(join(OUT, "capabilities.png"), asked.map((model) => model.id).join(" "));
} finally {
  await browser.close();
  await house.stop();
  for (const server of [llama, ollama, old, fresh]) await server?.stop();
}
