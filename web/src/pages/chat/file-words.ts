//! Sizes and refusals of files as sentences, in words of their own namespace.
import { Problem } from "@/api/client";
import type { Language } from "@/api/types";
import { type Key, translate } from "@/lib/i18n";

const OWN = new Set(["file_too_large", "files_full", "upload_damaged", "file_infected", "scanner_failed", "file_encrypted", "file_damaged", "file_unsupported", "file_timed_out", "file_no_text", "file_gone", "file_failed", "no_vision"]);

/** The sentence about a file, or null where the problem is not about one. */
export function fileSentence(problem: unknown, name: string): string | null {
  if (problem instanceof Problem && problem.code === "invalid_request") return translate("files", "problem.empty", { name });
  if (!(problem instanceof Problem) || !OWN.has(problem.code)) return null;
  // Whether a file is too large to be sent or to be read is told apart by the limit that comes with the first.
  const code = problem.code === "file_too_large" && problem.params.limit === undefined ? "file_long" : problem.code;
  const text = (value: unknown) => (typeof value === "string" || typeof value === "number" ? String(value) : "");
  return translate("files", `problem.${code}` as Key<"files">, { name, limit: text(problem.params.limit), finding: text(problem.params.finding) });
}

/** 1,2 MB. */
export function sizeText(bytes: number, language: Language): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  const at = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return new Intl.NumberFormat(language, { style: "unit", unit: units[at] ?? "byte", unitDisplay: at === 0 ? "long" : "short", maximumFractionDigits: at === 0 ? 0 : 1 }).format(bytes / 1000 ** at);
}
