//! One alias: what it leads to, how a deployment is chosen, who answers when none does, and its past with the way back.
import { Link } from "@tanstack/react-router";
import { useMutation } from "@tanstack/react-query";
import { ArrowLeftRight, EllipsisVertical, History, Pencil, Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import type { Alias } from "@/api/types";
import { useModelName, useModels } from "@/chat/models";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatAgo } from "@/lib/time";
import { aliasesChanged, removeAlias, rollBack } from "@/pages/admin/aliases/data";
import { HistoryDialog, saidWithUndo } from "@/pages/admin/aliases/history-dialog";
import { StateLine } from "@/pages/admin/model-state";
import { IconButton } from "@/ui/button";
import { Menu } from "@/ui/menu";
import { Badge, Card } from "@/ui/page";
import { toast } from "@/ui/toast";

export function AliasCard({ alias, onEdit }: { alias: Alias; onEdit: () => void }) {
  const t = useT("engines");
  const c = useT("common");
  const language = useLanguage();
  const [now] = useState(() => Date.now());
  const [looking, setLooking] = useState(false);
  const said = (error: unknown) => toast(sentence(error), { tone: "bad" });
  const remove = useMutation({
    mutationFn: () => removeAlias(alias),
    onSuccess: async () => {
      await aliasesChanged();
      saidWithUndo(t("alias.removed", { name: alias.name }), c("undo"), alias);
    },
    onError: said,
  });
  const back = useMutation({
    mutationFn: () => rollBack(alias),
    onSuccess: async () => {
      await aliasesChanged();
      saidWithUndo(t("alias.rolled_back", { name: alias.name }), c("undo"), alias);
    },
    onError: said,
  });
  const ours = alias.source === "settings";
  const total = alias.targets.reduce((sum, target) => sum + target.weight, 0);
  return (
    <Card>
      <div className="flex items-start gap-x-3 border-b px-4 py-3">
        <div className="min-w-0 flex-1">
          <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <h2 className="font-mono text-[15px] font-semibold">{alias.name}</h2>
            {alias.title ? <span className="text-muted-foreground">{alias.title}</span> : null}
            <Badge tone={alias.environment ? "brand" : "neutral"}>{alias.environment ?? t("alias.everywhere")}</Badge>
            {alias.catch_all ? <Badge tone="warn">{t("alias.catch_all")}</Badge> : null}
            {alias.in_force ? null : <Badge>{t("alias.not_in_force")}</Badge>}
            {ours ? null : <Badge>{t("alias.file")}</Badge>}
          </div>
          <p className="mt-0.5 text-meta text-muted-foreground">
            {[alias.targets.length > 1 ? t(`balance.${alias.balance}`) : null, alias.max_concurrent === null ? null : t("alias.at_once", { count: alias.max_concurrent })].filter(Boolean).join(" · ")}
          </p>
        </div>
        {ours ? (
          <Link
            to="/admin/aliases/switch"
            search={{ alias: alias.name, ...(alias.environment ? { environment: alias.environment } : {}) }}
            className="touch-target inline-flex h-9 shrink-0 items-center gap-2 rounded-control border px-3 text-ui font-medium transition-colors duration-120 hover:bg-hover [&_svg]:size-4"
          >
            <ArrowLeftRight aria-hidden="true" />
            {t("alias.switch")}
          </Link>
        ) : null}
        {ours ? (
          <Menu
            align="end"
            entries={[
              { id: "edit", label: t("alias.edit"), icon: <Pencil />, onSelect: onEdit },
              { id: "back", label: t("alias.roll_back_last"), icon: <Undo2 />, disabled: alias.version === 1, onSelect: () => back.mutate() },
              { id: "history", label: t("alias.history"), icon: <History />, onSelect: () => setLooking(true) },
              { id: "remove", label: t("alias.remove"), icon: <Trash2 />, danger: true, onSelect: () => remove.mutate() },
            ]}
            trigger={
              <IconButton label={t("alias.menu", { name: alias.name })} className="-mr-1.5">
                <EllipsisVertical />
              </IconButton>
            }
          />
        ) : null}
      </div>
      <ul>
        {alias.targets.map((target) => (
          <TargetRow key={target.model} model={target.model} known={target.known} share={alias.targets.length > 1 && total > 0 ? target.weight / total : null} />
        ))}
      </ul>
      <div className="flex flex-wrap gap-x-6 gap-y-1 border-t px-4 py-2.5 text-meta text-muted-foreground">
        {alias.fallbacks.length > 0 ? (
          <span>
            {t("alias.then")} <span className="font-mono text-[12px]">{alias.fallbacks.join(" → ")}</span>
          </span>
        ) : (
          <span>{t("alias.no_fallback")}</span>
        )}
        {alias.changed_at !== null ? <span className="ml-auto">{t("alias.changed", { name: alias.changed_by_name ?? "", ago: formatAgo(Math.min(alias.changed_at, now), now, language) })}</span> : null}
      </div>
      {looking ? <HistoryDialog alias={alias} onClose={() => setLooking(false)} /> : null}
    </Card>
  );
}

function TargetRow({ model, known, share }: { model: string; known: boolean; share: number | null }) {
  const t = useT("engines");
  const language = useLanguage();
  const name = useModelName(model);
  const { data } = useModels();
  const state = data?.models.find((one) => one.id === model)?.state;
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b px-4 py-2.5 last:border-b-0">
      <div className="min-w-0 flex-1 basis-40">
        <p className="truncate">{name}</p>
        <p className="font-mono text-[12px] break-all text-muted-foreground">{model}</p>
      </div>
      {share === null ? null : (
        <span className="flex items-center gap-2">
          <span className="h-1.5 w-24 overflow-hidden rounded-full bg-muted" aria-hidden="true">
            <span className="block h-full rounded-full bg-foreground" style={{ width: `${share * 100}%` }} />
          </span>
          <span className="tabular w-10 text-right text-meta">{new Intl.NumberFormat(language, { style: "percent" }).format(share)}</span>
        </span>
      )}
      <span className="w-28 max-sm:w-auto">{known ? state ? <StateLine state={state} enabled /> : null : <span className="text-meta text-warn">{t("alias.gone")}</span>}</span>
    </li>
  );
}
