//! The socket's model states reach the providers' list without a request; an unknown or missing model asks for the list anew.
import { beforeEach, expect, test } from "vitest";
import type { Invitation, Model, Provider } from "@/api/types";
import { queries } from "@/app/queries";
import { adminKeys, providersChanged } from "@/pages/admin/data";
import { fateOf } from "@/pages/admin/invitations";

const model = (id: string, state: Model["state"]): Model => ({ id, name: id, provider: "p", provider_name: "P", local: false, starter: false, context: null, chat_template: null, answers: true, enabled: true, state, alias: false, targets: [], modalities: [] });
const provider = (...ids: string[]): Provider => ({
  id: "p",
  name: "P",
  kind: "openai",
  base_url: "http://p/v1",
  source: "settings",
  has_key: false,
  enabled: true,
  discover: true,
  problem: null,
  models: ids.map((id) => ({ id, name: id, display_name: id, enabled: true, state: { state: "cold" } })),
});
const stale = () => queries.getQueryState(adminKeys.providers)?.isInvalidated;

beforeEach(() => {
  queries.clear();
  queries.setQueryData<Provider[]>(adminKeys.providers, [provider("p/a", "p/b")]);
});

test("states are put in place", () => {
  providersChanged([model("p/a", { state: "loading", percent: 40, eta_ms: null }), model("p/b", { state: "ready" })]);
  const states = queries.getQueryData<Provider[]>(adminKeys.providers)?.[0]?.models.map((one) => one.state.state);
  expect(states).toEqual(["loading", "ready"]);
  expect(stale()).toBe(false);
});

test.each([
  ["new", [model("p/a", { state: "ready" }), model("p/b", { state: "ready" }), model("p/c", { state: "cold" })]],
  ["gone", [model("p/a", { state: "ready" })]],
])("a %s model asks for the list", (_, models) => {
  providersChanged(models);
  expect(stale()).toBe(true);
});

test("an alias is no provider's model, and asks for nothing", () => {
  providersChanged([model("p/a", { state: "ready" }), model("p/b", { state: "ready" }), { ...model("main", { state: "ready" }), alias: true, targets: ["p/a"] }]);
  expect(stale()).toBe(false);
});

test("an invitation is used, expired or open", () => {
  const invitation: Invitation = { id: "i", role: "member", note: null, created_by_name: "x", created_at: 0, expires_at: 100, used_by_name: null };
  expect(fateOf(invitation, 50)).toBe("open");
  expect(fateOf(invitation, 100)).toBe("expired");
  expect(fateOf({ ...invitation, used_by_name: "y" }, 500)).toBe("used");
});
