//! An alias made or changed: its name, its models with their shares, how one is chosen, and who answers when none does.
import { useMutation } from "@tanstack/react-query";
import { ArrowDown, Plus, X } from "lucide-react";
import { useState } from "react";
import type { Alias, Balance } from "@/api/types";
import { useModels } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { aliasesChanged, changeAlias, createAlias } from "@/pages/admin/aliases/data";
import { saidWithUndo } from "@/pages/admin/aliases/history-dialog";
import { Button, IconButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select, Switch } from "@/ui/input";
import { Notice, Row } from "@/ui/page";
import { toast } from "@/ui/toast";

const BALANCES: Balance[] = ["least_busy", "weighted", "prefix_aware", "sticky"];
type Fields = { name: string; environment: string; title: string; targets: { model: string; weight: string }[]; balance: Balance; fallbacks: string[]; max_concurrent: string; catch_all: boolean };

function fieldsOf(alias: Alias | null): Fields {
  return {
    name: alias?.name ?? "",
    environment: alias?.environment ?? "",
    title: alias?.title ?? "",
    targets: alias?.targets.map(({ model, weight }) => ({ model, weight: String(weight) })) ?? [{ model: "", weight: "1" }],
    balance: alias?.balance ?? "least_busy",
    fallbacks: alias?.fallbacks ?? [],
    max_concurrent: alias?.max_concurrent?.toString() ?? "",
    catch_all: alias?.catch_all ?? false,
  };
}

type Props = { alias: Alias | null; /** This house's environment. */ here: string | null; onClose: () => void };

export function AliasDialog({ alias, here, onClose }: Props) {
  const t = useT("engines");
  const c = useT("common");
  const { data } = useModels();
  const [fields, setFields] = useState(() => fieldsOf(alias));
  const [tried, setTried] = useState(false);
  const set = (change: Partial<Fields>) => setFields((before) => ({ ...before, ...change }));
  const single = (data?.models ?? []).filter((model) => !model.alias).map((model) => model.id);
  const others = (data?.models ?? []).map((model) => model.id).filter((id) => id !== fields.name);
  const faults = faultsOf(fields);
  const save = useMutation({
    mutationFn: () => {
      const named = { name: fields.name.trim(), environment: fields.environment.trim() || null };
      const content = {
        title: fields.title.trim() || null,
        targets: fields.targets.filter((target) => target.model !== "").map(({ model, weight }) => ({ model, weight: Number(weight) })),
        balance: fields.balance,
        fallbacks: fields.fallbacks.filter((model) => model !== ""),
        max_concurrent: fields.max_concurrent === "" ? null : Number(fields.max_concurrent),
        catch_all: fields.catch_all,
      };
      return alias ? changeAlias(alias, content) : createAlias(named, content);
    },
    onSuccess: async () => {
      await aliasesChanged();
      if (alias) saidWithUndo(t("alias.saved", { name: alias.name }), c("undo"), alias);
      else toast(t("alias.made", { name: fields.name.trim() }));
      onClose();
    },
  });
  const submit = () => {
    setTried(true);
    if (Object.keys(faults).length === 0) save.mutate();
  };
  const says = (field: keyof typeof faults) => (tried && faults[field] ? t(faults[field]) : undefined);

  return (
    <Dialog
      open
      onClose={onClose}
      title={alias ? t("alias.edit_title", { name: alias.name }) : t("alias.new")}
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" type="submit" form="alias" busy={save.isPending}>
            {alias ? c("save") : t("alias.create")}
          </Button>
        </>
      }
    >
      <form
        id="alias"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        className="flex flex-col gap-5"
      >
        {save.error ? (
          <Notice tone="bad" role="alert">
            {sentence(save.error)}
          </Notice>
        ) : null}
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t("alias.name")} hint={t("alias.name_hint")} error={says("name")}>
            <Input autoComplete="off" spellCheck={false} disabled={alias !== null} placeholder="main" className="font-mono text-[13px]" value={fields.name} onChange={(event) => set({ name: event.target.value })} />
          </Field>
          <Field label={t("alias.environment")} hint={here ? t("aliases.here", { environment: here }) : t("alias.environment_hint")} aside={c("optional")}>
            <Input autoComplete="off" spellCheck={false} disabled={alias !== null} placeholder={t("alias.everywhere")} list="environments" value={fields.environment} onChange={(event) => set({ environment: event.target.value })} />
          </Field>
        </div>
        <datalist id="environments">
          {[...new Set(["production", "development", ...(here ? [here] : [])])].map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </datalist>
        <Field label={t("alias.title")} aside={c("optional")}>
          <Input autoComplete="off" value={fields.title} onChange={(event) => set({ title: event.target.value })} />
        </Field>
        <Targets fields={fields} models={single} error={says("targets")} onChange={(targets) => set({ targets })} />
        {fields.targets.length > 1 ? (
          <Field label={t("alias.balance")} hint={t(`balance.${fields.balance}.hint`)}>
            <Select value={fields.balance} onChange={(event) => set({ balance: event.target.value as Balance })}>
              {BALANCES.map((balance) => (
                <option key={balance} value={balance}>
                  {t(`balance.${balance}`)}
                </option>
              ))}
            </Select>
          </Field>
        ) : null}
        <Fallbacks fallbacks={fields.fallbacks} models={others} onChange={(fallbacks) => set({ fallbacks })} />
        <Field label={t("alias.max_concurrent")} hint={t("alias.max_concurrent_hint")} error={says("max_concurrent")} aside={c("optional")}>
          <Input inputMode="numeric" autoComplete="off" className="tabular" value={fields.max_concurrent} onChange={(event) => set({ max_concurrent: event.target.value.trim() })} />
        </Field>
        <div className="rounded-[10px] border">
          <Row title={t("alias.catch_all")} description={t("alias.catch_all_hint")}>
            <Switch label={t("alias.catch_all")} checked={fields.catch_all} onChange={(catch_all) => set({ catch_all })} />
          </Row>
        </div>
      </form>
    </Dialog>
  );
}

type Fault = "invalid.alias_name" | "invalid.targets" | "invalid.weight" | "invalid.twice" | "invalid.whole";

function faultsOf(fields: Fields): { name?: Fault; targets?: Fault; max_concurrent?: Fault } {
  const models = fields.targets.map((target) => target.model).filter((model) => model !== "");
  const weights = fields.targets.every((target) => /^\d{1,3}$|^1000$/.test(target.weight));
  return {
    ...(/^\S(.{0,198}\S)?$/.test(fields.name.trim()) ? {} : { name: "invalid.alias_name" as const }),
    ...(models.length === 0 ? { targets: "invalid.targets" as const } : new Set(models).size < models.length ? { targets: "invalid.twice" as const } : weights ? {} : { targets: "invalid.weight" as const }),
    ...(/^([1-9]\d{0,5})?$/.test(fields.max_concurrent) ? {} : { max_concurrent: "invalid.whole" as const }),
  };
}

type TargetsProps = { fields: Fields; models: string[]; error: string | undefined; onChange: (targets: Fields["targets"]) => void };

function Targets({ fields, models, error, onChange }: TargetsProps) {
  const t = useT("engines");
  const { targets } = fields;
  const put = (at: number, change: Partial<Fields["targets"][number]>) => onChange(targets.map((target, place) => (place === at ? { ...target, ...change } : target)));
  return (
    <fieldset>
      <legend className="mb-1.5 text-ui font-medium">{t("alias.targets")}</legend>
      <ul className="flex flex-col gap-2">
        {targets.map((target, at) => (
          // oxlint-disable-next-line react/no-array-index-key
          <li key={at} className="flex items-center gap-2">
            <ModelSelect label={t("alias.target_n", { n: at + 1 })} models={models} value={target.model} onChange={(model) => put(at, { model })} />
            {targets.length > 1 ? (
              <Input aria-label={t("alias.weight_n", { n: at + 1 })} title={t("alias.weight")} inputMode="numeric" className="tabular w-18! text-right" value={target.weight} onChange={(event) => put(at, { weight: event.target.value.trim() })} />
            ) : null}
            {targets.length > 1 ? (
              <IconButton label={t("alias.take_out", { n: at + 1 })} onClick={() => onChange(targets.filter((_, place) => place !== at))}>
                <X />
              </IconButton>
            ) : null}
          </li>
        ))}
      </ul>
      {error ? (
        <p role="alert" className="mt-1.5 text-meta text-bad">
          {error}
        </p>
      ) : null}
      <Button size="small" variant="ghost" icon={<Plus />} className="mt-2 -ml-2" onClick={() => onChange([...targets, { model: "", weight: "1" }])}>
        {t("alias.add_target")}
      </Button>
    </fieldset>
  );
}

type FallbacksProps = { fallbacks: string[]; models: string[]; onChange: (fallbacks: string[]) => void };

function Fallbacks({ fallbacks, models, onChange }: FallbacksProps) {
  const t = useT("engines");
  return (
    <fieldset>
      <legend className="text-ui font-medium">{t("alias.fallbacks")}</legend>
      <p className="mb-2 text-meta text-muted-foreground">{t("alias.fallbacks_hint")}</p>
      <ul className="flex flex-col gap-2">
        {fallbacks.map((model, at) => (
          // oxlint-disable-next-line react/no-array-index-key
          <li key={at} className="flex items-center gap-2">
            <ArrowDown className="size-4 shrink-0 text-muted-foreground" aria-hidden="true" />
            <ModelSelect label={t("alias.fallback_n", { n: at + 1 })} models={models} value={model} onChange={(next) => onChange(fallbacks.map((one, place) => (place === at ? next : one)))} />
            <IconButton label={t("alias.take_out", { n: at + 1 })} onClick={() => onChange(fallbacks.filter((_, place) => place !== at))}>
              <X />
            </IconButton>
          </li>
        ))}
      </ul>
      <Button size="small" variant="ghost" icon={<Plus />} className="mt-2 -ml-2" onClick={() => onChange([...fallbacks, ""])}>
        {t("alias.add_fallback")}
      </Button>
    </fieldset>
  );
}

type SelectProps = { label: string; models: string[]; value: string; onChange: (model: string) => void };

/** Every model there is, and the one chosen before although it is gone. */
export function ModelSelect({ label, models, value, onChange }: SelectProps) {
  const t = useT("engines");
  const known = value === "" || models.includes(value) ? models : [value, ...models];
  return (
    <Select aria-label={label} className="min-w-0 flex-1 font-mono text-[13px]" value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{t("alias.choose")}</option>
      {known.map((model) => (
        <option key={model} value={model}>
          {model}
        </option>
      ))}
    </Select>
  );
}
