//! What a tool answered, read by its form: tables, pictures and files where they are, text and JSON for the rest; nothing from elsewhere.
import { describe, expect, test } from "vitest";
import { type Part, csv, readResult, sorted } from "@/results/parts";

const parts = (answer: unknown): Part[] => readResult(typeof answer === "string" ? answer : JSON.stringify(answer)).parts;
const PIXEL = "iVBORw0KGgo=";

describe("tables", () => {
  test("a list of things is one, its columns all that any of them has", () => {
    expect(parts([{ id: 1, name: "甲" }, { id: 2, paid: true }])).toEqual([
      {
        kind: "table",
        columns: ["id", "name", "paid"],
        rows: [
          [1, "甲", null],
          [2, null, true],
        ],
      },
    ]);
  });

  test("columns and rows are one; what stands beside is said before", () => {
    expect(parts({ columns: ["n"], rows: [[1], [{ a: 2 }]], note: "first 2 rows" })).toEqual([
      { kind: "text", text: "first 2 rows" },
      { kind: "table", columns: ["n"], rows: [[1], ['{"a":2}']] },
    ]);
  });

  test("the one list in an answer is what was asked for", () => {
    expect(parts({ total: 1, orders: [{ id: 7 }] }).map((part) => part.kind)).toEqual(["json", "table"]);
    expect(parts({ a: [{ x: 1 }], b: [{ y: 1 }] }).map((part) => part.kind)).toEqual(["json"]);
  });

  test("as Markdown writes it, between its words", () => {
    expect(parts("Two orders:\n\n| id | note |\n|--:|---|\n| 1 | a \\| b |\n| 2 |\n\nThat is all.")).toEqual([
      { kind: "text", text: "Two orders:" },
      {
        kind: "table",
        columns: ["id", "note"],
        rows: [
          ["1", "a | b"],
          ["2", null],
        ],
      },
      { kind: "text", text: "That is all." },
    ]);
  });

  test("of an answer that the log cut, the rows that are whole", () => {
    const text = JSON.stringify(Array.from({ length: 50 }, (_, id) => ({ id, note: "a, “b” [c] {d}" })));
    for (let kept = 40; kept < text.length; kept += 7) {
      const { parts: shown, cut } = readResult(`${text.slice(0, kept)}… (cut: ${kept} of ${text.length} characters)`);
      expect(cut).toEqual({ kept, of: text.length });
      const [table] = shown;
      expect(table?.kind).toBe("table");
      if (table?.kind === "table") expect(table.rows).toEqual(table.rows.map((_, id) => [id, "a, “b” [c] {d}"]));
    }
  });

  test("sorts numbers as numbers, also where they are text, what is empty last both ways", () => {
    const rows = [["10"], [null], ["9"], ["1,200"], [""]];
    expect(sorted(rows, 0, false).map(([one]) => one)).toEqual(["9", "10", "1,200", null, ""]);
    expect(sorted(rows, 0, true).map(([one]) => one)).toEqual(["1,200", "10", "9", null, ""]);
  });

  test("as CSV, quoted where it must be, and no formula for a spreadsheet", () => {
    expect(csv({ columns: ["a,b", "c"], rows: [['say "x"', "=1+1"], ["line\nbreak", -5], ["-3.5", "+cmd"], [null, "@sum"]] })).toBe('"a,b",c\r\n"say ""x""",\'=1+1\r\n"line\nbreak",-5\r\n-3.5,\'+cmd\r\n,\'@sum');
  });
});

describe("pictures and files", () => {
  test("as MCP answers", () => {
    expect(parts([{ type: "text", text: "done" }, { type: "image", mimeType: "image/png", data: PIXEL }, { type: "resource_link", name: "a.csv", uri: "/api/files/7/content" }])).toEqual([
      { kind: "text", text: "done" },
      { kind: "image", src: `data:image/png;base64,${PIXEL}`, name: "" },
      { kind: "file", href: "/api/files/7/content", name: "a.csv" },
    ]);
  });

  test("as Markdown writes them", () => {
    expect(parts(`Plot:\n![sales](data:image/png;base64,${PIXEL})\n- [report.docx](/api/files/1)`).map((part) => part.kind)).toEqual(["text", "image", "file"]);
  });

  test.each([
    "![x](https://elsewhere.example/pixel.png)",
    "![x](//elsewhere.example/pixel.png)",
    "![x](data:image/svg+xml;base64,AAAA)",
    "[x](javascript:alert(1))",
    "[x](/api/../signin)",
    "[x](/\\elsewhere.example)",
    "[x](https://elsewhere.example/)",
  ])("%s stays text", (text) => {
    expect(parts(text)).toEqual([{ kind: "text", text }]);
  });

  test.each([
    [{ type: "image", mimeType: "image/png", data: '"><script>' }],
    [{ mimeType: "image/png", url: "https://elsewhere.example/x.png", name: "x" }],
    [{ name: "x", href: "javascript:alert(1)" }],
  ])("nothing of %j is loaded", (answer) => {
    expect(parts(answer).map((part) => part.kind)).not.toContain("image");
    expect(parts(answer).map((part) => part.kind)).not.toContain("file");
  });
});

test.each(["59.97", "true", "[note] not JSON", "{ broken", "甲方：某公司"])("%s is text as it came", (text) => {
  expect(parts(text)).toEqual([{ kind: "text", text }]);
});

test("what is empty shows nothing", () => {
  expect(parts("  \n")).toEqual([]);
  expect(parts([])).toEqual([{ kind: "json", text: "[]" }]);
});
