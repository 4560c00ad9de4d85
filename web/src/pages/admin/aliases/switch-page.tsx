//! Leading an alias elsewhere: the new model is chosen, saved questions are asked of it again, old and new answers are compared, and then it is switched.
import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useMutation } from "@tanstack/react-query";
import { ArrowLeftRight, ArrowRight, RotateCcw, X } from "lucide-react";
import { useState } from "react";
import type { Alias, ReplayResult } from "@/api/types";
import { useModels } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { ModelSelect } from "@/pages/admin/aliases/alias-dialog";
import { Comparison } from "@/pages/admin/aliases/comparison";
import { aliasesChanged, beginReplay, cancelReplay, switchAlias, useAliases, useReplay } from "@/pages/admin/aliases/data";
import { saidWithUndo } from "@/pages/admin/aliases/history-dialog";
import { Summary } from "@/pages/admin/aliases/summary";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Field, Select } from "@/ui/input";
import { Badge, Card, Notice, PageHeader, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const route = getRouteApi("/admin/aliases/switch");
const COUNTS = [3, 5, 10, 20, 50];

export function SwitchPage() {
  const t = useT("engines");
  const search = route.useSearch();
  const { data, error, isPending, refetch } = useAliases();
  const alias = data?.aliases.find((one) => one.source === "settings" && one.name === search.alias && one.environment === (search.environment ?? null));
  if (error) return <Failed error={error} again={refetch} />;
  if (isPending) return <Skeleton className="h-64" />;
  if (!alias) {
    return (
      <Notice tone="warn" action={<Link to="/admin/aliases" className="underline underline-offset-4">{t("switch.to_list")}</Link>}>
        {t("switch.gone", { name: search.alias })}
      </Notice>
    );
  }
  return <Switching key={alias.name} alias={alias} replayId={search.replay} />;
}

function Switching({ alias, replayId }: { alias: Alias; replayId: string | undefined }) {
  const t = useT("engines");
  const navigate = useNavigate();
  const { data } = useModels();
  const replay = useReplay(replayId);
  const [chosen, setChosen] = useState("");
  const [count, setCount] = useState(10);
  const target = chosen || (replay.data?.target ?? "");
  const now = alias.targets.map((one) => one.model);
  const models = (data?.models ?? []).filter((model) => !model.alias && !(now.length === 1 && now[0] === model.id)).map((model) => model.id);
  const where = { alias: alias.name, ...(alias.environment ? { environment: alias.environment } : {}) };
  const begin = useMutation({
    mutationFn: () => beginReplay(alias, target, count),
    onSuccess: (begun) => navigate({ to: "/admin/aliases/switch", search: { ...where, replay: begun.id }, replace: true }),
  });
  const lead = useMutation({
    mutationFn: () => switchAlias(alias, { target }, replay.data?.target === target ? t("switch.note", { count: replay.data.done }) : ""),
    onSuccess: async () => {
      await aliasesChanged();
      saidWithUndo(t("switch.done", { name: alias.name, target }), t("switch.undo"), alias);
      await navigate({ to: "/admin/aliases" });
    },
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  // What was compared holds for the model it was compared with.
  const shown = replay.data && replay.data.target === target ? replay.data : null;
  const running = shown?.state === "running";

  return (
    <>
      <PageHeader
        title={t("switch.title", { name: alias.name })}
        description={t("switch.text")}
        action={
          <Button variant={shown && !running ? "primary" : "secondary"} icon={<ArrowLeftRight />} disabled={target === "" || running} busy={lead.isPending} onClick={() => lead.mutate()}>
            {t(shown && !running ? "switch.now" : "switch.anyway")}
          </Button>
        }
      />
      <Card className="mb-6">
        <div className="grid items-end gap-x-4 gap-y-4 p-4 md:grid-cols-[minmax(0,1fr)_auto_minmax(0,1fr)_9rem_auto]">
          <div className="min-w-0 self-start">
            <p className="mb-1.5 flex items-center gap-2 text-ui font-medium">
              {t("switch.from")}
              {alias.environment ? <Badge tone="brand">{alias.environment}</Badge> : null}
            </p>
            <p className="flex min-h-9 items-center font-mono text-[13px] break-all">{now.join(", ")}</p>
          </div>
          <ArrowRight className="mb-2.5 size-4 text-muted-foreground max-md:hidden" aria-hidden="true" />
          <div className="min-w-0">
            <p className="mb-1.5 text-ui font-medium" aria-hidden="true">
              {t("switch.target")}
            </p>
            <ModelSelect label={t("switch.target")} models={models} value={target} onChange={setChosen} />
          </div>
          <Field label={t("switch.count")}>
            <Select value={count} onChange={(event) => setCount(Number(event.target.value))}>
              {COUNTS.map((many) => (
                <option key={many} value={many}>
                  {t("switch.last", { count: many })}
                </option>
              ))}
            </Select>
          </Field>
          <Button icon={<RotateCcw />} disabled={target === "" || running} busy={begin.isPending} onClick={() => begin.mutate()}>
            {t(shown ? "switch.again" : "switch.replay")}
          </Button>
        </div>
        <p className="border-t px-4 py-2.5 text-meta text-muted-foreground">{t("switch.private")}</p>
      </Card>
      {begin.error || replay.error ? (
        <div className="mb-6">
          <Notice tone="bad" role="alert">
            {sentence(begin.error ?? replay.error)}
          </Notice>
        </div>
      ) : null}
      {shown ? <Result replay={shown} /> : null}
    </>
  );
}

function Result({ replay }: { replay: ReplayResult }) {
  const t = useT("engines");
  const stop = useMutation({ mutationFn: () => cancelReplay(replay.id), onError: (problem) => toast(sentence(problem), { tone: "bad" }) });
  const running = replay.state === "running";
  return (
    <div className="flex flex-col gap-6">
      {running ? (
        <div role="status" className="flex items-center gap-4">
          <div className="min-w-0 flex-1">
            <p className="tabular mb-1.5 text-meta">{t("switch.progress", { done: replay.done, total: replay.total })}</p>
            <div role="progressbar" aria-label={t("switch.replay")} aria-valuemin={0} aria-valuemax={replay.total} aria-valuenow={replay.done} className="h-1.5 overflow-hidden rounded-full bg-muted">
              <div className="h-full rounded-full bg-brand transition-[width] duration-240" style={{ width: `${replay.total === 0 ? 0 : (replay.done / replay.total) * 100}%` }} />
            </div>
          </div>
          <Button size="small" icon={<X />} busy={stop.isPending} onClick={() => stop.mutate()}>
            {t("switch.stop")}
          </Button>
        </div>
      ) : null}
      {replay.state === "cancelled" || replay.state === "interrupted" ? <Notice tone="warn">{t(`switch.${replay.state}`, { done: replay.done, total: replay.total })}</Notice> : null}
      {!running && replay.total === 0 ? <Notice>{t("switch.nothing")}</Notice> : null}
      {replay.answers.length > 0 ? <Summary replay={replay} /> : null}
      <ol className="flex flex-col gap-4">
        {replay.answers.map((compared) => (
          <Comparison key={compared.seq} compared={compared} />
        ))}
      </ol>
    </div>
  );
}
