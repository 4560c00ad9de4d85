//! System prompt and sampling, for an existing conversation or for the one about to begin.
import { useEffect, useRef, useState } from "react";
import type { Sampling } from "@/api/types";
import { type Parameters, newParameters, useNewParameters } from "@/chat/parameters";
import { type Thread, useThread } from "@/chat/thread";
import { useT } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Field, Input, Textarea } from "@/ui/input";

export function ThreadParametersPanel({ thread }: { thread: Thread }) {
  const t = useT("chat");
  const { conversation } = useThread(thread);
  if (!conversation) return null;
  const value = { system_prompt: conversation.system_prompt, sampling: conversation.sampling };
  return <Form key={conversation.id} value={value} scope={t("parameters.scope")} onChange={(change) => void thread.change(change)} />;
}

export function NewParametersPanel() {
  const t = useT("chat");
  useNewParameters();
  return <Form value={newParameters()} scope={t("parameters.scope_new")} onChange={(changed) => useNewParameters.setState({ changed })} />;
}

/** Changes leave this long after the last one, so that a dragged slider is one change. */
const SETTLE_MS = 400;

function Form({ value, scope, onChange }: { value: Parameters; scope: string; onChange: (value: Parameters) => void }) {
  const t = useT("chat");
  const [form, setForm] = useState(value);
  const send = useRef(onChange);
  const pending = useRef<{ timer: number; form: Parameters } | null>(null);
  useEffect(() => {
    send.current = onChange;
  });
  // Closing the panel must not lose the last change.
  useEffect(
    () => () => {
      if (!pending.current) return;
      clearTimeout(pending.current.timer);
      send.current(pending.current.form);
    },
    [],
  );
  const change = (next: Parameters) => {
    setForm(next);
    if (pending.current) clearTimeout(pending.current.timer);
    const timer = window.setTimeout(() => {
      pending.current = null;
      send.current(next);
    }, SETTLE_MS);
    pending.current = { timer, form: next };
  };
  const sampling = (part: Sampling) => change({ ...form, sampling: { ...form.sampling, ...part } });
  const untouched = !form.system_prompt && Object.values(form.sampling).every((one) => one === null || one === undefined);

  return (
    <div className="flex flex-col gap-6 px-6 pt-1 pb-8">
      <Field label={t("parameters.system")} hint={t("parameters.system_hint")}>
        <Textarea rows={6} value={form.system_prompt ?? ""} onChange={(event) => change({ ...form, system_prompt: event.target.value === "" ? null : event.target.value })} />
      </Field>
      <Slider label={t("parameters.temperature")} hint={t("parameters.temperature_hint")} max={2} step={0.05} start={0.7} value={form.sampling.temperature ?? null} onChange={(temperature) => sampling({ temperature })} />
      <Slider label={t("parameters.top_p")} hint={t("parameters.top_p_hint")} max={1} step={0.01} start={0.9} value={form.sampling.top_p ?? null} onChange={(top_p) => sampling({ top_p })} />
      <Field label={t("parameters.max_tokens")} hint={t("parameters.max_tokens_hint")}>
        <Input
          type="number"
          inputMode="numeric"
          min={1}
          step={1}
          value={form.sampling.max_tokens ?? ""}
          onChange={(event) => {
            const tokens = Math.floor(Number(event.target.value));
            sampling({ max_tokens: event.target.value === "" || !(tokens >= 1) ? null : tokens });
          }}
        />
      </Field>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="text-meta text-muted-foreground">{scope}</p>
        {untouched ? null : (
          <Button size="small" onClick={() => change({ system_prompt: null, sampling: Object.fromEntries(Object.keys(form.sampling).map((name) => [name, null])) })}>
            {t("parameters.reset")}
          </Button>
        )}
      </div>
    </div>
  );
}

type SliderProps = { label: string; hint: string; max: number; step: number; /** Where the handle stands while the model decides. */ start: number; value: number | null; onChange: (value: number) => void };

function Slider({ label, hint, max, step, start, value, onChange }: SliderProps) {
  const t = useT("chat");
  return (
    <Field label={label} hint={hint} aside={value ?? t("parameters.default")}>
      <input
        type="range"
        min={0}
        max={max}
        step={step}
        value={value ?? start}
        aria-valuetext={value === null ? t("parameters.default") : String(value)}
        onChange={(event) => onChange(Number(event.target.value))}
        className={`h-6 w-full accent-foreground coarse:h-11 ${value === null ? "opacity-50" : ""}`}
      />
    </Field>
  );
}
