//! The log of a plugin's calls: when, who, which tool, how long, how it ended; opened, what was sent and received, masked.
import { ChevronRight, RefreshCw, ScrollText } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Plugin, PluginCall } from "@/api/plugins";
import { stateOf } from "@/chat/steps";
import { useLanguage, useT } from "@/lib/i18n";
import { formatDateTime } from "@/lib/time";
import { usePeople } from "@/pages/admin/data";
import { failureWords } from "@/pages/admin/plugins/failure-words";
import { useCalls } from "@/pages/admin/plugins/data";
import { formatMs } from "@/results/duration";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Badge, Card, EmptyState, Section, Skeleton } from "@/ui/page";

const ResultView = lazy(async () => ({ default: (await import("@/results/result-view")).ResultView }));
const Written = lazy(async () => ({ default: (await import("@/results/result-view")).Written }));

export function Calls({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const { data, isPending, isFetching, error, refetch } = useCalls(plugin.name);
  const people = usePeople();
  const names = new Map(people.data?.map((one) => [one.id, one.display_name || one.name]));
  return (
    <Section
      title={t("calls")}
      description={t("calls_text")}
      action={
        <Button size="small" icon={<RefreshCw />} busy={isFetching} onClick={() => void refetch()}>
          {t("again")}
        </Button>
      }
    >
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {data ? (
        <Card>
          {data.length === 0 ? (
            <EmptyState icon={<ScrollText />} title={t("no_calls")}>
              {t("no_calls_text")}
            </EmptyState>
          ) : (
            <ul>
              {data.map((call, at) => (
                <li key={`${call.at} ${at}`} className="border-b last:border-b-0">
                  <CallLine call={call} who={names.get(call.person) ?? t("somebody")} />
                </li>
              ))}
            </ul>
          )}
        </Card>
      ) : null}
    </Section>
  );
}

function CallLine({ call, who }: { call: PluginCall; who: string }) {
  const t = useT("plugins");
  const s = useT("steps");
  const language = useLanguage();
  const [open, setOpen] = useState(false);
  const done = call.outcome === "done";
  const state = done ? "done" : stateOf(call.outcome);
  return (
    <details className="group/call" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="flex min-h-11 list-none items-center gap-3 px-4 py-2.5 -outline-offset-2 hover:bg-hover [&::-webkit-details-marker]:hidden">
        <ChevronRight className="size-4 shrink-0 text-muted-foreground transition-transform duration-120 group-open/call:rotate-90" aria-hidden="true" />
        <span className="flex min-w-0 flex-1 flex-wrap items-center gap-x-4 gap-y-0.5">
          <code className="min-w-0 font-mono text-[13px] break-all">{call.tool}</code>
          <span className="tabular text-meta text-muted-foreground">
            {formatDateTime(call.at, language)} · {who} · {call.turn === null ? t("from_console") : t("from_chat")}
          </span>
        </span>
        <span className="tabular text-meta text-muted-foreground">{formatMs(call.ms, language)}</span>
        <Badge tone={state === "done" ? "good" : state === "denied" ? "warn" : "bad"}>{s(`state.${state}`)}</Badge>
      </summary>
      {open ? (
        <div className="flex min-w-0 flex-col gap-3 px-4 pb-4 sm:pl-11">
          <Suspense fallback={<Skeleton className="h-16" />}>
            {done ? null : <p className="text-ui">{failureWords(call.outcome)}</p>}
            <section className="min-w-0">
              <h3 className="mb-1 text-meta text-muted-foreground">{s("asked")}</h3>
              <Written text={call.sent} label={s("asked")} mono />
            </section>
            <section className="min-w-0">
              <h3 className="mb-1 text-meta text-muted-foreground">{s("answered")}</h3>
              <ResultView text={call.received} />
            </section>
          </Suspense>
        </div>
      ) : null}
    </details>
  );
}
