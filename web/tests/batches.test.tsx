//! Batches on their pages: what a preview puts into the form, what is sent, what is said of one that rests, and what its buttons ask for.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Batch, BatchRow } from "@/api/batches";
import { queries } from "@/app/queries";
import { translate } from "@/lib/i18n";
import { BatchPage } from "@/pages/batches/batch-page";
import { NewBatchPage } from "@/pages/batches/new-page";

const go = vi.fn();
vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: ReactNode }) => <a href="/x">{children}</a>,
  useNavigate: () => go,
  useParams: () => ({ batch: "b1" }),
}));
vi.mock("@/pages/assistants/frame", () => ({ Frame: ({ children }: { children: ReactNode }) => <main>{children}</main> }));
vi.mock("@/chat/uploads", () => ({ upload: async (file: File) => ({ id: `id-${file.name}`, name: file.name }) }));

const BATCH: Batch = {
  id: "b1",
  name: "Tickets",
  assistant: null,
  assistant_version: null,
  model: "mock/m",
  instructions: null,
  template: "{{text}}",
  columns: ["text"],
  at_once: 2,
  state: "paused",
  reason: { code: "over_daily_limit", message: "the daily limit of 60 tokens is reached" },
  total: 3,
  done: 1,
  failed: 1,
  prompt: 20,
  completion: 5,
  created_at: 1_700_000_000_000,
  updated_at: 1_700_000_001_000,
  finished_at: null,
};
const row = (seq: number, more: Partial<BatchRow>): BatchRow => ({ seq, cells: [`cell ${seq}`], state: "done", answer: "", failure: null, prompt: 7, completion: 2, left_out: 0, ms: 1200, tries: 1, ...more });

let sent: { method: string; path: string; body: unknown }[] = [];
let told: Batch = BATCH;

beforeEach(() => {
  queries.clear();
  sent = [];
  told = BATCH;
  go.mockClear();
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const json = (body: unknown) => new Response(JSON.stringify(body), { status: 200, headers: { "content-type": "application/json" } });
    if (init.method !== "GET") {
      const body = typeof init.body === "string" ? (JSON.parse(init.body) as { template?: string }) : null;
      sent.push({ method: String(init.method), path, body });
      if (path === "/api/batches/preview") return json({ columns: ["ticket", "text"], rows: 6, first: [], question: body?.template ? "Ticket 1" : "", model: "mock/m", prompt: 120, completion_at_most: 600 });
      return path === "/api/batches" ? json(told) : new Response(null, { status: 204 });
    }
    if (path === "/api/batches/examples") {
      const words = { name: "Ticket analysis", summary: "s", instructions: "Sort.", template: "{{text}}", samples: [{ name: "tickets.csv", text: "ticket,text\n1,a\n" }] };
      return json({ items: [{ slug: "ticket-analysis", source: "table", max_tokens: 300, en: words, zh: words }] });
    }
    if (path.startsWith("/api/batches/b1/rows")) return json({ items: [row(0, { answer: "fine" }), row(1, { state: "failed", failure: { code: "cut", message: "it broke off" } })], next: null });
    if (path.startsWith("/api/batches/b1")) return json(told);
    return json(path.startsWith("/api/models") ? { models: [], default: null } : { items: [] });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (page: ReactNode) => render(<QueryClientProvider client={queries}>{page}</QueryClientProvider>);
const t = (key: Parameters<typeof translate<"batches">>[1], params?: Record<string, string | number>) => translate("batches", key, params);

test("an example fills in the form, its columns can be inserted, and what is begun is what was seen", async () => {
  show(<NewBatchPage />);
  fireEvent.click(await screen.findByRole("button", { name: t("take_it", { name: "Ticket analysis" }) }));
  fireEvent.click(await screen.findByRole("button", { name: t("insert", { column: "ticket" }) }));
  const template = screen.getByLabelText<HTMLTextAreaElement>(t("template"));
  expect(template.value).toContain("{{ticket}}");
  fireEvent.change(template, { target: { value: "{{text}}" } });
  fireEvent.click(screen.getByRole("button", { name: t("preview") }));
  await screen.findByText("Ticket 1");
  fireEvent.click(screen.getByRole("button", { name: t("start") }));
  await waitFor(() => expect(go).toHaveBeenCalledWith({ to: "/batches/$batch", params: { batch: "b1" } }));
  const begun = sent.find((one) => one.path === "/api/batches")?.body;
  expect(begun).toMatchObject({ table: "id-tickets.csv", template: "{{text}}", instructions: "Sort.", max_tokens: 300, at_once: 2, model: null, assistant: null });
});

test("one that rests says why, and goes on or asks again what failed", async () => {
  show(<BatchPage />);
  await screen.findByText(t("paused", { reason: "the daily limit of 60 tokens is reached" }));
  await screen.findByText(t("summary", { done: 1, failed: 1, waiting: 1 }));
  await screen.findByText("it broke off");
  fireEvent.click(screen.getByRole("button", { name: t("resume") }));
  fireEvent.click(screen.getByRole("button", { name: t("retry", { count: 1 }) }));
  await waitFor(() => expect(sent.map((one) => one.path)).toEqual(["/api/batches/b1/resume", "/api/batches/b1/retry"]));
  expect(screen.getByRole("link", { name: t("export", { format: "XLSX" }) }).getAttribute("href")).toBe("/api/batches/b1/export?format=xlsx");
});

test("one that runs is told in rows and can be stopped", async () => {
  told = { ...BATCH, state: "running", reason: null };
  show(<BatchPage />);
  await screen.findByText(t("progress", { done: 2, total: 3 }));
  fireEvent.click(screen.getByRole("button", { name: t("stop") }));
  await waitFor(() => expect(sent.map((one) => one.path)).toEqual(["/api/batches/b1/stop"]));
});
