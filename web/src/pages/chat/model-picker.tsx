//! The model of this conversation, its state in a dot and in words, and the others there are.
import { ChevronDown } from "lucide-react";
import type { Model, ModelState } from "@/api/types";
import { chooseModel, forChat, stateWords, useModels } from "@/chat/models";
import { cx } from "@/lib/cx";
import { translate, useT } from "@/lib/i18n";
import { failureSentence } from "@/lib/problem";
import { Menu, type MenuEntry } from "@/ui/menu";

const DOTS: Record<ModelState["state"], string> = {
  cold: "bg-border-strong",
  loading: "animate-breathe bg-warn",
  warming: "animate-breathe bg-warn",
  ready: "bg-good",
  failed: "bg-bad",
};

export function StateDot({ state }: { state: ModelState }) {
  return <span aria-hidden="true" className={cx("inline-block size-2 shrink-0 rounded-full", DOTS[state.state])} />;
}

/** `onPick` changes an existing conversation; without it the choice is for the next new one. */
export function ModelPicker({ current, onPick }: { current: Model | null; onPick?: (model: string) => void }) {
  const t = useT("chat");
  const { data } = useModels();
  const models = forChat(data?.models);
  if (models.length === 0) return <span className="px-2.5 text-[15px] text-muted-foreground">{data ? t("model.none") : ""}</span>;
  const pick = (id: string) => {
    chooseModel(id);
    onPick?.(id);
  };
  return (
    <Menu
      entries={modelEntries(models, current?.id ?? null, pick)}
      trigger={
        <button
          type="button"
          className="touch-target flex h-9 min-w-0 items-center gap-2 rounded-control px-2.5 text-[15px] font-medium transition-colors duration-120 hover:bg-hover aria-expanded:bg-hover"
        >
          {current ? <span className="sr-only">{t("model.pick")}</span> : null}
          <span className="truncate">{current?.name ?? t("model.pick")}</span>
          {current && current.state.state !== "ready" ? (
            <span className="flex shrink-0 items-center gap-1.5 text-meta font-normal text-muted-foreground">
              <StateDot state={current.state} />
              <span className="tabular">{stateWords(current.state)}</span>
            </span>
          ) : null}
          <ChevronDown className="size-4 shrink-0 text-muted-foreground" aria-hidden="true" />
        </button>
      }
    />
  );
}

/** All models, under their providers' names; the aliases first, which are what people are meant to choose. */
export function modelEntries(models: Model[], current: string | null, pick: (id: string) => void): MenuEntry[] {
  const entries: MenuEntry[] = [];
  let provider = "";
  const order = (a: Model, b: Model) => Number(b.alias) - Number(a.alias) || Number(b.local) - Number(a.local) || a.provider_name.localeCompare(b.provider_name);
  for (const model of [...models].sort((a, b) => order(a, b))) {
    if (model.provider !== provider) entries.push({ heading: model.alias ? translate("chat", "model.aliases") : model.provider_name });
    provider = model.provider;
    entries.push({
      id: model.id,
      label: model.name,
      icon: (
        <span className="flex size-4 items-center justify-center">
          <StateDot state={model.state} />
        </span>
      ),
      description: described(model),
      checked: model.id === current,
      onSelect: () => pick(model.id),
    });
  }
  return entries;
}

/** The state, and whom an alias stands for. */
function described(model: Model): string {
  const state = model.state.state === "failed" ? failureSentence(model.state) : stateWords(model.state);
  return model.alias && model.targets.length > 0 ? `${state} · ${model.targets.join(", ")}` : state;
}
