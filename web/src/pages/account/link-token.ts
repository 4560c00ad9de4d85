//! The secret of a one-time link. It arrives in the fragment (so that no server or proxy logs it), leaves the address bar at once, and lives in memory only.
import { redirect } from "@tanstack/react-router";

type Page = "/setup" | "/join" | "/reset";

const held = new Map<Page, string>();

/** For a route's `beforeLoad`: takes the token out of the address, so that a screenshot, the history or a copied address does not hold it. */
export function takeToken(page: Page, hash: string) {
  const token = new URLSearchParams(hash).get("token");
  if (token === null) return;
  held.set(page, token);
  throw redirect({ to: page, replace: true });
}

export function heldToken(page: Page): string | null {
  return held.get(page) ?? null;
}

/** The token in what a person pasted: the whole link, or the token alone. */
export function tokenIn(pasted: string): string {
  const text = pasted.trim();
  const at = text.indexOf("#");
  return (at === -1 ? null : new URLSearchParams(text.slice(at + 1)).get("token")) ?? text;
}
