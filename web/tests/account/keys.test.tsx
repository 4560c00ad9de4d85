//! An API key is shown once, with a copy that needs no clipboard API.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { queries } from "@/app/queries";
import { KeySettings } from "@/pages/account/settings/keys";

const KEY = { id: "k1", name: "Editor", prefix: "pk-abc", created_at: 1, expires_at: null, last_used_at: null };
const SECRET = "pk-abcdefghijklmnopqrstuvwxyz";

beforeEach(() => {
  queries.clear();
  let made = false;
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const json = (body: unknown) => new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });
    if (url === "/api/models") return json({ models: [], default: null });
    if (init.method === "POST") {
      made = true;
      return json({ ...KEY, key: SECRET });
    }
    return json(made ? [KEY] : []);
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("made, copied, and never shown again", async () => {
  render(
    <QueryClientProvider client={queries}>
      <KeySettings />
    </QueryClientProvider>,
  );
  await screen.findByText("No keys yet");
  fireEvent.click(screen.getByRole("button", { name: "New key" }));
  fireEvent.change(await screen.findByLabelText("What is it for?"), { target: { value: "Editor" } });
  fireEvent.click(screen.getAllByRole("button", { name: "New key" }).at(-1) as HTMLElement);

  const shown = (await screen.findByRole("textbox", { name: "API key" })) as HTMLTextAreaElement;
  expect(shown.value).toBe(SECRET);
  expect(screen.getByRole("region", { name: "Try it" }).textContent).toContain(`Bearer ${SECRET}`);
  // jsdom has no clipboard API, as a plain-http address has none.
  let copied = "";
  document.execCommand = () => {
    // What a selection copies: the field that lib/clipboard.ts put there, inside the dialog because of its focus trap.
    copied = document.querySelector<HTMLTextAreaElement>("[role=dialog] > textarea")?.value ?? "";
    return true;
  };
  fireEvent.click(screen.getByRole("button", { name: "Copy" }));
  await screen.findByRole("button", { name: "Copied" });
  expect(copied).toBe(SECRET);

  fireEvent.click(screen.getByRole("button", { name: "I have kept it" }));
  await waitFor(() => expect(screen.queryByRole("textbox", { name: "API key" })).toBeNull());
  await screen.findByText("Editor");
  expect(document.body.innerHTML).not.toContain(SECRET);
});
