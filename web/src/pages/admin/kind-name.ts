//! What an adapter is called; one that these pages do not know yet goes by its own word.
import { type Key, translate } from "@/lib/i18n";

export function kindName(kind: string): string {
  const key = `kind.${kind}` as Key<"admin">;
  const said = translate("admin", key);
  return said === key ? kind : said;
}
