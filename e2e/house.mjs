//! What every browser test stands on: the program on a free port with a data folder of its own, Chromium, and the
//! way in. It knows Portico by its command line and by what a person reads; it looks into no database.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The pages' own packages: there is no second lock file.
const require = createRequire(new URL("../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const BINARY = process.env.PORTICO_BIN ?? new URL("../target/release/portico", import.meta.url).pathname;
/** Where it listens; another address of the machine shows what plain http on a network does. */
export const HOST = process.env.PORTICO_E2E_HOST ?? "127.0.0.1";
export const SHARED = process.env.PORTICO_SHARED ?? new URL("../../shared", import.meta.url).pathname;
export const STORIES = join(SHARED, "models/stories260K.gguf");
export const PASSWORD = "a long enough pass phrase";

/** A test that needs material which is not there is skipped by name; on CI its absence fails the test instead. */
export const skipWithout = (file) => (existsSync(file) || process.env.CI === "true" ? false : `${file} is absent`);

/** Starts `portico serve`. `model`: the address of a model server; `gguf`: a file for the engine; `starter`: whether the model that comes with
 * it answers where there is no other; `settings`: more of portico.toml. */
export async function startHouse({ model, gguf, data, starter = false, settings = "" } = {}) {
  // In memory where there is one: what is tested is the portal, not how long a busy disk takes to sync. A kill -9 loses nothing
  // of either.
  const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const folder = data ?? (await mkdtemp(join(place, "portico-e2e.")));
  const config = join(folder, "portico.toml");
  const provider = model ? `[[provider]]\nslug = "echo"\nname = "Echo"\nbase_url = "${model}"\n` : "";
  await writeFile(config, `starter = ${starter}\n${provider}${settings}`);
  const args = ["serve", "--config", config, "--data", folder, "--listen", `${HOST}:0`, ...(gguf ? ["--model", gguf] : [])];
  const started = performance.now();
  const child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const ended = new Promise((done) => child.on("exit", (code, signal) => done(signal ?? code)));
  const url = await new Promise((ready, fail) => {
    const late = setTimeout(() => fail(new Error(`not ready within 20 s:\n${said}`)), 20_000);
    const look = (piece) => {
      said += piece;
      const found = /portico is ready on (http\S+)/.exec(said);
      if (found) ready((clearTimeout(late), found[1].replace(/\/$/, "")));
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("error", fail);
    void ended.then((how) => fail(new Error(`portico ended (${how}):\n${said}`)));
  });
  return {
    url,
    folder,
    child,
    readyMs: performance.now() - started,
    /** The one-time link that makes the owner. */
    setupLink: async () => {
      for (let tries = 0; tries < 100; tries += 1) {
        const found = /(http\S+\/setup#token=\S+)/.exec(said);
        if (found) return found[1];
        await new Promise((done) => setTimeout(done, 20));
      }
      throw new Error(`no set-up link was printed:\n${said}`);
    },
    log: () => said,
    kill: async () => (child.kill("SIGKILL"), ended),
    stop: async ({ keep = false } = {}) => {
      child.kill("SIGTERM");
      const hard = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await ended;
      clearTimeout(hard);
      if (!keep) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Chromium. As root it has no sandbox of its own; the pages are ours. */
export const startBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync),
    args: [...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), "--disable-dev-shm-usage"],
  });

/** A page that remembers what must not happen: requests to another origin, errors in the console. */
export async function openPage(browser, house, options = {}) {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  return watch(page, house);
}

/** The same for a further tab of that context. */
export function watch(page, house) {
  page.strangers = [];
  page.complaints = [];
  const known = (address) => address.startsWith(house.url) || address.startsWith(house.url.replace("http", "ws")) || /^(data|blob):/.test(address);
  page.on("request", (request) => known(request.url()) || page.strangers.push(request.url()));
  page.on("websocket", (socket) => known(socket.url()) || page.strangers.push(socket.url()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
  return page;
}

/** First run: opens the link from the terminal and becomes the owner. */
export async function becomeOwner(page, house) {
  await page.goto(await house.setupLink());
  await page.getByLabel("Your name").fill("Ada Lovelace");
  await page.getByLabel("Sign-in name").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create the owner" }).click();
  await composer(page).waitFor();
}

/** Signs in; `here`: the page shows the form already. */
export async function signIn(page, house, name, { password = PASSWORD, here = false } = {}) {
  if (!here) await page.goto(`${house.url}/signin`);
  await page.getByLabel("Sign-in name").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("button", { name: "Sign in", exact: true }).waitFor({ state: "detached" });
}

/** The signed-in person's language, which wins over the browser's. */
export async function speak(page, house, language) {
  const changed = await page.request.patch(`${house.url}/api/me`, { data: { language }, headers: { origin: house.url } });
  if (!changed.ok()) throw new Error(`the language stays: ${changed.status()} ${await changed.text()}`);
}

export const composer = (page) => page.getByRole("textbox", { name: "Message", exact: true });
export const log = (page) => page.getByRole("log", { name: "Conversation" });
/** The last message on the page; after a question, its answer. */
export const lastMessage = (page) => log(page).getByRole("article").last();

export async function ask(page, text) {
  await composer(page).fill(text);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** Waits until the last message reads as `wanted` does (a text or a pattern), and gives what it reads. */
export async function reads(page, wanted, timeout = 15_000) {
  const holds = (text) => (wanted instanceof RegExp ? wanted.test(text) : text.includes(wanted));
  const until = performance.now() + timeout;
  let text = "";
  while (performance.now() < until) {
    text = await lastMessage(page).innerText({ timeout }).catch(() => "");
    if (holds(text)) return text;
    await page.waitForTimeout(50);
  }
  throw new Error(`the last message never read ${wanted}; it reads:\n${text}`);
}

/** What axe finds against WCAG 2.2 A and AA, one line for each rule broken. */
export async function violations(page) {
  // What fades in has its colours only when it is there.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))));
  // Evaluated, not added as a script tag: the pages' own content policy refuses such a tag.
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
  const found = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: "tag", values } }), tags);
  return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}
