//! Old and new answer, word by word: each side reads as its own text, what both have is not marked, and a huge pair ends soon.
import { expect, test } from "vitest";
import { diffWords, side, wordsOf } from "@/pages/admin/aliases/word-diff";

const read = (pieces: { text: string }[]) => pieces.map((piece) => piece.text).join("");
const marked = (before: string, after: string) => diffWords(before, after).filter((piece) => piece.kind !== "same").map((piece) => `${piece.kind}:${piece.text}`);

test.each([
  ["The cat sat.", "The dog sat."],
  ["", "all new"],
  ["all gone", ""],
  ["same", "same"],
  ["违约金按日计，没有上限。", "违约金按日计，且没有上限。"],
  ["a b c d e", "a x c y e"],
  ["line one\nline two\n", "line one\n\nline 2\n"],
])("both sides read as they are: %j, %j", (before, after) => {
  const pieces = diffWords(before, after);
  expect(read(side(pieces, "old"))).toBe(before);
  expect(read(side(pieces, "new"))).toBe(after);
});

test("only what changed is marked", () => {
  expect(marked("The cat sat.", "The dog sat.")).toEqual(["old:cat", "new:dog"]);
  expect(marked("same", "same")).toEqual([]);
  expect(marked("没有上限。", "且没有上限。")).toEqual(["new:且"]);
});

test("words, not letters", () => {
  expect(wordsOf("one two")).toEqual(["one", " ", "two"]);
});

test("two long strangers are shown as replaced, quickly", () => {
  const before = Array.from({ length: 4000 }, (_, at) => `a${at}`).join(" ");
  const after = Array.from({ length: 4000 }, (_, at) => `b${at}`).join(" ");
  const start = performance.now();
  const pieces = diffWords(before, after);
  expect(performance.now() - start).toBeLessThan(3000);
  expect(read(side(pieces, "new"))).toBe(after);
});
