//! Signing in: a throttled person sees the seconds run down and can then try again; a wrong password keeps the name.
import { RouterProvider } from "@tanstack/react-router";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { router } from "@/app/router";
import { useSession } from "@/app/session";

beforeEach(() => {
  useSession.setState((state) => ({ me: null, left: null, portal: { ...state.portal, setup_needed: false } }));
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function refuse(status: number, body: object) {
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/problem+json" } }));
}

async function signIn() {
  router.history.replace("/signin");
  render(<RouterProvider router={router} />);
  fireEvent.change(await screen.findByLabelText("Sign-in name"), { target: { value: "lin" } });
  fireEvent.change(screen.getByLabelText("Password"), { target: { value: "not the one" } });
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
}

test("throttled: the button counts down, then works again", async () => {
  refuse(429, { code: "throttled", message: "too many", status: 429, retry_after: 3 });
  await signIn();
  expect((await screen.findByRole("alert")).textContent).toContain("Too many attempts");
  const waiting = (await screen.findByRole("button", { name: "Try again in 3 s" })) as HTMLButtonElement;
  expect(waiting.disabled).toBe(true);
  await screen.findByRole("button", { name: "Try again in 1 s" }, { timeout: 3000 });
  await act(async () => new Promise((done) => setTimeout(done, 1300)));
  const ready = screen.getByRole("button", { name: "Sign in" }) as HTMLButtonElement;
  expect(ready.disabled).toBe(false);
  expect(screen.queryByRole("alert")).toBeNull();
});

test("wrong password: said, the name kept, the password emptied", async () => {
  refuse(401, { code: "wrong_credentials", message: "wrong", status: 401 });
  await signIn();
  expect((await screen.findByRole("alert")).textContent).toBe("The name or the password is not right.");
  expect((screen.getByLabelText("Sign-in name") as HTMLInputElement).value).toBe("lin");
  expect((screen.getByLabelText("Password") as HTMLInputElement).value).toBe("");
});

test("a session that ended elsewhere is explained", async () => {
  useSession.setState({ left: "elsewhere" });
  router.history.replace("/signin");
  render(<RouterProvider router={router} />);
  expect(await screen.findByText(/Your session has ended/)).toBeTruthy();
});

test("where one was going is only ever an address of our own", async () => {
  router.history.replace("/signin?to=%2F%2Fevil.example");
  render(<RouterProvider router={router} />);
  await screen.findByLabelText("Password");
  expect(router.state.location.search).toEqual({});
  router.history.replace("/signin?to=%2Fsettings%2Fkeys");
  await act(async () => router.load());
  expect(router.state.location.search).toEqual({ to: "/settings/keys" });
});
