//! The pictures of plugins: a step in an answer opened to its table, and a plugin's page; light, dark, phone and Chinese. Writes
//! docs/images/tool-step.png; with a folder named, all of them go there, to be looked at.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { KEY, startErp, tickets } from "./erp.mjs";
import { becomeOwner, openPage, startBrowser, startHouse } from "./house.mjs";
import { startModel } from "./model.mjs";

const OUT = process.argv[2] ?? new URL("../docs/images", import.meta.url).pathname;
const all = process.argv[2] !== undefined;
mkdirSync(OUT, { recursive: true });

const model = await startModel();
const erp = await startErp();
const house = await startHouse({ model: model.url });
const browser = await startBrowser();
try {
  const owner = await openPage(browser, house);
  await becomeOwner(owner, house);
  const post = async (path, data) => (await owner.request.post(house.url + path, { data, headers: { origin: house.url } })).json();
  const { presets } = await (await owner.request.get(`${house.url}/api/plugins`)).json();
  await post("/api/plugins", { manifest: presets.filter((preset) => preset.builtin) });
  await post("/api/plugins", { manifest: await (await fetch(`${erp.url}/openapi.json`)).json(), secrets: { key: KEY } });
  await post("/api/plugins", { manifest: tickets(erp.url) });
  const question = 'What is owed to us by TICKET-7?\ncall erp-demo__listOrders {"state":"open"}\ncall calculator {"expression":"1280.50 + 96000"}\ncall erp-demo__gone {}';
  const state = await owner.context().storageState();
  const looks = [
    ["", { colorScheme: "light", viewport: { width: 1280, height: 860 } }],
    ["-dark", { colorScheme: "dark", viewport: { width: 1280, height: 860 } }],
    ["-phone", { colorScheme: "dark", locale: "zh-CN", viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
    ["-chinese", { colorScheme: "light", locale: "zh-CN", viewport: { width: 1280, height: 860 } }],
  ];
  for (const [suffix, look] of all ? looks : looks.slice(0, 1)) {
    const page = await openPage(browser, house, { storageState: state, deviceScaleFactor: 2, ...look });
    const chinese = look.locale === "zh-CN";
    await page.request.patch(`${house.url}/api/me`, { data: { language: chinese ? "zh-CN" : "en" }, headers: { origin: house.url } });
    const shoot = async (name) => {
      await page.mouse.move(2, 2);
      await page.waitForTimeout(900);
      await page.screenshot({ path: join(OUT, `${name}${suffix}.png`) });
      console.log(join(OUT, `${name}${suffix}.png`));
    };
    await page.goto(house.url);
    await page.getByRole("textbox", { name: chinese ? "消息" : "Message", exact: true }).fill(question);
    await page.getByRole("button", { name: chinese ? "发送" : "Send", exact: true }).click();
    await page.getByRole("button", { name: chinese ? "停止" : "Stop", exact: true }).waitFor({ state: "detached", timeout: 30_000 });
    await page.waitForTimeout(1500);
    await page.getByRole("button", { name: /listOrders/ }).last().click();
    await page.getByRole("table").last().waitFor();
    await page.getByRole("list", { name: chinese ? "回答之前的步骤" : "Steps before this answer" }).last().evaluate((list) => list.scrollIntoView({ block: "start" }));
    await shoot("tool-step");
    if (!all) continue;
    await page.goto(`${house.url}/admin/plugins`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await shoot("plugins");
    await page.goto(`${house.url}/admin/plugins/erp-demo`);
    for (const [at, name] of ["tools", "permissions", "settings", "console", "calls"].entries()) {
      await page.getByRole("tab").nth(at).click();
      if (name === "console") {
        await page.locator("form button[type=submit]").click();
        await page.getByRole("table").waitFor();
      }
      await shoot(`plugin-${name}`);
    }
    await page.goto(`${house.url}/admin/plugins`);
    await page.getByRole("button", { name: chinese ? "安装插件" : "Install a plugin", exact: true }).click();
    await page.getByRole("radio").last().click();
    await page.getByRole("textbox").fill(`${erp.url}/openapi.json`);
    await page.locator("[role=dialog] button[type=submit]").click();
    await page.getByRole("dialog").getByRole("switch").first().waitFor();
    await shoot("plugin-install");
    await page.context().close();
  }
} finally {
  await browser.close();
  await house.stop();
  await erp.stop();
  await model.stop();
}
