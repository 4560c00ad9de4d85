//! From a code to a sentence with a way out, in the person's language. The server's English message is the last resort.
import { Problem } from "@/api/client";
import type { Failure } from "@/api/types";
import { currentLanguage, type Key, translate } from "@/lib/i18n";
import { formatTime } from "@/lib/time";

/** What went wrong and what to do, in one sentence. */
export function sentence(error: unknown): string {
  if (error instanceof Problem) return sentenceOf(error.code, error.message, error.params, error.retryAfter);
  return translate("common", "problem.internal");
}

export function failureSentence(failure: Failure): string {
  return sentenceOf(failure.code, failure.message, {}, null);
}

function sentenceOf(code: string, message: string, params: Record<string, unknown>, retryAfter: number | null): string {
  const key = `problem.${code}` as Key<"common">;
  const said = translate("common", key, plain(params, retryAfter));
  if (said === key) return message || translate("common", "problem.internal");
  // A placeholder the server did not fill would read as a fault; its own sentence is better than that.
  return said.includes("{{") ? message : said;
}

function plain(params: Record<string, unknown>, retryAfter: number | null): Record<string, string | number> {
  const out: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(params)) {
    if (name.endsWith("_at") && typeof value === "number") out[name] = formatTime(value, currentLanguage());
    else if (name === "limit_bytes" && typeof value === "number") out[name] = `${Math.round(value / 1_048_576)} MiB`;
    else if (typeof value === "number" || typeof value === "string") out[name] = value;
  }
  out.retry_after = Math.max(1, Math.ceil(retryAfter ?? 1));
  return out;
}
