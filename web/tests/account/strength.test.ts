//! The hint tells a sentence from a pattern.
import { expect, test } from "vitest";
import { strengthOf } from "@/pages/account/strength";

test.each([
  ["hunter2", "short"],
  ["aaaaaaaaaaaaaaa", "weak"],
  ["1234567890", "weak"],
  ["lin.xiaoming", "weak"],
  ["three red boats", "fair"],
  ["correct horse battery staple", "strong"],
  ["正确的马电池订书钉呀呀", "strong"],
])("%s is %s", (password, strength) => {
  expect(strengthOf(password, "lin.xiaoming", "Lin")).toBe(strength);
});
