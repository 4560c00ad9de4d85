//! The sentence about a failed call, as the chat says it.
import { type Key, translate } from "@/lib/i18n";

export function failureWords(code: string): string {
  const key = `error.${code}` as Key<"steps">;
  const said = translate("steps", key);
  return said === key ? code : said;
}
