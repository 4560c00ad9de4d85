//! The editor of an assistant: what is written is saved with the revision that was read, and only what is saved is published and tried.
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, createMemoryHistory, createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AssistantDetail, Unit } from "@/api/assistants";
import { queries } from "@/app/queries";
import { useSession } from "@/app/session";
import { ICONS } from "@/pages/assistants/avatar";
import { EditorPage } from "@/pages/assistants/editor-page";
import { fits } from "@/pages/assistants/gallery-page";
import { FieldDiff } from "@/pages/assistants/versions";
import { Toaster } from "@/ui/toast";

const unit: Unit = { name: "Clerk", avatar: { icon: "bot", hue: 258 }, summary: "", prompt: "Be brief.", variables: [], questions: ["Why?"], model: null, sampling: { temperature: 0.2 }, plugins: ["invoice"] };
const detail = (part: Partial<AssistantDetail> = {}): AssistantDetail => ({
  assistant: { id: "a1", name: "Clerk", avatar: unit.avatar, summary: "", questions: unit.questions, model: null, shared: "nobody", mine: true, may_edit: true, published: 1, changed: false, updated_at: 1 },
  draft: unit,
  revision: 4,
  unfilled: [],
  versions: [{ version: 1, current: true, note: "first", at: 1, by_name: "Ada" }],
  ...part,
});

let now: AssistantDetail;
let sent: { method: string; path: string; body: unknown }[] = [];
let refusal: object | null = null;

beforeEach(() => {
  queries.clear();
  [now, sent, refusal] = [detail(), [], null];
  useSession.setState({ me: { id: "p", name: "ada", display_name: "Ada", role: "member", language: "en", settings: {} } });
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
    if (path === "/api/models") return json({ models: [], default: null });
    if (path === "/api/assistants") return json({ items: [now.assistant] });
    if (init.method === "GET") return json(now);
    const body = JSON.parse(String(init.body)) as { unit?: Unit; version?: number };
    sent.push({ method: String(init.method), path, body });
    if (refusal) return json(refusal, 409);
    if (path.endsWith("/try")) return json({ text: body.version ? "old words" : "new words", model: "p/m", finish: "stop", failure: null, completion: 2, ttft_ms: 5 });
    now = detail({ draft: body.unit ?? now.draft, revision: now.revision + 1, assistant: { ...now.assistant, changed: body.unit !== undefined, published: body.unit ? 1 : 2 } });
    return json(now);
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function open() {
  const root = createRootRoute();
  const app = createRoute({ getParentRoute: () => root, id: "app" });
  const page = createRoute({ getParentRoute: () => app, path: "/assistants/$assistant", component: EditorPage });
  const router = createRouter({ routeTree: root.addChildren([app.addChildren([page])]), history: createMemoryHistory({ initialEntries: ["/assistants/a1"] }) });
  render(
    <QueryClientProvider client={queries}>
      <RouterProvider router={router as never} />
      <Toaster />
    </QueryClientProvider>,
  );
  return screen.findByLabelText<HTMLTextAreaElement>("Instructions");
}

test("a draft is saved with its revision, and published only then", async () => {
  const prompt = await open();
  const publish = screen.getByRole<HTMLButtonElement>("button", { name: "Publish" });
  expect(publish.disabled).toBe(true);
  screen.getByText(/names plugins \(invoice\)/);
  fireEvent.change(prompt, { target: { value: "Be kind." } });
  fireEvent.click(screen.getByRole("button", { name: "Add a variable" }));
  fireEvent.change(screen.getByLabelText("Name of variable 1"), { target: { value: "firm" } });
  fireEvent.change(screen.getByLabelText("Temperature"), { target: { value: "" } });
  fireEvent.click(screen.getByRole("button", { name: "Take out question 1" }));
  expect(publish.disabled).toBe(true);
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByText("Draft saved");
  const saved = { ...unit, prompt: "Be kind.", variables: [{ name: "firm", value: "" }], sampling: {}, questions: [] };
  expect(sent).toEqual([{ method: "PUT", path: "/api/assistants/a1/draft", body: { revision: 4, unit: saved } }]);
  await waitFor(() => expect(publish.disabled).toBe(false));
  fireEvent.click(publish);
  const dialog = within(await screen.findByRole("dialog"));
  fireEvent.change(dialog.getByLabelText("What changed"), { target: { value: "kinder" } });
  fireEvent.click(dialog.getByRole("button", { name: "Publish" }));
  await screen.findByText("Version 2 is published");
  expect(sent[1]).toEqual({ method: "POST", path: "/api/assistants/a1/publish", body: { revision: 5, note: "kinder" } });
});

test("who was overtaken is told, and keeps what was written", async () => {
  const prompt = await open();
  refusal = { code: "conflict", message: "changed", status: 409 };
  fireEvent.change(prompt, { target: { value: "Mine." } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  expect((await screen.findByRole("alert")).textContent).toContain("changed elsewhere");
  expect(prompt.value).toBe("Mine.");
});

test("a variable is written where the caret stands", async () => {
  const prompt = await open();
  prompt.setSelectionRange(0, 2);
  fireEvent.click(screen.getByRole("button", { name: "{{date}}" }));
  expect(prompt.value).toBe("{{date}} brief.");
});

test("the draft is tried beside the version that answers; a member does not share", async () => {
  now = detail({ assistant: { ...now.assistant, changed: true } });
  await open();
  fireEvent.change(screen.getByLabelText("Question"), { target: { value: "Well?" } });
  fireEvent.click(screen.getByRole("button", { name: "Ask" }));
  await within(await screen.findByRole("region", { name: "Version 1" })).findByText("old words");
  await within(screen.getByRole("region", { name: "Draft" })).findByText("new words");
  expect(sent.map((one) => one.body)).toEqual([expect.not.objectContaining({ version: 1 }), expect.objectContaining({ question: "Well?", version: 1 })]);
  expect(screen.queryByRole("radio", { name: "Everyone" })).toBeNull();
  screen.getByText(/administrators share with everybody/);
});

test("what differs is marked word by word", () => {
  const { container } = render(<FieldDiff one={{ field: "prompt", before: "Be brief.", after: "Be kind." }} />);
  screen.getByText("Instructions");
  expect([container.querySelector("del")?.textContent, container.querySelector("ins")?.textContent]).toEqual(["brief", "kind"]);
});

test("the pictures are those that the portal takes, and a search needs all its words", () => {
  expect(Object.keys(ICONS).join(" ")).toBe("bot book briefcase calculator chart code gavel graduation headset heart languages lightbulb mail notebook pen receipt scale search shield wrench");
  expect(fits("plain claims", "Insurance claims consultant", "in plain words")).toBe(true);
  expect(fits("plain court", "Insurance claims consultant", "in plain words")).toBe(false);
});
