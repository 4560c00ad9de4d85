//! How long a call took, as a person reads it: milliseconds below a second, then seconds.
import type { Language } from "@/api/types";
import { formatSeconds } from "@/lib/time";

export function formatMs(ms: number, language: Language): string {
  if (ms >= 1000) return formatSeconds(ms, language);
  return new Intl.NumberFormat(language, { style: "unit", unit: "millisecond", unitDisplay: "short" }).format(Math.round(ms));
}
