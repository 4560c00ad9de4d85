//! Pictures of the portal against the mock, to be looked at: `node scripts/shots.mjs OUT [base]`. Needs a Chromium (CHROMIUM, default /usr/bin/chromium).
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const out = process.argv[2] ?? "shots";
const base = process.argv[3] ?? "http://127.0.0.1:8421";
mkdirSync(out, { recursive: true });

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const LOOKS = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light", locale: "en-US" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark", locale: "zh-CN" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "zh-CN", hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};
const only = process.argv[4]?.split(",");

for (const [look, options] of Object.entries(LOOKS)) {
  if (only && !only.includes(look)) continue;
  const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "shots-")), { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, ...options });
  const page = context.pages()[0] ?? (await context.newPage());
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && console.log(`${look}: ${message.text()}`));
  page.on("pageerror", (error) => console.log(`${look}: ${error}`));
  page.on("request", (request) => request.url().startsWith(base) || /^(data|blob):/.test(request.url()) || console.log(`${look}: FOREIGN ${request.url()}`));
  const shot = (name) => page.screenshot({ path: join(out, `${look}-${name}.png`) });

  await page.goto(base);
  const box = page.getByRole("textbox", { name: /Message|消息/ });
  await box.waitFor();
  await page.waitForTimeout(400);
  await shot("home");
  await box.fill(look === "light" ? "Explain this clause and name its risks." : "请审查这份供应商合同，标出高风险条款并给出修改建议。");
  await page.getByRole("button", { name: /^(Send|发送)$/ }).click();
  await page.waitForTimeout(1500);
  await shot("streaming");
  await page.getByRole("button", { name: /^(Stop|停止)$/ }).waitFor({ state: "detached", timeout: 30_000 });
  await page.waitForTimeout(1500);
  await shot("answer-end");
  await page.evaluate(() => document.querySelector("[role=log]").scrollTo(0, 0));
  await page.waitForTimeout(500);
  await shot("answer-top");
  await page.evaluate(() => document.querySelector("[role=log]").scrollTo(0, 620));
  await page.waitForTimeout(500);
  await shot("answer-middle");
  await page.keyboard.press("Control+k");
  await page.waitForTimeout(500);
  await page.keyboard.type(look === "light" ? "arbitration" : "违约金");
  await page.waitForTimeout(700);
  await shot("palette");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+.");
  await page.waitForTimeout(600);
  await shot("parameters");
  await page.keyboard.press("Escape");
  await context.close();
}
