//! What every new conversation begins with: the person's own system prompt and how tokens are chosen.
import { useState } from "react";
import { useForm } from "react-hook-form";
import type { Sampling } from "@/api/types";
import { changeMe, useMe } from "@/app/session";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Button } from "@/ui/button";
import { Field, Input, Textarea } from "@/ui/input";
import { Card, Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

type Numeric = "temperature" | "top_p" | "top_k" | "min_p" | "frequency_penalty" | "presence_penalty" | "seed" | "max_tokens";
type Rule = { name: Numeric; min: number; max: number; step: number };

/** The ranges the portal and the OpenAI dialect take. */
const RULES: Rule[] = [
  { name: "temperature", min: 0, max: 2, step: 0.05 },
  { name: "top_p", min: 0, max: 1, step: 0.01 },
  { name: "max_tokens", min: 1, max: 1_000_000, step: 1 },
  { name: "top_k", min: 1, max: 1000, step: 1 },
  { name: "min_p", min: 0, max: 1, step: 0.01 },
  { name: "frequency_penalty", min: -2, max: 2, step: 0.1 },
  { name: "presence_penalty", min: -2, max: 2, step: 0.1 },
  { name: "seed", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1 },
];
const LONGEST_PROMPT = 20_000;

type Fields = { system_prompt: string } & Record<Numeric, string>;

function fieldsOf(prompt: string | undefined, sampling: Sampling | undefined): Fields {
  const numbers = Object.fromEntries(RULES.map(({ name }) => [name, sampling?.[name]?.toString() ?? ""])) as Record<Numeric, string>;
  return { system_prompt: prompt ?? "", ...numbers };
}

function samplingOf(fields: Fields, before: Sampling | undefined): Sampling | null {
  // Stop strings and whatever else a client of the API keeps there are not this form's.
  const kept: Sampling = { ...before };
  for (const { name } of RULES) {
    if (fields[name] === "") delete kept[name];
    else kept[name] = Number(fields[name]);
  }
  return Object.keys(kept).length === 0 ? null : kept;
}

export function ChatSettings() {
  const t = useT("account");
  const c = useT("common");
  const { settings } = useMe();
  const { register, handleSubmit, reset, formState } = useForm<Fields>({ defaultValues: fieldsOf(settings.system_prompt, settings.sampling) });
  const [refused, setRefused] = useState<unknown>(null);

  const save = handleSubmit(async (fields) => {
    setRefused(null);
    try {
      await changeMe({ settings: { system_prompt: fields.system_prompt.trim() || null, sampling: samplingOf(fields, settings.sampling) } });
      reset(fields);
      toast(c("saved"));
    } catch (error) {
      setRefused(error);
    }
  });

  const checked = ({ name, min, max, step }: Rule) =>
    register(name, {
      validate: (text) => {
        if (text === "") return true;
        const value = Number(text);
        const fits = value >= min && value <= max && (step < 1 || Number.isInteger(value));
        return fits || t("chat.range", { min, max: max === Number.MAX_SAFE_INTEGER ? "2⁵³" : max });
      },
    });

  return (
    <form noValidate onSubmit={(event) => void save(event)} className="flex flex-col gap-6">
      {refused ? (
        <Notice tone="bad" role="alert">
          {sentence(refused)}
        </Notice>
      ) : null}
      <Field label={t("chat.system")} hint={t("chat.system_hint")} error={formState.errors.system_prompt?.message}>
        <Textarea rows={6} {...register("system_prompt", { maxLength: { value: LONGEST_PROMPT, message: t("chat.system_long", { max: LONGEST_PROMPT }) } })} />
      </Field>
      <fieldset>
        <legend className="mb-1 text-[16px] font-semibold">{t("chat.sampling")}</legend>
        <p className="mb-4 text-meta text-muted-foreground">{t("chat.sampling_text")}</p>
        <Card className="grid gap-x-6 gap-y-5 p-4 sm:grid-cols-2 sm:p-5">
          {RULES.map((rule) => (
            <Field key={rule.name} label={t(`chat.${rule.name}` as Key<"account">)} hint={t(`chat.${rule.name}_hint` as Key<"account">)} error={formState.errors[rule.name]?.message}>
              <Input inputMode="decimal" autoComplete="off" placeholder={t("chat.default")} className="tabular" {...checked(rule)} />
            </Field>
          ))}
        </Card>
      </fieldset>
      <div className="flex justify-end gap-2">
        {formState.isDirty ? <Button onClick={() => reset()}>{c("cancel")}</Button> : null}
        <Button type="submit" variant="primary" busy={formState.isSubmitting} disabled={!formState.isDirty}>
          {c("save")}
        </Button>
      </div>
    </form>
  );
}
