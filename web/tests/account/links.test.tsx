//! One-time links: their secret leaves the address bar at once, and only that secret is sent.
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { queries } from "@/app/queries";
import { router } from "@/app/router";
import { useSession } from "@/app/session";
import { tokenIn } from "@/pages/account/link-token";

type Sent = { path: string; body: Record<string, unknown> };
let sent: Sent[] = [];

beforeEach(() => {
  sent = [];
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function answer(path: string, status: number, body: unknown) {
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    sent.push({ path: url, body: JSON.parse(String(init.body)) as Record<string, unknown> });
    return new Response(JSON.stringify(url === path ? body : {}), { status: url === path ? status : 404, headers: { "content-type": "application/json" } });
  });
}

function open(address: string, setup: boolean) {
  useSession.setState((state) => ({ me: null, left: null, portal: { ...state.portal, setup_needed: setup } }));
  router.history.replace(address);
  render(
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
}

test("the setup link's secret is gone from the address bar before the page stands", async () => {
  answer("/api/setup", 410, { code: "link_spent", message: "spent", status: 410 });
  open("/setup#token=s3cret_one-time", true);
  const name = await screen.findByLabelText("Your name");
  expect(location.href).not.toContain("s3cret");
  expect(location.pathname).toBe("/setup");

  fireEvent.change(name, { target: { value: "Lin" } });
  fireEvent.change(screen.getByLabelText("Sign-in name"), { target: { value: "lin" } });
  fireEvent.change(screen.getByLabelText("Password"), { target: { value: "a short sentence it is" } });
  fireEvent.click(screen.getByRole("button", { name: "Create the owner" }));
  expect((await screen.findByRole("alert")).textContent).toContain("used already or has expired");
  expect(sent).toEqual([{ path: "/api/setup", body: { token: "s3cret_one-time", name: "lin", display_name: "Lin", password: "a short sentence it is", language: "en" } }]);
});

test("what is typed is checked before it is sent", async () => {
  answer("/api/setup", 200, {});
  open("/setup#token=another", true);
  fireEvent.change(await screen.findByLabelText("Sign-in name"), { target: { value: "two words" } });
  fireEvent.change(screen.getByLabelText("Password"), { target: { value: "short" } });
  fireEvent.click(screen.getByRole("button", { name: "Create the owner" }));
  await waitFor(() => expect(screen.getAllByRole("alert")).toHaveLength(3));
  expect(screen.getAllByRole("alert").map((one) => one.textContent)).toEqual([
    "Enter the name others will see.",
    "Use 1 to 64 letters, digits and . _ - @, without spaces.",
    "At least 10 characters.",
  ]);
  expect(sent).toEqual([]);
});

test.each([
  ["http://127.0.0.1:8420/setup#token=abc_-9", "abc_-9"],
  ["  abc_-9 ", "abc_-9"],
  ["/setup#token=abc", "abc"],
])("a pasted %s is understood", (pasted, token) => {
  expect(tokenIn(pasted)).toBe(token);
});
