//! Every deployment as the router sees it now: what it is busy with, who waits, how soon it answers, whether it is left alone.
import { Activity } from "lucide-react";
import type { ReactNode } from "react";
import type { Deployment } from "@/api/types";
import { stateWords } from "@/chat/models";
import { type Key, useLanguage, useT } from "@/lib/i18n";
import { REMEMBERED, type Watched, useDeployments } from "@/pages/admin/load/data";
import { Spark } from "@/pages/admin/load/spark";
import { StateDot } from "@/pages/chat/model-picker";
import { Failed } from "@/ui/failed";
import { Badge, Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";
import { TableFrame } from "@/ui/table-frame";

export function LoadPage() {
  const t = useT("engines");
  const { data, isPending, error, refetch } = useDeployments();
  return (
    <>
      <PageHeader title={t("load")} description={t("load.text")} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-64" /> : null}
      {data?.length === 0 ? (
        <Card>
          <EmptyState icon={<Activity />} title={t("load.empty")}>
            {t("load.empty_text")}
          </EmptyState>
        </Card>
      ) : null}
      {data && data.length > 0 ? (
        <>
          <Table deployments={data} />
          <p className="mt-3 max-w-[72ch] text-meta text-muted-foreground">{t("load.legend")}</p>
        </>
      ) : null}
    </>
  );
}

function Table({ deployments }: { deployments: Watched[] }) {
  const t = useT("engines");
  const slowest = Math.max(0, ...deployments.map((one) => one.first_token?.p95_ms ?? 0));
  return (
    <TableFrame label={t("load")}>
      <table className="w-full border-collapse text-ui">
        <thead>
          <tr className="border-b bg-surface text-meta text-muted-foreground">
            <Head first>{t("load.deployment")}</Head>
            <Head>{t("load.under_way")}</Head>
            <Head>{t("load.waiting")}</Head>
            <Head>{t("load.first_token")}</Head>
          </tr>
        </thead>
        <tbody>
          {deployments.map((one) => (
            <Row key={one.id} one={one} slowest={slowest} />
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

function Head({ first = false, children }: { first?: boolean; children: ReactNode }) {
  return (
    <th scope="col" className={first ? "sticky left-0 z-1 bg-surface px-4 py-2.5 text-left font-medium" : "px-4 py-2.5 text-left font-medium whitespace-nowrap"}>
      {children}
    </th>
  );
}

function Row({ one, slowest }: { one: Watched; slowest: number }) {
  const t = useT("engines");
  const words = one.limit === null ? t("load.busy", { count: one.load }) : t("load.busy_of", { count: one.load, limit: one.limit });
  return (
    <tr className="border-b last:border-b-0">
      <th scope="row" className="sticky left-0 z-1 max-w-72 min-w-44 bg-background px-4 py-2.5 text-left font-normal max-sm:max-w-40 max-sm:min-w-34">
        <span className="flex items-center gap-2">
          <StateDot state={one.state} />
          <span className="truncate">{one.name}</span>
        </span>
        <span className="block truncate pl-4 font-mono text-[12px] text-muted-foreground">{one.id}</span>
        <Standing one={one} />
      </th>
      <td className="px-4 py-2.5">
        <span className="flex flex-wrap items-center gap-x-3">
          <Spark values={one.past} length={REMEMBERED} limit={one.limit} />
          <span className="tabular whitespace-nowrap">{words}</span>
        </span>
      </td>
      <td className="tabular px-4 py-2.5">{one.waiting > 0 ? <Badge tone="warn">{one.waiting}</Badge> : <span className="text-muted-foreground">0</span>}</td>
      <td className="px-4 py-2.5">
        <FirstToken one={one} slowest={slowest} />
      </td>
    </tr>
  );
}

/** Where it stands, and what the router makes of it. Who is ready and asked like everybody says nothing but to screen readers. */
function Standing({ one }: { one: Deployment }) {
  const t = useT("engines");
  const ready = one.state.state === "ready";
  return (
    <span className={ready && one.breaker === "closed" && !one.draining ? "sr-only" : "mt-1 flex flex-wrap gap-1 pl-4 empty:hidden"}>
      <span className={ready ? "sr-only" : "tabular text-meta text-muted-foreground"}>{stateWords(one.state)}</span>
      {one.draining ? <Badge tone="brand">{t("load.draining")}</Badge> : null}
      {one.breaker === "closed" ? null : <Badge tone={one.breaker === "open" ? "bad" : "warn"}>{t(`breaker.${one.breaker}` as Key<"engines">)}</Badge>}
    </span>
  );
}

/** Two bars on one scale for all deployments: half of the answers came sooner than the dark one, nineteen of twenty than the pale one. */
function FirstToken({ one, slowest }: { one: Deployment; slowest: number }) {
  const t = useT("engines");
  const language = useLanguage();
  const told = one.first_token;
  if (!told) return <span className="text-meta text-muted-foreground">{t("load.no_answer")}</span>;
  const time = (ms: number) =>
    ms < 1000
      ? new Intl.NumberFormat(language, { style: "unit", unit: "millisecond", unitDisplay: "short", maximumFractionDigits: ms < 10 ? 1 : 0 }).format(ms)
      : new Intl.NumberFormat(language, { style: "unit", unit: "second", unitDisplay: "short", maximumFractionDigits: 1 }).format(ms / 1000);
  const share = (ms: number) => `${Math.max(1.5, (ms / slowest) * 100)}%`;
  return (
    <div className="min-w-48">
      <div aria-hidden="true" className="relative mb-1 h-2 overflow-hidden rounded-full bg-muted">
        <span className="absolute inset-y-0 left-0 rounded-full bg-border-strong" style={{ width: share(told.p95_ms) }} />
        <span className="absolute inset-y-0 left-0 rounded-full bg-foreground" style={{ width: share(told.p50_ms) }} />
      </div>
      <p className="tabular text-meta whitespace-nowrap">
        p50 {time(told.p50_ms)} · p95 {time(told.p95_ms)}
        <span className="text-muted-foreground"> · {t("load.answers", { count: told.answers })}</span>
      </p>
    </div>
  );
}
