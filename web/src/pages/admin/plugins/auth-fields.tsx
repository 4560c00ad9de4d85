//! How a plugin proves itself to its service, where that is not as its manifest says.
import type { Auth } from "@/api/plugins";
import { type Key, useT } from "@/lib/i18n";
import { Field, Input, Select } from "@/ui/input";

const KINDS = ["none", "key", "bearer", "basic", "client_credentials"] as const;

function fresh(type: string): Auth | null {
  if (type === "key") return { type, in: "header", name: "X-Api-Key" };
  if (type === "client_credentials") return { type, token_url: "", scope: "" };
  if (type === "none" || type === "bearer" || type === "basic") return { type };
  return null;
}

export function AuthFields({ own, auth, onChange }: { /** As the manifest says. */ own: string; auth: Auth | null; onChange: (auth: Auth | null) => void }) {
  const t = useT("plugins");
  const word = (kind: string) => t(`auth.${kind}` as Key<"plugins">);
  return (
    <>
      <Field label={t("auth")}>
        <Select value={auth?.type ?? ""} onChange={(event) => onChange(fresh(event.target.value))}>
          <option value="">{auth === null ? t("auth.own_is", { kind: word(own) }) : t("auth.own")}</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {word(kind)}
            </option>
          ))}
        </Select>
      </Field>
      {auth?.type === "key" ? (
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label={t("auth.place")}>
            <Select value={auth.in} onChange={(event) => onChange({ ...auth, in: event.target.value === "query" ? "query" : "header" })}>
              <option value="header">{t("auth.header")}</option>
              <option value="query">{t("auth.query")}</option>
            </Select>
          </Field>
          <Field label={t("auth.name")}>
            <Input autoComplete="off" spellCheck={false} className="font-mono text-[13px]" value={auth.name} onChange={(event) => onChange({ ...auth, name: event.target.value })} />
          </Field>
        </div>
      ) : null}
      {auth?.type === "client_credentials" ? (
        <>
          <Field label={t("auth.token_url")}>
            <Input inputMode="url" autoComplete="off" spellCheck={false} className="font-mono text-[13px]" value={auth.token_url} onChange={(event) => onChange({ ...auth, token_url: event.target.value })} />
          </Field>
          <Field label={t("auth.scope")}>
            <Input autoComplete="off" spellCheck={false} className="font-mono text-[13px]" value={auth.scope} onChange={(event) => onChange({ ...auth, scope: event.target.value })} />
          </Field>
        </>
      ) : null}
    </>
  );
}
