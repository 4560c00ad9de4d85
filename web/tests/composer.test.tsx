//! The composer: Enter and input methods, drafts, and a refused question that stays.
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { Problem } from "@/api/client";
import { Composer } from "@/pages/chat/composer";

afterEach(() => {
  cleanup();
  localStorage.clear();
});

type Send = (text: string, askId: string, files: string[]) => Promise<void>;

function setup(onSend: Send = () => Promise.resolve(), running = false) {
  const send = vi.fn(onSend);
  render(<Composer draft="c1" placeholder="" running={running} onSend={send} onStop={() => {}} />);
  const box = screen.getByRole<HTMLTextAreaElement>("textbox");
  return { send, box, write: (text: string) => fireEvent.change(box, { target: { value: text } }) };
}

test("Enter sends; with Shift it makes a line", async () => {
  const { send, box, write } = setup();
  write("hello");
  fireEvent.keyDown(box, { key: "Enter", shiftKey: true });
  expect(send).not.toHaveBeenCalled();
  fireEvent.keyDown(box, { key: "Enter" });
  await waitFor(() => expect(box.value).toBe(""));
  expect(send.mock.calls[0]?.[0]).toBe("hello");
});

test("Enter that picks a word of the input method never sends, in Safari either", () => {
  const { send, box, write } = setup();
  write("nihao");
  fireEvent.keyDown(box, { key: "Enter", isComposing: true });
  fireEvent.keyDown(box, { key: "Enter", keyCode: 229 });
  expect(send).not.toHaveBeenCalled();
});

test("nothing empty is sent, and nothing while an answer runs", () => {
  const first = setup();
  first.write("   ");
  fireEvent.keyDown(first.box, { key: "Enter" });
  expect(first.send).not.toHaveBeenCalled();
  cleanup();
  const second = setup(undefined, true);
  second.write("next");
  fireEvent.keyDown(second.box, { key: "Enter" });
  expect(second.send).not.toHaveBeenCalled();
  expect(screen.getByRole("button", { name: "Stop" })).toBeTruthy();
});

test("a refused question stays in the box with the reason; sent again it carries the same id", async () => {
  let refuse = true;
  const { send, box, write } = setup(() => (refuse ? Promise.reject(new Problem("portal_unreachable", "")) : Promise.resolve()));
  write("important");
  fireEvent.keyDown(box, { key: "Enter" });
  expect((await screen.findByRole("alert")).textContent).toContain("does not answer");
  expect(box.value).toBe("important");
  refuse = false;
  fireEvent.keyDown(box, { key: "Enter" });
  await waitFor(() => expect(box.value).toBe(""));
  expect(send.mock.calls[0]?.[1]).toBe(send.mock.calls[1]?.[1]);
  expect(send.mock.calls[0]?.[1]).toMatch(/^[A-Za-z0-9_-]{16,64}$/);
});

test("a draft is there again after the page was left", async () => {
  const { write } = setup();
  write("half a thought");
  await waitFor(() => expect(localStorage.getItem("portico.draft.c1")).toBe("half a thought"));
  cleanup();
  expect(setup().box.value).toBe("half a thought");
});

test("a pasted file becomes a chip, and its id goes with the question", async () => {
  const row = { id: "f1", name: "note.txt", media_type: "text/plain", bytes: 2, received: 0, complete: true, created_at: 0 };
  const handle = (_: string, init?: RequestInit) => Promise.resolve(new Response(JSON.stringify({ ...row, received: init?.method === "POST" ? 0 : 2 })));
  vi.stubGlobal("fetch", vi.fn(handle));
  const { send, box } = setup();
  const file = new File(["hi"], "note.txt", { type: "text/plain" });
  fireEvent.paste(box, { clipboardData: { files: [file], getData: () => "" } });
  await screen.findByRole("button", { name: "Remove note.txt" });
  await waitFor(() => expect(screen.getByRole<HTMLButtonElement>("button", { name: "Send" }).disabled).toBe(false));
  fireEvent.keyDown(box, { key: "Enter" });
  await waitFor(() => expect(send).toHaveBeenCalled());
  expect([send.mock.calls[0]?.[0], send.mock.calls[0]?.[2]]).toEqual(["", ["f1"]]);
  await waitFor(() => expect(screen.queryByRole("button", { name: "Remove note.txt" })).toBeNull());
  vi.unstubAllGlobals();
});
