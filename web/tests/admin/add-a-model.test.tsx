//! "Add a model": the test button says what it found or why not, a changed address makes its result void, and only what was ticked is offered.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Provider } from "@/api/types";
import { queries } from "@/app/queries";
import { ProviderDialog } from "@/pages/admin/provider-dialog";

const PRESET = { slug: "ollama", name: "Ollama", name_zh: "Ollama", kind: "openai", base_url: "http://127.0.0.1:11434", needs_key: false, local: true, hint: "Run `ollama serve`.", hint_zh: "x" };
const FOUND = { ok: true, base_url: "http://127.0.0.1:11434/v1", models: [{ name: "llama3", context: null }, { name: "qwen3", context: 32768 }], latency_ms: 38, failure: null };
const REFUSED = { ok: false, failure: { code: "unreachable", message: "connection refused" }, base_url: null, models: [], latency_ms: null };

type Sent = { method: string; path: string; body: Record<string, unknown> };
let sent: Sent[] = [];
let tested: (() => void) | null = null;
let result: unknown = FOUND;
let closed = 0;

beforeEach(() => {
  queries.clear();
  sent = [];
  closed = 0;
  result = FOUND;
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const json = (body: unknown) => new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });
    if (path === "/api/providers/presets") return json({ presets: [PRESET] });
    if (init.method === "GET") return json([]);
    sent.push({ method: String(init.method), path, body: JSON.parse(String(init.body)) as Record<string, unknown> });
    if (path !== "/api/providers/test") return json({});
    await new Promise<void>((done) => (tested = done));
    return json(result);
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function open(provider: Provider | null = null) {
  render(
    <QueryClientProvider client={queries}>
      <ProviderDialog provider={provider} onClose={() => (closed += 1)} />
    </QueryClientProvider>,
  );
}
const button = (name: string) => screen.getByRole("button", { name }) as HTMLButtonElement;
const finishTest = async () => {
  await waitFor(() => expect(tested).not.toBeNull());
  tested?.();
  tested = null;
};

test("a preset, a test, a choice", async () => {
  open();
  fireEvent.click(await screen.findByRole("button", { name: "Ollama" }));
  expect((screen.getByLabelText("Address") as HTMLInputElement).value).toBe(PRESET.base_url);
  fireEvent.click(button("Test the connection"));
  await screen.findByRole("button", { name: "Testing…" });
  expect(button("Testing…").disabled).toBe(true);
  expect(button("Add").disabled).toBe(true);
  await finishTest();
  expect((await screen.findByRole("status")).textContent).toContain("It answered in 38 ms and lists 2 models.");

  fireEvent.click(screen.getByLabelText("Only these"));
  fireEvent.click(screen.getByLabelText("llama3"));
  fireEvent.click(button("Add"));
  await waitFor(() => expect(closed).toBe(1));
  expect(sent.at(-1)).toEqual({ method: "POST", path: "/api/providers", body: { kind: "openai", name: "Ollama", base_url: PRESET.base_url, models: [{ name: "qwen3", enabled: true }] } });
  expect(sent.filter((one) => one.path === "/api/providers/test")).toHaveLength(1);
});

test("nothing answers: the reason in words, and adding it anyway", async () => {
  result = REFUSED;
  open();
  fireEvent.change(await screen.findByLabelText("Address"), { target: { value: "http://10.0.0.9:8000" } });
  fireEvent.change(screen.getByLabelText("Name"), { target: { value: "GPU box" } });
  fireEvent.click(button("Add"));
  await finishTest();
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("cannot be reached");
  expect(alert.textContent).toContain("connection refused");
  expect(closed).toBe(0);

  fireEvent.change(screen.getByLabelText("Address"), { target: { value: "http://10.0.0.10:8000" } });
  await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  expect(button("Add")).toBeTruthy();
  fireEvent.change(screen.getByLabelText("Address"), { target: { value: "http://10.0.0.9:8000" } });
  fireEvent.click(await screen.findByRole("button", { name: "Add anyway" }));
  await waitFor(() => expect(closed).toBe(1));
  expect(sent.at(-1)?.body).toEqual({ kind: "openai", name: "GPU box", base_url: "http://10.0.0.9:8000" });
});

test("an address without http is not sent", async () => {
  open();
  fireEvent.change(await screen.findByLabelText("Address"), { target: { value: "localhost" } });
  fireEvent.click(button("Test the connection"));
  expect((await screen.findByRole("alert")).textContent).toBe("An address begins with http:// or https://.");
  expect(sent).toEqual([]);
});

test("editing keeps the stored key, or deletes it when asked", async () => {
  const provider: Provider = { id: "p1", name: "GPU", kind: "openai", base_url: "http://gpu/v1", source: "settings", has_key: true, enabled: true, discover: true, problem: null, models: [] };
  open(provider);
  fireEvent.click(button("Test the connection"));
  await finishTest();
  await screen.findByRole("status");
  expect(sent[0]?.body).toEqual({ kind: "openai", base_url: "http://gpu/v1", id: "p1" });
  fireEvent.click(button("Save"));
  await waitFor(() => expect(closed).toBe(1));
  expect(sent.at(-1)).toEqual({ method: "PATCH", path: "/api/providers/p1", body: { kind: "openai", name: "GPU", base_url: "http://gpu/v1", models: [] } });

  fireEvent.click(screen.getByLabelText("Delete the stored key"));
  fireEvent.click(button("Save"));
  await waitFor(() => expect(closed).toBe(2));
  expect(sent.at(-1)?.body.api_key).toBe("");
});
