//! Kept prompts in the composer: a slash opens the list, the keyboard chooses, and a question that begins with a slash can still be sent.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Prompt } from "@/api/assistants";
import { queries } from "@/app/queries";
import { Composer } from "@/pages/chat/composer";
import { matching } from "@/pages/chat/prompt-menu";

vi.mock("@tanstack/react-router", async (original) => ({ ...(await original<object>()), Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a> }));

const prompt = (name: string, text = `text of ${name}`): Prompt => ({ id: name, name, text, shared: false, may_edit: true });
let kept: Prompt[] = [];

beforeEach(() => {
  queries.clear();
  kept = [prompt("Plain words"), prompt("Table"), prompt("Plan")];
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ items: kept }), { headers: { "content-type": "application/json" } }));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  localStorage.clear();
});

function setup() {
  const send = vi.fn(() => Promise.resolve());
  render(
    <QueryClientProvider client={queries}>
      <Composer draft="p" placeholder="" running={false} onSend={send} />
    </QueryClientProvider>,
  );
  const box = screen.getByRole<HTMLTextAreaElement>("textbox");
  return { send, box, write: (text: string) => fireEvent.change(box, { target: { value: text } }) };
}

const marked = () => screen.getAllByRole("option").find((one) => one.getAttribute("aria-selected") === "true")?.id;

test("the arrows choose, also round the end, and Enter takes", async () => {
  const { send, box, write } = setup();
  write("/");
  await screen.findAllByRole("option");
  expect(box.getAttribute("aria-activedescendant")).toBe(marked());
  fireEvent.keyDown(box, { key: "ArrowDown" });
  expect(marked()).toMatch(/Table$/);
  fireEvent.keyDown(box, { key: "ArrowUp" });
  fireEvent.keyDown(box, { key: "ArrowUp" });
  expect(marked()).toMatch(/Plan$/);
  expect(box.getAttribute("aria-activedescendant")).toBe(marked());
  fireEvent.keyDown(box, { key: "Enter" });
  expect(box.value).toBe("text of Plan");
  expect(screen.queryByRole("listbox")).toBeNull();
  expect(send).not.toHaveBeenCalled();
});

test("what is typed narrows the list; Enter of an input method takes nothing", async () => {
  const { box, write } = setup();
  write("/pla");
  await waitFor(() => expect(screen.getAllByRole("option")).toHaveLength(2));
  fireEvent.keyDown(box, { key: "Enter", isComposing: true });
  expect(box.value).toBe("/pla");
  fireEvent.keyDown(box, { key: "Tab" });
  expect(box.value).toBe("text of Plain words");
});

test("Esc closes it, and then it is a question like any other", async () => {
  const { send, box, write } = setup();
  write("/ta");
  await screen.findAllByRole("option");
  fireEvent.keyDown(box, { key: "Escape" });
  expect(screen.queryByRole("listbox")).toBeNull();
  fireEvent.keyDown(box, { key: "Enter" });
  await waitFor(() => expect(send).toHaveBeenCalledWith("/ta", expect.any(String), []));
});

test("a slash within a text, and one before a name nobody has, are in nobody's way", async () => {
  const { send, box, write } = setup();
  write("and/or");
  expect(screen.queryByRole("listbox")).toBeNull();
  write("/etc/hosts");
  await screen.findByText("No prompt of this name.");
  fireEvent.keyDown(box, { key: "Enter" });
  await waitFor(() => expect(send).toHaveBeenCalledWith("/etc/hosts", expect.any(String), []));
});

test("names that begin with the words come first", () => {
  const names = (wanted: string) => matching([prompt("My table"), prompt("Table"), prompt("Plan")], wanted).map((one) => one.name);
  expect(names("ta")).toEqual(["Table", "My table"]);
  expect(names("table my")).toEqual(["My table"]);
  expect(names("")).toHaveLength(3);
});
