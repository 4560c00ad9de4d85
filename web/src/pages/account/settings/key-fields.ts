//! What a key's form holds, and the body it becomes. The portal checks all of it again.
import { z } from "zod";
import type { ApiKey, KeyScope } from "@/api/types";
import type { Key } from "@/lib/i18n";

const DAY_MS = 86_400_000;
export const LIVES = ["0", "7", "30", "90", "365", "date"] as const;
export type Life = (typeof LIVES)[number];

const says = (key: Key<"account">) => key;
const number = z.string().trim().refine((text) => text === "" || /^[1-9]\d{0,14}$/.test(text), says("invalid.count"));

export const keySchema = z
  .object({
    name: z.string().trim().min(1, says("invalid.key_name")).max(100, says("invalid.key_name")),
    life: z.enum(LIVES),
    date: z.string(),
    tokens_per_day: number,
    tokens_total: number,
    requests_per_minute: number,
    addresses: z.string().refine((text) => lines(text).every(isRange), says("invalid.addresses")),
  })
  .refine((fields) => fields.life !== "date" || endOfDay(fields.date) > Date.now(), { path: ["date"], message: says("invalid.date") });
export type KeyFields = z.infer<typeof keySchema>;

export const EMPTY_SCOPE: KeyScope = { models: [], tasks: [], addresses: [], tokens_per_day: null, tokens_total: null, requests_per_minute: null };

export function fieldsOf(key: ApiKey | null): KeyFields {
  const scope = key?.scope ?? EMPTY_SCOPE;
  return {
    name: key?.name ?? "",
    life: key && key.expires_at !== null ? "date" : "0",
    date: key && key.expires_at !== null ? dayOf(key.expires_at) : "",
    tokens_per_day: scope.tokens_per_day?.toString() ?? "",
    tokens_total: scope.tokens_total?.toString() ?? "",
    requests_per_minute: scope.requests_per_minute?.toString() ?? "",
    addresses: scope.addresses.join("\n"),
  };
}

/** What is ticked; null for everything. */
type Ticked = { models: string[] | null; tasks: string[] | null };

export function bodyOf(fields: KeyFields, { models, tasks }: Ticked, key: ApiKey | null) {
  const count = (text: string) => (text === "" ? null : Number(text));
  const scope: KeyScope = {
    models: models ?? [],
    tasks: tasks ?? [],
    addresses: lines(fields.addresses),
    tokens_per_day: count(fields.tokens_per_day),
    tokens_total: count(fields.tokens_total),
    requests_per_minute: count(fields.requests_per_minute),
  };
  return { name: fields.name, expires_at: endOf(fields, key), scope };
}

function endOf({ life, date }: KeyFields, key: ApiKey | null): number | null {
  if (life === "0") return null;
  if (life !== "date") return Date.now() + Number(life) * DAY_MS;
  // The day it has already: to the very moment it had.
  if (key && key.expires_at !== null && dayOf(key.expires_at) === date) return key.expires_at;
  return endOfDay(date);
}

/** The last moment of a day written as `2026-12-31`, in this browser's time zone; NaN for anything else. */
function endOfDay(day: string): number {
  return new Date(`${day}T23:59:59`).getTime();
}

export function dayOf(at: number): string {
  const day = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

function lines(text: string): string[] {
  return text.split(/[\s,]+/).filter((line) => line !== "");
}

/** An address, or a range of them: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`. */
export function isRange(text: string): boolean {
  const [address = "", bits, more] = text.split("/");
  if (more !== undefined || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return false;
  const four = /^(\d{1,3})(\.\d{1,3}){3}$/.test(address) && address.split(".").every((part) => Number(part) <= 255);
  if (four) return bits === undefined || Number(bits) <= 32;
  return address.includes(":") && /^[\da-f:.]+$/i.test(address) && URL.canParse(`http://[${address}]/`) && (bits === undefined || Number(bits) <= 128);
}
