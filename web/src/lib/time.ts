//! Dates and durations as a person says them. No clock of its own beyond the `now` that is passed in.
import type { Language } from "@/api/types";

const DAY = 86_400_000;

export type DayGroup = { kind: "today" | "yesterday" | "week" | "month" } | { kind: "older"; label: string };

function startOfDay(at: number): number {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  return day.getTime();
}

/** Which heading of the rail a conversation stands under; months older than 30 days by name. */
export function dayGroup(at: number, now: number, language: Language): DayGroup {
  const today = startOfDay(now);
  // A clock that jumped back an hour must not send the newest conversation to "older".
  if (at >= today) return { kind: "today" };
  const days = Math.round((today - startOfDay(at)) / DAY);
  if (days === 1) return { kind: "yesterday" };
  if (days <= 7) return { kind: "week" };
  if (days <= 30) return { kind: "month" };
  return { kind: "older", label: new Intl.DateTimeFormat(language, { year: "numeric", month: "long" }).format(at) };
}

export function formatTime(at: number, language: Language): string {
  return new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(at);
}

export function formatDateTime(at: number, language: Language): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at);
}

/** "3 minutes ago", "昨天": for lists where the exact minute does not matter. */
export function formatAgo(at: number, now: number, language: Language): string {
  const seconds = Math.round((at - now) / 1000);
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const distance = Math.abs(seconds);
  if (distance < 60) return relative.format(Math.min(0, seconds), "second");
  if (distance < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (distance < 86_400) return relative.format(Math.round(seconds / 3600), "hour");
  if (distance < 30 * 86_400) return relative.format(Math.round(seconds / 86_400), "day");
  return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(at);
}

export function formatSeconds(ms: number, language: Language): string {
  const seconds = ms / 1000;
  const digits = seconds < 10 ? 1 : 0;
  return new Intl.NumberFormat(language, { style: "unit", unit: "second", unitDisplay: "short", maximumFractionDigits: digits }).format(seconds);
}

const ORDINALS: Record<string, string> = { one: "st", two: "nd", few: "rd" };

/** A place in a queue: "3rd", "第 3 位". */
export function formatPlace(place: number, language: Language): string {
  const number = new Intl.NumberFormat(language).format(place);
  if (language === "zh-CN") return `第 ${number} 位`;
  return `${number}${ORDINALS[new Intl.PluralRules("en", { type: "ordinal" }).select(place)] ?? "th"}`;
}
