//! Secrets go in and never come out: a field for a new value, and whether there is one.
import type { ManifestView } from "@/api/plugins";
import { type Key, translate, useT } from "@/lib/i18n";
import { Field, Input } from "@/ui/input";

/** Those that must be set first. */
export function secretNames(view: Pick<ManifestView, "secrets">): string[] {
  return Object.entries(view.secrets)
    .toSorted(([one, a], [two, b]) => Number(b) - Number(a) || (one < two ? -1 : 1))
    .map(([name]) => name);
}

/** What a secret of the usual kinds is called; others go by their own name. */
export function secretName(name: string): string {
  const key = `secret.${name}` as Key<"plugins">;
  const said = translate("plugins", key);
  return said === key ? name : said;
}

type Props = { name: string; must: boolean; kept?: boolean; error?: string | undefined; value: string; onChange: (value: string) => void };

export function SecretField({ name, must, kept = false, error, value, onChange }: Props) {
  const t = useT("plugins");
  const c = useT("common");
  return (
    <Field label={secretName(name)} error={error} aside={must ? undefined : c("optional")}>
      <Input type="password" autoComplete="new-password" spellCheck={false} required={must && !kept} placeholder={kept ? t("secret_kept") : ""} className="font-mono text-[13px]" value={value} onChange={(event) => onChange(event.target.value)} />
    </Field>
  );
}
