//! Two people: an invitation makes the second, who sees nothing of the first; guessing a password is slowed down; a session
//! that was ended elsewhere says so.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PASSWORD, ask, becomeOwner, composer, openPage, reads, signIn, startBrowser, startHouse } from "./house.mjs";
import { startModel } from "./model.mjs";

let model, house, browser, owner, member, secret;
before(async () => {
  model = await startModel();
  house = await startHouse({ model: model.url });
  browser = await startBrowser();
  owner = await openPage(browser, house);
  await becomeOwner(owner, house);
});
after(async () => {
  await browser?.close();
  await house?.stop();
  await model?.stop();
});

test("an invitation makes a second person", async () => {
  await ask(owner, "the owner's own matter");
  await reads(owner, "the owner's own matter");
  secret = new URL(owner.url()).pathname;
  await owner.goto(`${house.url}/admin/invitations`);
  await owner.getByRole("button", { name: "Invite someone" }).click();
  await owner.getByLabel("Note").fill("for Grace");
  await owner.getByRole("button", { name: "Make the link" }).click();
  const link = await owner.getByRole("textbox", { name: "One-time link" }).inputValue();
  await owner.getByRole("button", { name: "I have passed it on" }).click();
  await owner.getByText("for Grace").waitFor();

  member = await openPage(browser, house);
  await member.goto(link);
  await member.getByText("Ada Lovelace invites you").waitFor();
  assert.ok(!member.url().includes("token"), "the token is still in the address bar");
  await member.getByLabel("Your name").fill("Grace Hopper");
  await member.getByLabel("Sign-in name").fill("grace");
  await member.getByLabel("Password", { exact: true }).fill("a compiler is a translator");
  await member.getByRole("button", { name: "Join", exact: true }).click();
  await composer(member).waitFor();
});

test("who joins sees nothing of the others, and no administration", async () => {
  assert.equal(await member.getByRole("navigation", { name: "Conversations" }).getByRole("link").count(), 0);
  await member.goto(house.url + secret);
  await member.getByText("This chat is not here").waitFor();
  const answer = await member.request.get(`${house.url}/api/conversations/${secret.split("/").at(-1)}`);
  assert.equal(answer.status(), 404);
  const found = await (await member.request.get(`${house.url}/api/search?q=matter`)).json();
  assert.deepEqual(found.items, []);
  await member.goto(`${house.url}/admin/people`);
  await composer(member).waitFor();
  assert.equal((await member.request.get(`${house.url}/api/people`)).status(), 403);
});

test("the link works once", async () => {
  await owner.reload();
  await owner.getByText("Grace Hopper joined").waitFor();
});

test("a session that is ended elsewhere says so, and comes back to where it was", async () => {
  const second = await openPage(browser, house);
  await signIn(second, house, "ada");
  await second.goto(`${house.url}/settings/usage`);
  await second.getByText("No daily limit").waitFor();
  await owner.goto(`${house.url}/settings/sessions`);
  await owner.getByRole("button", { name: "Sign out everywhere else" }).click();
  await owner.getByRole("button", { name: "Sign them out" }).click();
  await second.getByText("Your session has ended").waitFor({ timeout: 30_000 });
  await signIn(second, house, "ada", { here: true });
  await second.waitForURL(`${house.url}/settings/usage`);
  await second.context().close();
});

test("guessing is slowed down, with the seconds to wait", async () => {
  const stranger = await openPage(browser, house);
  await stranger.goto(`${house.url}/signin`);
  const waiting = stranger.getByRole("button", { name: /Try again in \d+ s/ });
  for (let tries = 0; tries < 30 && !(await waiting.isVisible()); tries += 1) {
    await stranger.getByLabel("Sign-in name").fill("grace");
    await stranger.getByLabel("Password", { exact: true }).fill(`guess number ${tries}`);
    await stranger.getByRole("button", { name: "Sign in", exact: true }).click();
    await stranger.getByRole("alert").first().waitFor();
  }
  await stranger.getByText("Too many attempts").waitFor();
  assert.ok(await waiting.isDisabled());
  await stranger.context().close();
});

test("a password reset by a link from an administrator", async () => {
  await owner.goto(`${house.url}/admin/people`);
  await owner.getByRole("button", { name: "Options for Grace Hopper" }).click();
  await owner.getByRole("menuitem", { name: "Password reset link" }).click();
  const link = await owner.getByRole("textbox", { name: "One-time link" }).inputValue();
  const page = await openPage(browser, house);
  await page.goto(link);
  await page.getByLabel("New password").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByText("Your new password is set").waitFor();
  assert.deepEqual(page.strangers, []);
  await page.context().close();
});
