//! What a manifest would be here, before anything is installed: its tools, what it asks for and gets, its secrets, and what may be chosen
//! beside it. Every change is checked by the portal, which names what is wrong field by field.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useDeferredValue, useEffect, useState } from "react";
import type { Choices, Document, ManifestView } from "@/api/plugins";
import { useT } from "@/lib/i18n";
import { AuthFields } from "@/pages/admin/plugins/auth-fields";
import { flawsOf, install, kindName, operationsOf, useCheck } from "@/pages/admin/plugins/data";
import { Flaws, flawAt } from "@/pages/admin/plugins/flaws";
import { PluginMark } from "@/pages/admin/plugins/mark";
import { Permissions } from "@/pages/admin/plugins/permissions";
import { SecretField, secretNames } from "@/pages/admin/plugins/secrets";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";
import { Badge, Card, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const PAUSE_MS = 350;
/** Where the address of a service stands in the kinds of manifests. */
export const ADDRESS = ["base_url", "api.baseUrl", "servers", "servers.0.url"];

/** A tool of the house that reaches nothing has nothing to be chosen. */
export const isBare = (view: ManifestView) => view.kind === "builtin" && view.permissions.length === 0;

/** What is typed, once the typing pauses. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return useDeferredValue(settled);
}

type Props = { document: Document; onBack: () => void; onDone: (name: string) => void };

export function InstallForm({ document, onBack, onDone }: Props) {
  const t = useT("plugins");
  const [choices, setChoices] = useState<Choices>({});
  const [refused, setRefused] = useState<ReadonlySet<string>>(new Set());
  const [secrets, setSecrets] = useState<Record<string, string>>({});
  const put = (part: Partial<Choices>) => setChoices((before) => ({ ...before, ...part }));
  const settled = useSettled(choices);
  const { data, error, isFetching } = useCheck(document, settled);
  // While something is wrong, what it was before stays: the field at fault must not go away.
  const [view, setView] = useState<ManifestView | undefined>(undefined);
  if (data && data !== view) setView(data);
  const make = useMutation({
    mutationFn: () => {
      const asked = view?.permissions ?? [];
      const given = Object.fromEntries(Object.entries(secrets).filter(([name, value]) => value !== "" && view && name in view.secrets));
      return install({ ...choices, manifest: document, grants: asked.filter((one) => !refused.has(one)), secrets: given });
    },
    onSuccess: (plugin) => {
      toast(t("installed_now", { title: plugin.title }));
      if (plugin.unreachable) toast(t("unreachable", { message: plugin.unreachable.message }), { tone: "bad", ms: 8000 });
      onDone(plugin.name);
    },
  });
  // What was refused is refused for what was chosen then.
  const problem = make.error ?? error;
  const flaws = flawsOf(problem);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const operations = operationsOf(document);
  const beside = ["name", "timeout_s", ...ADDRESS, ...Object.keys(view?.secrets ?? {}).map((name) => `secrets.${name}`)];
  const missing = Object.entries(view?.secrets ?? {}).some(([name, must]) => must && !secrets[name]);
  return (
    <form noValidate onSubmit={submit} onChange={() => make.reset()} className="flex flex-col gap-5">
      {problem ? <Flaws error={problem} beside={view ? beside : []} /> : null}
      {view ? <About view={view} /> : error ? null : <Skeleton className="h-40" />}
      {operations.length > 1 ? <Operations all={operations} chosen={choices.operations ?? null} onChange={(operations) => put({ operations })} /> : null}
      {view ? (
        <Part title={t("permissions")} text={t("permissions_install")}>
          <Card>
            <Permissions asked={view.permissions} granted={view.permissions.filter((one) => !refused.has(one))} onChange={(granted) => setRefused(new Set(view.permissions.filter((one) => !granted.includes(one))))} />
          </Card>
        </Part>
      ) : null}
      {view && secretNames(view).length > 0 ? (
        <Part title={t("secrets")} text={t("secrets_text")}>
          <div className="flex flex-col gap-3">
            {secretNames(view).map((name) => (
              <SecretField key={name} name={name} must={view.secrets[name] ?? false} error={flawAt(flaws, `secrets.${name}`)} value={secrets[name] ?? ""} onChange={(value) => setSecrets({ ...secrets, [name]: value })} />
            ))}
          </div>
        </Part>
      ) : null}
      <details className="group rounded-card border" open={error !== null || undefined}>
        <summary className="flex min-h-11 items-center px-4 text-ui font-medium select-none">{t("more")}</summary>
        <div className="flex flex-col gap-4 border-t px-4 py-4">
          <Field label={t("name")} hint={t("name_hint")} error={flawAt(flaws, "name")}>
            <Input autoComplete="off" spellCheck={false} maxLength={40} placeholder={view?.name} className="font-mono text-[13px]" value={choices.name ?? ""} onChange={(event) => put({ name: event.target.value || null })} />
          </Field>
          {view && isBare(view) && !choices.base_url ? null : (
            <>
              <Field label={t("base_url")} hint={t("base_url_hint")} error={flawAt(flaws, ...ADDRESS)}>
                <Input inputMode="url" autoComplete="off" spellCheck={false} className="font-mono text-[13px]" value={choices.base_url ?? ""} onChange={(event) => put({ base_url: event.target.value.trim() || null })} />
              </Field>
              <Inside checked={choices.private ?? false} onChange={(inside) => put({ private: inside })} />
              <AuthFields own={view?.auth ?? "none"} auth={choices.auth ?? null} onChange={(auth) => put({ auth })} />
              <Timeout value={choices.timeout_s ?? null} error={flawAt(flaws, "timeout_s")} onChange={(timeout_s) => put({ timeout_s })} />
            </>
          )}
        </div>
      </details>
      <div className="flex justify-end gap-2">
        <Button onClick={onBack}>{t("back")}</Button>
        <Button type="submit" variant="primary" busy={make.isPending} disabled={!view || error !== null || isFetching || settled !== choices || missing}>
          {t("install_this")}
        </Button>
      </div>
    </form>
  );
}

function About({ view }: { view: ManifestView }) {
  const t = useT("plugins");
  return (
    <div className="flex flex-col gap-3">
      <div className="flex items-start gap-3">
        <PluginMark icon={view.icon} />
        <div className="min-w-0">
          <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <span className="font-medium break-words">{view.title}</span>
            <Badge>{kindName(view.kind)}</Badge>
          </p>
          <p className="text-meta break-words text-muted-foreground">{view.description}</p>
        </div>
      </div>
      {view.tools.length > 0 ? (
        <Part title={t("tools_count", { count: view.tools.length })}>
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <ul tabIndex={0} aria-label={t("tools")} className="scroll-thin max-h-44 overflow-y-auto rounded-card border px-4 py-2">
            {view.tools.map((tool) => (
              <li key={tool.name} className="py-1">
                <code className="font-mono text-[13px] break-all">{tool.name}</code>
                <span className="block text-meta text-muted-foreground">{tool.description}</span>
              </li>
            ))}
          </ul>
        </Part>
      ) : null}
      {view.triggers.map((trigger, at) => (
        <p key={at} className="text-meta text-muted-foreground">
          {trigger.on === "message" ? t("on_message", { pattern: trigger.pattern ?? "" }) : trigger.types.length > 0 ? t("on_file", { types: trigger.types.join(", ") }) : t("on_any_file")}
        </p>
      ))}
    </div>
  );
}

export function Part({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="text-ui font-medium">{title}</h3>
      {text ? <p className="text-meta text-muted-foreground">{text}</p> : null}
      <div className="mt-2">{children}</div>
    </section>
  );
}

/** Which operations of a description become tools; all, where nobody chose. */
function Operations({ all, chosen, onChange }: { all: { id: string; summary: string }[]; chosen: string[] | null; onChange: (chosen: string[] | null) => void }) {
  const t = useT("plugins");
  const taken = chosen ?? all.map((one) => one.id);
  const turn = (id: string, on: boolean) => {
    const next = all.map((one) => one.id).filter((one) => (one === id ? on : taken.includes(one)));
    onChange(next.length === all.length ? null : next);
  };
  return (
    <Part title={t("operations", { count: taken.length, of: all.length })} text={t("operations_text")}>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <ul tabIndex={0} aria-label={t("operations_label")} className="scroll-thin max-h-52 overflow-y-auto rounded-card border px-4 py-2">
        {all.map((one) => (
          <li key={one.id}>
            <label className="touch-target flex items-start gap-2.5 py-1">
              <input type="checkbox" className="mt-0.5 size-4 accent-(--color-brand)" checked={taken.includes(one.id)} onChange={(event) => turn(one.id, event.target.checked)} />
              <span className="min-w-0">
                <code className="font-mono text-[13px] break-all">{one.id}</code>
                {one.summary ? <span className="block text-meta text-muted-foreground">{one.summary}</span> : null}
              </span>
            </label>
          </li>
        ))}
      </ul>
    </Part>
  );
}

export function Inside({ checked, onChange }: { checked: boolean; onChange: (checked: boolean) => void }) {
  const t = useT("plugins");
  return (
    <label className="touch-target flex items-start gap-2.5 text-ui">
      <input type="checkbox" className="mt-0.5 size-4 accent-(--color-brand)" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span>
        {t("private")}
        <span className="block text-meta text-muted-foreground">{t("private_hint")}</span>
      </span>
    </label>
  );
}

export function Timeout({ value, error, onChange }: { value: number | null; error?: string | undefined; onChange: (value: number | null) => void }) {
  const t = useT("plugins");
  return (
    <Field label={t("timeout")} hint={t("timeout_hint")} error={error}>
      <Input type="number" min={1} max={120} step={1} placeholder="30" className="tabular max-w-32" value={value ?? ""} onChange={(event) => onChange(event.target.value === "" ? null : Math.round(Number(event.target.value)))} />
    </Field>
  );
}
