//! Which models a key opens: all of them, or those ticked. Aliases stand first: they stay while the models behind them change.
import { useState } from "react";
import type { Model } from "@/api/types";
import { useModels } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { KeyChoice } from "@/pages/account/settings/key-choice";
import { Input } from "@/ui/input";

/** Lists longer than this get a filter. */
const LONG = 8;

type Entry = { value: string; label: string; note: string };
type Props = { /** null: all. */ value: string[] | null; onChange: (value: string[] | null) => void };

export function KeyModels(props: Props) {
  const t = useT("account");
  return (
    <KeyChoice legend={t("keys.models")} all={t("keys.models_all")} some={t("keys.models_some")} {...props}>
      {({ chosen, tick }) => <Entries chosen={chosen} tick={tick} />}
    </KeyChoice>
  );
}

function Entries({ chosen, tick }: { chosen: string[]; tick: (name: string, on: boolean) => void }) {
  const t = useT("account");
  const { data } = useModels();
  const [filter, setFilter] = useState("");
  const entries = entriesOf(data?.models ?? [], chosen, (name) => t("keys.models_every", { name }));
  const wanted = filter.trim().toLowerCase();
  const shown = entries.filter((entry) => `${entry.label} ${entry.value}`.toLowerCase().includes(wanted));
  return (
    <>
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
    </>
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
