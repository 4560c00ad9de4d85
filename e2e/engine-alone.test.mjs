//! The engine on a machine of its own, as a portal elsewhere has it: TLS that the portal is told to trust, a key that no process list
//! shows, and its model among the others.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, writeFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BINARY, STORIES, ask, becomeOwner, openPage, reads, skipWithout, startBrowser, startHouse } from "./house.mjs";

const skip = skipWithout(STORIES);
const KEY = "a-key-for-this-test-alone-0001";
const PEM = new URL("../crates/portico/tests/it/worker", import.meta.url).pathname;

let engine, folder, house, browser, page;
before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), "portico-engine."));
  const key = join(folder, "key");
  await writeFile(key, `${KEY}\n`, { mode: 0o600 });
  engine = await startEngine(["--key-file", key, "--tls-cert", join(PEM, "first.pem"), "--tls-key", join(PEM, "first.key")]);
  house = await startHouse({
    settings: `[egress]\nca_file = "${join(PEM, "first.pem")}"\n[[provider]]\nslug = "gpu"\nname = "gpu-1"\nbase_url = "https://${engine.address}"\napi_key_file = "${key}"\n`,
  });
  browser = await startBrowser();
  page = await openPage(browser, house);
  await becomeOwner(page, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  engine?.child.kill("SIGKILL");
  if (folder) await rm(folder, { recursive: true });
});

/** A worker of its own, and where it says it listens. */
async function startEngine(more) {
  const child = spawn(BINARY, ["engine", "--model", STORIES, "--name", "tale", "--listen", "127.0.0.1:0", ...more], { stdio: ["ignore", "pipe", "pipe"] });
  let told = "";
  child.stderr.on("data", (piece) => (told += piece));
  const address = await new Promise((found, fail) => {
    let said = "";
    child.stdout.on("data", (piece) => {
      said += piece;
      const listening = /"listening":"([^"]+)"/.exec(said);
      if (listening) found(listening[1]);
    });
    child.on("exit", (code) => fail(new Error(`the engine ended (${code}): ${said}${told}`)));
  });
  return { child, address };
}

test("its model answers in a portal elsewhere", { skip, timeout: 90_000 }, async () => {
  const listed = async () => (await (await page.request.get(`${house.url}/api/models`)).json()).models?.find((model) => model.id === "gpu/tale");
  // It is asked every second while it loads; the test's own time is the limit.
  while ((await listed())?.state.state !== "ready") await new Promise((done) => setTimeout(done, 50));
  await page.goto(house.url);
  await ask(page, "Once upon a time, there was a little girl named Lily.");
  await reads(page, /\w+ \w+ \w+/, 60_000);
  const command = await readFile(`/proc/${engine.child.pid}/cmdline`, "utf8");
  assert.ok(command.includes("--key-file") && !command.includes(KEY), command);
});

test("without a key, or open to others without TLS, it does not start", { skip, timeout: 30_000 }, async () => {
  const refusal = (args, env = {}) =>
    new Promise((done) => {
      const child = spawn(BINARY, ["engine", "--model", STORIES, "--listen", "0.0.0.0:0", ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
      let told = "";
      child.stderr.on("data", (piece) => (told += piece));
      child.on("exit", (code) => done({ code, told }));
    });
  const keyless = await refusal([]);
  assert.equal(keyless.code, 1);
  assert.match(keyless.told, /wants a key there: write one into a file/);
  const open = await refusal([], { PORTICO_ENGINE_KEY: KEY });
  assert.equal(open.code, 1);
  assert.match(open.told, /speaks TLS there: name a certificate and its key with --tls-cert and --tls-key/);
});
