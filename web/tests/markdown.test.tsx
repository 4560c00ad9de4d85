//! What an answer may do to the page: show itself. The hostile cases first, then that ordinary Markdown still arrives.
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, test, vi } from "vitest";
import Markdown from "@/markdown/markdown";
import { holdTable, normalise } from "@/markdown/normalise";
import { ownImage, safeLink } from "@/markdown/safety";

afterEach(cleanup);

function html(text: string, streaming = false): HTMLElement {
  return render(<Markdown text={text} streaming={streaming} />).container;
}

const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  '<a href="javascript:alert(1)">x</a>',
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](data:text/html,<script>alert(1)</script>)",
  "[x](vbscript:x)",
  "![x](javascript:alert(1))",
  "![x](data:image/svg+xml,<svg onload=alert(1)>)",
  '<iframe src="https://example.org"></iframe>',
  "<svg><script>alert(1)</script></svg>",
  '<b onmouseover="alert(1)" style="position:fixed">x</b>',
  "<style>body{display:none}</style>",
  '<form action="https://example.org"><input name=q></form>',
  "<math><mtext></table></math><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
  "<details open ontoggle=alert(1)><summary>s</summary>x</details>",
  "<object data=javascript:alert(1)></object><embed src=x><base href=//example.org><meta http-equiv=refresh content=0>",
  "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
];

describe("hostile text is shown, never run", () => {
  test.each(HOSTILE)("%s", (text) => {
    const page = html(text);
    expect(page.querySelector("script, iframe, object, embed, style, base, meta, form, svg:not([class*=lucide]), input:not([type=checkbox])")).toBeNull();
    for (const element of page.querySelectorAll("*")) {
      const handlers = [...element.attributes].filter((attribute) => attribute.name.startsWith("on"));
      expect(handlers.map((one) => one.name)).toEqual([]);
      expect(element.getAttribute("href") ?? "").not.toMatch(/^(javascript|data|vbscript):/i);
      if (element.hasAttribute("src")) expect(ownImage(element.getAttribute("src") ?? "")).toBe(true);
    }
  });
});

test("an image from elsewhere is named, not loaded", () => {
  const page = html("![chart](https://example.org/spy.png)");
  expect(page.querySelector("img")).toBeNull();
  expect(page.textContent).toContain("chart");
  expect(ownImage("/files/1.png")).toBe(true);
  expect(ownImage("blob:http://localhost/1")).toBe(true);
  expect(ownImage("//example.org/x.png")).toBe(false);
});

test("a link asks before it leaves", async () => {
  const open = vi.spyOn(window, "open").mockReturnValue(null);
  html("[site](https://example.org/a?b=c)");
  fireEvent.click(screen.getByRole("link", { name: "site" }));
  expect(await screen.findByText("https://example.org/a?b=c")).toBeTruthy();
  expect(open).not.toHaveBeenCalled();
  fireEvent.click(screen.getByRole("button", { name: "Open" }));
  expect(open).toHaveBeenCalledWith("https://example.org/a?b=c", "_blank", "noopener,noreferrer");
  expect(safeLink("javascript:alert(1)")).toBeNull();
});

test("ordinary Markdown arrives: headings a level below, tables, tasks with labels", () => {
  const page = html("# One\n\n## Two\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] signed\n- [ ] open\n\nline<br>break and H<sub>2</sub>O");
  expect(page.querySelector("h1")).toBeNull();
  expect(page.querySelector("h2.h-large")?.textContent).toBe("One");
  expect(page.querySelectorAll("table td")).toHaveLength(2);
  expect(page.querySelectorAll("li.task label input[type=checkbox]")).toHaveLength(2);
  expect(page.querySelector("li.task input")).toHaveProperty("checked", true);
  expect(page.querySelector("sub")?.textContent).toBe("2");
  expect(page.querySelector("br")).not.toBeNull();
});

test("half a table, half a fence, half a link: nothing breaks while it streams", () => {
  const whole = "**bold** [link](https://example.org)\n\n```rust\nfn main() {}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
  for (let at = 1; at <= whole.length; at += 3) {
    const { unmount, container } = render(<Markdown text={whole.slice(0, at)} streaming />);
    expect(container.textContent).not.toContain("**");
    unmount();
  }
});

test("a table is held back until it is one", () => {
  expect(holdTable("text\n\n| a | b")).toBe("text\n\n");
  expect(holdTable("text\n\n| a | b |\n|--")).toBe("text\n\n");
  expect(holdTable("text\n\n| a | b |\n|---|---|")).toBe("text\n\n| a | b |\n|---|---|");
  expect(holdTable("| a | b |\n|---|---|\n| 1")).toBe("| a | b |\n|---|---|\n| 1");
  expect(holdTable("a | b\n\nend")).toBe("a | b\n\nend");
});

test("code is shown letter by letter as it was written", async () => {
  const page = html("```html\n<script>alert('x')</script>\n```");
  await waitFor(() => expect(page.querySelector("pre code")?.textContent).toBe("<script>alert('x')</script>"));
  expect(page.querySelector("script")).toBeNull();
});

describe("formulas", () => {
  test.each([
    ["\\(x\\)", "$$x$$"],
    ["a $x^2$ b", "a $$x^2$$ b"],
    ["$5 and $6", "$5 and $6"],
    ["costs $5-$10", "costs $5-$10"],
    ["`$x$` stays", "`$x$` stays"],
    ["```\n$x$\n```", "```\n$x$\n```"],
    ["\\[a\\]", "\n$$\na\n$$\n"],
    ["$$x$$", "$$x$$"],
  ])("%s", (text, normal) => expect(normalise(text)).toBe(normal));

  test("KaTeX draws them", async () => {
    const page = html("\\(E = mc^2\\)");
    await waitFor(() => expect(page.querySelector(".katex")).not.toBeNull(), { timeout: 5000 });
  });
});

test("Chinese emphasis beside full-width punctuation is emphasis", async () => {
  const page = html("**“违约金”**过高");
  await waitFor(() => expect(page.querySelector("strong")?.textContent).toBe("“违约金”"), { timeout: 5000 });
});
