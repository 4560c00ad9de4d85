//! What an assistant says, as a form: who it is, its instructions with their variables, its opening questions, model and sampling.
import { Plus, X } from "lucide-react";
import { useId, useRef } from "react";
import type { Unit, Variable } from "@/api/assistants";
import type { Sampling } from "@/api/types";
import { forChat, useModels } from "@/chat/models";
import { cx } from "@/lib/cx";
import { type Key, useT } from "@/lib/i18n";
import { ICONS } from "@/pages/assistants/avatar";
import { Button, IconButton } from "@/ui/button";
import { Field, Input, Select, Textarea } from "@/ui/input";
import { Card, Notice } from "@/ui/page";

type Change = (part: Partial<Unit>) => void;
const QUESTIONS = 8;
const VARIABLES = 20;

export function Form({ unit, unfilled, onChange }: { unit: Unit; unfilled: string[]; onChange: Change }) {
  const t = useT("assistants");
  return (
    <div className="grid gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
      <div className="flex min-w-0 flex-col gap-4">
        <Card className="flex flex-col gap-5 p-4 sm:p-5">
          <Field label={t("name")}>
            <Input value={unit.name} required maxLength={60} autoComplete="off" onChange={(event) => onChange({ name: event.target.value })} />
          </Field>
          <Field label={t("summary")} hint={t("summary_hint")}>
            <Input value={unit.summary} maxLength={300} autoComplete="off" onChange={(event) => onChange({ summary: event.target.value })} />
          </Field>
          <Instructions unit={unit} onChange={onChange} />
          {unfilled.length > 0 ? (
            <Notice tone="warn" role="status">
              {t("unfilled", { names: unfilled.map((name) => `{{${name}}}`).join(", ") })}
            </Notice>
          ) : null}
        </Card>
        <Card className="p-4 sm:p-5">
          <Variables all={unit.variables} onChange={(variables) => onChange({ variables })} />
        </Card>
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Card className="p-4 sm:p-5">
          <Picture unit={unit} onChange={onChange} />
        </Card>
        <Card className="p-4 sm:p-5">
          <Questions all={unit.questions} onChange={(questions) => onChange({ questions })} />
        </Card>
        <Card className="flex flex-col gap-5 p-4 sm:p-5">
          <ModelField model={unit.model} onChange={(model) => onChange({ model })} />
          <SamplingFields sampling={unit.sampling} onChange={(sampling) => onChange({ sampling })} />
          {unit.plugins.length > 0 ? <Notice role="status">{t("plugins", { names: unit.plugins.join(", ") })}</Notice> : null}
        </Card>
      </div>
    </div>
  );
}

/** Filled by the portal; written into the text where the caret stands. */
const BUILT_IN = ["date", "name", "language"];

function Instructions({ unit, onChange }: { unit: Unit; onChange: Change }) {
  const t = useT("assistants");
  const box = useRef<HTMLTextAreaElement>(null);
  const names = [...BUILT_IN, ...unit.variables.map((one) => one.name).filter((name) => name !== "")];
  const insert = (name: string) => {
    const at = box.current?.selectionStart ?? unit.prompt.length;
    const end = box.current?.selectionEnd ?? at;
    const written = `{{${name}}}`;
    onChange({ prompt: unit.prompt.slice(0, at) + written + unit.prompt.slice(end) });
    requestAnimationFrame(() => {
      box.current?.focus();
      box.current?.setSelectionRange(at + written.length, at + written.length);
    });
  };
  return (
    <div className="flex flex-col gap-2">
      <Field label={t("prompt")} hint={t("prompt_hint")} aside={`${unit.prompt.length} / 20000`}>
        <Textarea ref={box} rows={16} maxLength={20_000} value={unit.prompt} onChange={(event) => onChange({ prompt: event.target.value })} />
      </Field>
      <div role="group" aria-label={t("insert")} className="flex flex-wrap gap-1.5">
        {names.map((name) => (
          <button key={name} type="button" onClick={() => insert(name)} className="touch-target rounded-full border px-2.5 py-1 font-mono text-[12px] text-muted-foreground transition-colors duration-120 hover:bg-hover hover:text-foreground">
            {`{{${name}}}`}
          </button>
        ))}
      </div>
    </div>
  );
}

function Variables({ all, onChange }: { all: Variable[]; onChange: (all: Variable[]) => void }) {
  const t = useT("assistants");
  const put = (at: number, part: Partial<Variable>) => onChange(all.map((one, place) => (place === at ? { ...one, ...part } : one)));
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="text-ui font-medium">{t("variables")}</legend>
      <p className="text-meta text-muted-foreground">{t("variables_hint")}</p>
      {all.map((one, at) => (
        <div key={at} className="flex flex-wrap items-start gap-2 sm:flex-nowrap">
          <Input aria-label={t("variable_name", { at: at + 1 })} placeholder="company" className="font-mono sm:max-w-44" maxLength={32} pattern="[a-z][a-z0-9_]*" required value={one.name} onChange={(event) => put(at, { name: event.target.value })} />
          <Textarea aria-label={t("variable_value", { at: at + 1 })} rows={1} className="min-h-9!" maxLength={2000} value={one.value} onChange={(event) => put(at, { value: event.target.value })} />
          <IconButton label={t("take_out", { at: at + 1 })} onClick={() => onChange(all.filter((_, place) => place !== at))}>
            <X />
          </IconButton>
        </div>
      ))}
      <div>
        <Button size="small" icon={<Plus />} disabled={all.length >= VARIABLES} onClick={() => onChange([...all, { name: "", value: "" }])}>
          {t("add_variable")}
        </Button>
      </div>
    </fieldset>
  );
}

function Questions({ all, onChange }: { all: string[]; onChange: (all: string[]) => void }) {
  const t = useT("assistants");
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="mb-2 text-ui font-medium">{t("questions")}</legend>
      {all.map((one, at) => (
        <div key={at} className="flex items-center gap-2">
          <Input aria-label={t("question", { at: at + 1 })} maxLength={300} value={one} onChange={(event) => onChange(all.map((old, place) => (place === at ? event.target.value : old)))} />
          <IconButton label={t("take_out_question", { at: at + 1 })} onClick={() => onChange(all.filter((_, place) => place !== at))}>
            <X />
          </IconButton>
        </div>
      ))}
      <div>
        <Button size="small" icon={<Plus />} disabled={all.length >= QUESTIONS} onClick={() => onChange([...all, ""])}>
          {t("add_question")}
        </Button>
      </div>
    </fieldset>
  );
}

function Picture({ unit, onChange }: { unit: Unit; onChange: Change }) {
  const t = useT("assistants");
  const group = useId();
  const { avatar } = unit;
  return (
    <fieldset className="flex flex-col gap-4">
      <legend className="mb-2 text-ui font-medium">{t("picture")}</legend>
      <div className="flex flex-wrap gap-1">
        {Object.entries(ICONS).map(([icon, Icon]) => (
          <label key={icon} data-tip={t(`icon.${icon}` as Key<"assistants">)} className={cx("flex size-9 cursor-pointer items-center justify-center rounded-control border focus-within:outline-2 coarse:size-11", avatar.icon === icon ? "border-brand bg-brand-soft" : "border-transparent hover:bg-hover")}>
            <input type="radio" name={group} className="sr-only" aria-label={t(`icon.${icon}` as Key<"assistants">)} checked={avatar.icon === icon} onChange={() => onChange({ avatar: { ...avatar, icon } })} />
            <Icon className="size-[18px]" aria-hidden="true" />
          </label>
        ))}
      </div>
      <Field label={t("hue")}>
        <input type="range" min={0} max={359} value={avatar.hue} onChange={(event) => onChange({ avatar: { ...avatar, hue: Number(event.target.value) } })} className="h-6 w-full accent-foreground coarse:h-11" />
      </Field>
    </fieldset>
  );
}

function ModelField({ model, onChange }: { model: string | null; onChange: (model: string | null) => void }) {
  const t = useT("assistants");
  const { data } = useModels();
  const models = forChat(data?.models);
  const known = model === null || models.some((one) => one.id === model);
  return (
    <Field label={t("model")} hint={known ? t("model_hint") : t("model_gone")}>
      <Select value={model ?? ""} onChange={(event) => onChange(event.target.value === "" ? null : event.target.value)}>
        <option value="">{t("model_any")}</option>
        {known ? null : <option value={model ?? ""}>{model}</option>}
        {models.map((one) => (
          <option key={one.id} value={one.id}>
            {one.alias ? one.name : `${one.provider_name} · ${one.name}`}
          </option>
        ))}
      </Select>
    </Field>
  );
}

type Numeric = "temperature" | "top_p" | "max_tokens";
const RULES: { name: Numeric; min: number; max: number; step: number }[] = [
  { name: "temperature", min: 0, max: 2, step: 0.05 },
  { name: "top_p", min: 0, max: 1, step: 0.01 },
  { name: "max_tokens", min: 1, max: 1_000_000, step: 1 },
];

function SamplingFields({ sampling, onChange }: { sampling: Sampling; onChange: (sampling: Sampling) => void }) {
  const t = useT("assistants");
  const set = (name: Numeric, text: string) => {
    const { [name]: _, ...others } = sampling;
    onChange(text === "" ? others : { ...others, [name]: Number(text) });
  };
  return (
    <div className="grid gap-4 sm:grid-cols-3 lg:grid-cols-1 xl:grid-cols-3">
      {RULES.map(({ name, min, max, step }) => (
        <Field key={name} label={t(`sampling.${name}`)}>
          <Input type="number" inputMode="decimal" min={min} max={max} step={step} placeholder={t("sampling.default")} className="tabular" value={sampling[name] ?? ""} onChange={(event) => set(name, event.target.value)} />
        </Field>
      ))}
    </div>
  );
}
