//! What a new person's fields must hold, as the portal will check it again. Messages are keys of the `account` words.
import { z } from "zod";
import { Problem } from "@/api/client";
import type { Key } from "@/lib/i18n";

type AccountKey = Key<"account">;
const says = (key: AccountKey) => key;

/** Letters (Latin, Chinese, Japanese, Korean), digits and `. _ - @`; the portal folds case and full-width forms. */
const LOGIN_NAME = /^[\p{Script=Latin}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}々\d０-９._@-]{1,64}$/u;
const SHORTEST_PASSWORD = 10;
const LONGEST_PASSWORD_BYTES = 1024;

export const loginName = z.string().trim().min(1, says("invalid.name_empty")).regex(LOGIN_NAME, says("invalid.name"));
export const displayName = z.string().trim().min(1, says("invalid.display_name_empty")).max(100, says("invalid.display_name"));
export const newPassword = z
  .string()
  .refine((text) => Array.from(text).length >= SHORTEST_PASSWORD, says("invalid.password_short"))
  .refine((text) => new TextEncoder().encode(text).length <= LONGEST_PASSWORD_BYTES, says("invalid.password_long"));

export const person = z
  .object({ display_name: displayName, name: loginName, password: newPassword })
  .refine((it) => it.password.toLowerCase() !== it.name.toLowerCase(), { path: ["password"], message: says("invalid.password") });
export type PersonFields = z.infer<typeof person>;

/** Which field the portal refused, and what to say there; null when the refusal concerns the whole form. */
export function refusedField(error: unknown): { field: string; key: AccountKey } | null {
  if (!(error instanceof Problem)) return null;
  if (error.code === "name_taken") return { field: "name", key: "invalid.name_taken" };
  const field = error.code === "invalid_request" ? error.params.field : null;
  if (field === "name" || field === "display_name" || field === "password") return { field, key: `invalid.${field}` };
  return null;
}
