//! What is chosen beside a plugin's manifest, and its secrets. Secrets are written only: what is set is never shown.
import { useMutation } from "@tanstack/react-query";
import { KeyRound, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Choices, Plugin } from "@/api/plugins";
import { useT } from "@/lib/i18n";
import { ApprovalRules } from "@/pages/admin/plugins/approval-rules";
import { AuthFields } from "@/pages/admin/plugins/auth-fields";
import { bad, change, flawsOf } from "@/pages/admin/plugins/data";
import { Flaws, flawAt } from "@/pages/admin/plugins/flaws";
import { ADDRESS, Inside, Timeout, isBare } from "@/pages/admin/plugins/install-form";
import { SecretField, secretName, secretNames } from "@/pages/admin/plugins/secrets";
import { Button, IconButton } from "@/ui/button";
import { Field, Input } from "@/ui/input";
import { Badge, Card, Section } from "@/ui/page";
import { toast } from "@/ui/toast";

export function Settings({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const secrets = secretNames(plugin);
  return (
    <>
      {isBare(plugin) ? null : <Chosen plugin={plugin} />}
      {secrets.length > 0 ? <Secrets plugin={plugin} names={secrets} /> : null}
      {isBare(plugin) && secrets.length === 0 ? <p className="mb-6 text-ui text-muted-foreground">{t("no_settings")}</p> : null}
      {plugin.tools.length > 0 ? <ApprovalRules plugin={plugin} /> : null}
    </>
  );
}

function Chosen({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const [choices, setChoices] = useState<Choices>(plugin.choices);
  const [secrets, setSecrets] = useState<Record<string, string>>({});
  const save = useMutation({
    mutationFn: () => change(plugin.name, { choices, secrets: Object.fromEntries(Object.entries(secrets).filter(([, value]) => value !== "")) }),
    onSuccess: (after) => {
      setSecrets({});
      const asked = after.permissions.filter((one) => !after.grants.includes(one)).length;
      toast(asked > 0 ? t("saved_ask", { count: asked }) : t("saved"));
    },
  });
  const flaws = flawsOf(save.error);
  // Another way to prove itself needs other secrets: they are asked for with it.
  const needed = flaws.filter((flaw) => flaw.field.startsWith("secrets.")).map((flaw) => flaw.field.slice(8));
  const asked = [...new Set([...needed, ...Object.keys(secrets)])];
  const put = (part: Partial<Choices>) => {
    setChoices({ ...choices, ...part });
    if (needed.length === 0) save.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Section title={t("settings")} description={t("settings_text")}>
      <Card className="p-4">
        <form noValidate onSubmit={submit} className="flex max-w-[560px] flex-col gap-4">
          {save.error ? <Flaws error={save.error} beside={[...ADDRESS, "timeout_s", ...needed.map((name) => `secrets.${name}`)]} /> : null}
          <Field label={t("base_url")} hint={t("base_url_hint")} error={flawAt(flaws, ...ADDRESS)}>
            <Input inputMode="url" autoComplete="off" spellCheck={false} className="font-mono text-[13px]" value={choices.base_url ?? ""} onChange={(event) => put({ base_url: event.target.value.trim() || null })} />
          </Field>
          <Inside checked={choices.private ?? false} onChange={(inside) => put({ private: inside })} />
          <AuthFields own={plugin.auth} auth={choices.auth ?? null} onChange={(auth) => put({ auth })} />
          {asked.map((name) => (
            <SecretField key={name} name={name} must error={secrets[name] ? undefined : flawAt(flaws, `secrets.${name}`)} value={secrets[name] ?? ""} onChange={(value) => setSecrets({ ...secrets, [name]: value })} />
          ))}
          <Timeout value={choices.timeout_s ?? null} error={flawAt(flaws, "timeout_s")} onChange={(timeout_s) => put({ timeout_s })} />
          <div>
            <Button type="submit" variant="primary" busy={save.isPending}>
              {t("save")}
            </Button>
          </div>
        </form>
      </Card>
    </Section>
  );
}

function Secrets({ plugin, names }: { plugin: Plugin; names: string[] }) {
  const t = useT("plugins");
  return (
    <Section title={t("secrets")} description={t("secrets_text")}>
      <Card>
        <ul>
          {names.map((name) => (
            <Secret key={name} plugin={plugin} name={name} />
          ))}
        </ul>
      </Card>
    </Section>
  );
}

function Secret({ plugin, name }: { plugin: Plugin; name: string }) {
  const t = useT("plugins");
  const [value, setValue] = useState("");
  const kept = plugin.secrets_set.includes(name);
  const must = plugin.secrets[name] ?? false;
  const put = useMutation({
    mutationFn: (text: string) => change(plugin.name, { secrets: { [name]: text } }),
    onSuccess: (_, text) => {
      setValue("");
      toast(t(text === "" ? "secret_removed" : "secret_saved"));
    },
    onError: bad,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (value !== "") put.mutate(value);
  };
  return (
    <li className="border-b px-4 py-3 last:border-b-0">
      <form onSubmit={submit} className="flex flex-wrap items-end gap-3">
        <div className="min-w-0 flex-1 basis-64">
          <SecretField name={name} must={must} kept={kept} value={value} onChange={setValue} />
        </div>
        <span className="flex h-9 items-center gap-2">
          <Badge tone={kept ? "good" : must ? "warn" : "neutral"}>
            <KeyRound className="size-3.5" aria-hidden="true" />
            {t(kept ? "secret_set" : "secret_unset")}
          </Badge>
          <Button type="submit" size="small" busy={put.isPending} disabled={value === ""} aria-label={`${t("save")}: ${secretName(name)}`}>
            {t("save")}
          </Button>
          {kept && !must ? (
            <IconButton label={t("secret_remove", { name: secretName(name) })} disabled={put.isPending} onClick={() => put.mutate("")}>
              <X />
            </IconButton>
          ) : null}
        </span>
      </form>
    </li>
  );
}
