//! Plugins: installed with what was chosen, flaws at their fields, grants one by one, a call made of its form, secrets that never come back.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ManifestView, Plugin, Schema } from "@/api/plugins";
import { queries } from "@/app/queries";
import { Console } from "@/pages/admin/plugins/console";
import { entriesOf, operationsOf } from "@/pages/admin/plugins/data";
import { InstallForm } from "@/pages/admin/plugins/install-form";
import { controlOf, initial, missing, put, readFields, typed } from "@/pages/admin/plugins/schema";
import { Settings } from "@/pages/admin/plugins/settings";
import { readDocument } from "@/pages/admin/plugins/source-form";
import { Toaster } from "@/ui/toast";

const SCHEMA: Schema = {
  type: "object",
  required: ["customer", "body"],
  properties: {
    customer: { type: "string" },
    limit: { type: ["integer", "null"], default: 10, description: "At most so many" },
    state: { enum: ["open", "paid"] },
    urgent: { type: "boolean" },
    tags: { type: "array" },
    body: { type: "object", required: ["amount"], properties: { amount: { type: "number" } } },
  },
};
const VIEW: ManifestView = {
  name: "erp",
  title: "ERP",
  description: "Orders",
  icon: "📦",
  kind: "openapi",
  permissions: ["net:erp.example", "read:files"],
  tools: [{ name: "erp__create", description: "A new order", parameters: SCHEMA }],
  triggers: [],
  auth: "bearer",
  secrets: { token: true },
};
const PLUGIN: Plugin = { ...VIEW, enabled: true, grants: ["net:erp.example"], secrets_set: ["token"], choices: { private: false }, unreachable: null };
const DOCUMENT = { openapi: "3.0.3", paths: { "/orders": { get: { operationId: "list", summary: "All" }, post: { summary: "New" } }, "/x": { parameters: [] } } };

let sent: { method: string; path: string; body: Record<string, unknown> }[] = [];
let answers: Record<string, () => Response> = {};
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });

beforeEach(() => {
  queries.clear();
  sent = [];
  answers = { "POST /api/plugins/check": () => json([VIEW]), "POST /api/plugins": () => json([PLUGIN]), "GET /api/plugins": () => json({ plugins: [PLUGIN], presets: [] }) };
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const method = String(init.method);
    if (method !== "GET") sent.push({ method, path, body: JSON.parse(String(init.body)) });
    return (answers[`${method} ${path}`] ?? (() => json({ code: "not_found" }, 404)))();
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (page: React.ReactNode) =>
  render(
    <QueryClientProvider client={queries}>
      {page}
      <Toaster />
    </QueryClientProvider>,
  );
const posted = (path: string) => sent.filter((one) => one.path === path).at(-1)?.body;

test("what is refused is not granted, a secret must be there, and what is not chosen is no tool", async () => {
  const done = vi.fn();
  show(<InstallForm document={DOCUMENT} onBack={() => {}} onDone={done} />);
  fireEvent.click(await screen.findByRole("switch", { name: "Read files that people attach" }));
  const install = screen.getByRole<HTMLButtonElement>("button", { name: "Install" });
  expect(install.disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("Token"), { target: { value: "s3cret" } });
  fireEvent.click(screen.getByRole("checkbox", { name: /POST \/orders/ }));
  await waitFor(() => expect(install.disabled).toBe(false));
  fireEvent.click(install);
  await waitFor(() => expect(done).toHaveBeenCalledWith("erp"));
  expect(posted("/api/plugins")).toMatchObject({ grants: ["net:erp.example"], secrets: { token: "s3cret" }, operations: ["list"], manifest: DOCUMENT });
});

test("what is wrong is said at its field, and the field stays while it is mended", async () => {
  show(<InstallForm document={DOCUMENT} onBack={() => {}} onDone={() => {}} />);
  await screen.findByText("Orders");
  answers["POST /api/plugins/check"] = () => json({ code: "plugin_flawed", message: "x", params: { flaws: [{ field: "name", message: "no name" }, { field: "paths", message: "none" }] } }, 422);
  const name = screen.getByLabelText("Name here");
  fireEvent.change(name, { target: { value: "a b" } });
  await waitFor(() => expect(name.getAttribute("aria-invalid")).toBe("true"));
  expect(screen.getByText("no name")).toBeTruthy();
  expect(screen.getByText("paths")).toBeTruthy();
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Install" }).disabled).toBe(true);
});

test("a call is made of the form, and of JSON; its answer and time are shown", async () => {
  answers["POST /api/plugins/erp/try"] = () => json([{ tool: "erp__create", text: '[{"id":1}]', error: null, ms: 1500 }]);
  show(<Console plugin={PLUGIN} />);
  expect(screen.getByText(/Still missing: customer, body.amount/)).toBeTruthy();
  fireEvent.change(screen.getByLabelText("customer"), { target: { value: "甲" } });
  fireEvent.change(screen.getByLabelText("amount"), { target: { value: "12.5" } });
  fireEvent.change(screen.getByLabelText("urgent"), { target: { value: "true" } });
  fireEvent.change(screen.getByLabelText("tags"), { target: { value: '["a"' } });
  expect(screen.getByText("This is no JSON yet.")).toBeTruthy();
  fireEvent.change(screen.getByLabelText("tags"), { target: { value: '["a"]' } });
  fireEvent.click(screen.getByRole("button", { name: "Call" }));
  expect(await screen.findByText("Done in 1.5 sec")).toBeTruthy();
  expect(screen.getByRole("table")).toBeTruthy();
  expect(posted("/api/plugins/erp/try")).toEqual({ tool: "erp__create", arguments: { limit: 10, body: { amount: 12.5 }, customer: "甲", urgent: true, tags: ["a"] } });

  fireEvent.click(screen.getByRole("radio", { name: "JSON" }));
  const raw = screen.getByLabelText<HTMLTextAreaElement>("Arguments", { selector: "textarea" });
  expect(JSON.parse(raw.value).customer).toBe("甲");
  fireEvent.change(raw, { target: { value: "[1]" } });
  expect(screen.getByText("Arguments are a JSON object.")).toBeTruthy();
  fireEvent.change(raw, { target: { value: '{"customer":"乙"}' } });
  fireEvent.click(screen.getByRole("button", { name: "Call" }));
  await waitFor(() => expect(posted("/api/plugins/erp/try")).toEqual({ tool: "erp__create", arguments: { customer: "乙" } }));
});

test("a secret is written, never shown, and what must be there is not taken away", async () => {
  answers["PATCH /api/plugins/erp"] = () => json(PLUGIN);
  show(<Settings plugin={PLUGIN} />);
  const field = screen.getByLabelText<HTMLInputElement>("Token");
  expect(field.value).toBe("");
  expect(field.type).toBe("password");
  expect(screen.queryByRole("button", { name: "Take away: Token" })).toBeNull();
  fireEvent.change(field, { target: { value: "new" } });
  fireEvent.click(screen.getByRole("button", { name: "Save: Token" }));
  await screen.findByText("The secret is set.");
  expect(posted("/api/plugins/erp")).toEqual({ secrets: { token: "new" } });
  expect(field.value).toBe("");
});

test("another way to prove itself asks for its own secrets", async () => {
  const flaws = [{ field: "secrets.key", message: "it is missing" }];
  answers["PATCH /api/plugins/erp"] = () => json({ code: "plugin_flawed", message: "x", params: { flaws } }, 422);
  show(<Settings plugin={{ ...PLUGIN, secrets: {} }} />);
  fireEvent.change(screen.getByLabelText("How it proves itself"), { target: { value: "key" } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  const key = await screen.findByLabelText("Key");
  expect(within(key.closest("form") as HTMLElement).getByText("it is missing")).toBeTruthy();
  answers["PATCH /api/plugins/erp"] = () => json({ ...PLUGIN, auth: "key" });
  fireEvent.change(key, { target: { value: "k" } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(posted("/api/plugins/erp")).toMatchObject({ choices: { auth: { type: "key", in: "header", name: "X-Api-Key" } }, secrets: { key: "k" } }));
});

test("a manifest that is none says why", () => {
  expect(readDocument("\uFEFF {}")).toEqual({ document: {} });
  expect(readDocument("  ")).toMatchObject({ problem: "empty" });
  expect(readDocument("{")).toMatchObject({ problem: "no_json" });
  expect(readDocument("[1, null]")).toMatchObject({ problem: "no_plugin" });
  expect(entriesOf([{ a: 1 }, 2, [3], { b: 4 }])).toEqual([{ a: 1 }, { b: 4 }]);
});

test("operations go by their id, else by method and path", () => {
  expect(operationsOf(DOCUMENT)).toEqual([
    { id: "list", summary: "All" },
    { id: "POST /orders", summary: "New" },
  ]);
  expect(operationsOf({ identifier: "x" })).toEqual([]);
});

test("schemas become controls and values of their kind", () => {
  const kinds = Object.entries(SCHEMA.properties ?? {}).map(([, field]) => controlOf(field));
  expect(kinds).toEqual(["text", "integer", "choice", "boolean", "json", "group"]);
  expect(initial(SCHEMA)).toEqual({ limit: 10, body: {} });
  expect(missing(SCHEMA, { body: {} })).toEqual(["customer", "body.amount"]);
  expect(put({ a: 1 }, "a", undefined)).toEqual({});
  expect(typed("integer", {}, "abc")).toBe("abc");
  expect(typed("choice", { enum: [1, 2] }, "2")).toBe(2);
  expect(typed("boolean", {}, "")).toBeUndefined();
  expect(readFields("")).toEqual({ fields: {} });
  expect(readFields("3")).toEqual({ problem: "object" });
});
