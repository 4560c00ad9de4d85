//! Which models a key opens: all of them, or those ticked. Aliases stand first: they stay while the models behind them change.
import { useId, useState } from "react";
import type { Model } from "@/api/types";
import { useModels } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { Input } from "@/ui/input";

/** Lists longer than this get a filter. */
const LONG = 8;

type Entry = { value: string; label: string; note: string };
type Props = { /** null: all. */ value: string[] | null; onChange: (value: string[] | null) => void };

export function KeyModels({ value, onChange }: Props) {
  const t = useT("account");
  const group = useId();
  const { data } = useModels();
  const [filter, setFilter] = useState("");
  const chosen = value ?? [];
  const entries = entriesOf(data?.models ?? [], chosen, (name) => t("keys.models_every", { name }));
  const wanted = filter.trim().toLowerCase();
  const shown = entries.filter((entry) => `${entry.label} ${entry.value}`.toLowerCase().includes(wanted));
  const tick = (name: string, on: boolean) => onChange(on ? [...chosen, name] : chosen.filter((one) => one !== name));
  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1.5 text-ui font-medium">{t("keys.models")}</legend>
      <label className="flex min-h-6 items-center gap-2.5 text-ui coarse:min-h-11">
        <input type="radio" name={group} className="size-4 accent-foreground" checked={value === null} onChange={() => onChange(null)} />
        {t("keys.models_all")}
      </label>
      <label className="flex min-h-6 items-center gap-2.5 text-ui coarse:min-h-11">
        <input type="radio" name={group} className="size-4 accent-foreground" checked={value !== null} onChange={() => onChange(chosen)} />
        {t("keys.models_some")}
      </label>
      {value === null ? null : (
        <div className="ml-6 flex flex-col gap-2">
          {entries.length > LONG ? <Input aria-label={t("keys.models_filter")} placeholder={t("keys.models_filter")} value={filter} onChange={(event) => setFilter(event.target.value)} /> : null}
          <ul className="scroll-thin max-h-52 overflow-y-auto rounded-[10px] border py-1">
            {shown.map((entry) => (
              <li key={entry.value}>
                <label className="flex min-h-9 items-center gap-2.5 px-3 text-ui hover:bg-hover coarse:min-h-11">
                  <input type="checkbox" className="size-4 shrink-0 accent-foreground" checked={chosen.includes(entry.value)} onChange={(event) => tick(entry.value, event.target.checked)} />
                  <span className="min-w-0 flex-1 truncate">{entry.label}</span>
                  {entry.note ? <span className="max-w-[50%] truncate font-mono text-[12px] text-muted-foreground">{entry.note}</span> : null}
                </label>
              </li>
            ))}
          </ul>
          {chosen.length === 0 ? (
            <p role="alert" className="text-meta text-bad">
              {t("keys.models_none")}
            </p>
          ) : null}
        </div>
      )}
    </fieldset>
  );
}

/** Aliases, models, whole providers; and what the key names already although it is no longer offered. */
export function entriesOf(models: Model[], chosen: string[], every: (name: string) => string): Entry[] {
  const aliases = models.filter((model) => model.alias).map((model) => ({ value: model.id, label: model.name, note: model.targets.join(", ") }));
  const single = models.filter((model) => !model.alias);
  const named = single.map((model) => ({ value: model.id, label: model.name, note: model.id }));
  const providers = new Map(single.filter((model) => model.id.includes("/")).map((model) => [model.id.slice(0, model.id.indexOf("/")), model.provider_name]));
  const whole = [...providers].map(([slug, name]) => ({ value: `${slug}/*`, label: every(name), note: `${slug}/*` }));
  const known = new Set([...aliases, ...named, ...whole].map((entry) => entry.value));
  const gone = chosen.filter((value) => !known.has(value)).map((value) => ({ value, label: value, note: "" }));
  return [...gone, ...aliases, ...named, ...whole];
}
