//! Days as the rail names them, also over midnight, months and a clock that jumps.
import { expect, test } from "vitest";
import type { Conversation } from "@/api/types";
import { groupByDay } from "@/app/rail";
import { translate } from "@/lib/i18n";
import { dayGroup, formatPlace } from "@/lib/time";

const now = new Date(2026, 10, 23, 0, 30).getTime();
const at = (...date: [number, number, number, number?]) => dayGroup(new Date(...date).getTime(), now, "en");

test("each conversation stands under its day", () => {
  expect(at(2026, 10, 23, 0).kind).toBe("today");
  expect(at(2026, 10, 22, 23).kind).toBe("yesterday");
  expect(at(2026, 10, 16, 12).kind).toBe("week");
  expect(at(2026, 10, 15, 12).kind).toBe("month");
  expect(at(2026, 9, 24, 12).kind).toBe("month");
  expect(at(2026, 9, 23, 12)).toEqual({ kind: "older", label: "October 2026" });
  expect(dayGroup(new Date(2025, 1, 3).getTime(), now, "zh-CN")).toEqual({ kind: "older", label: "2025年2月" });
});

test("a place in a queue is said as a place", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 103].map((place) => formatPlace(place, "en"))).toEqual(["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd"]);
  expect(formatPlace(3, "zh-CN")).toBe("第 3 位");
});

test("a clock that went back an hour leaves the newest under today", () => {
  expect(dayGroup(now + 3_600_000, now, "en").kind).toBe("today");
});

test("pinned conversations stand first and nowhere else", () => {
  const item = (id: string, updated_at: number, pinned = false) => ({ id, updated_at, pinned }) as Conversation;
  const groups = groupByDay([item("p", now - 9e9, true), item("a", now), item("b", now - 3_600_000 * 20)], now, "en", (key, params) => translate("chat", key, params));
  expect(groups.map((group) => [group.label, group.items.map((one) => one.id)])).toEqual([
    ["Pinned", ["p"]],
    ["Today", ["a"]],
    ["Yesterday", ["b"]],
  ]);
});
