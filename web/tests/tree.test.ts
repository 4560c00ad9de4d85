//! The conversation tree: lines, branches, and where to look when something goes.
import { expect, test } from "vitest";
import type { Message } from "@/api/types";
import { headWithout, newestLeaf, pathTo, siblingsOf, subtree } from "@/chat/tree";

/** "2<1": message 2 follows message 1. */
function tree(...edges: string[]) {
  return new Map(
    edges.map((edge) => {
      const [id = "", parent = null] = edge.split("<");
      return [id, { id, parent } as Message];
    }),
  );
}
const ids = (messages: Message[]) => messages.map((one) => one.id);
// 1 - 2 - 3 - 4
//      \- 5 - 6
//           \- 7
const branched = tree("1", "2<1", "3<2", "4<3", "5<2", "6<5", "7<5");

test("a line runs from the root to its head", () => {
  expect(ids(pathTo(branched, "6"))).toEqual(["1", "2", "5", "6"]);
  expect(ids(pathTo(branched, null))).toEqual([]);
  expect(ids(pathTo(branched, "unknown"))).toEqual([]);
});

test("a broken tree ends instead of turning in circles", () => {
  expect(ids(pathTo(tree("1<2", "2<1"), "1"))).toEqual(["2", "1"]);
});

test("branches stand in the order they were made", () => {
  expect(ids(siblingsOf(branched, "5"))).toEqual(["3", "5"]);
  expect(ids(siblingsOf(branched, "1"))).toEqual(["1"]);
});

test("a branch opens at its newest end", () => {
  expect(newestLeaf(branched, "2")).toBe("7");
  expect(newestLeaf(branched, "3")).toBe("4");
});

test("a message goes with everything below it", () => {
  expect([...subtree(branched, "5")].sort()).toEqual(["5", "6", "7"]);
});

test("after a deletion one looks at the branch beside it, else at what stood above", () => {
  expect(headWithout(branched, "5")).toBe("4");
  expect(headWithout(branched, "3")).toBe("7");
  expect(headWithout(branched, "4")).toBe("3");
  expect(headWithout(branched, "1")).toBe(null);
});
