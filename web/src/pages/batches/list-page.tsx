//! All batches of the person, newest first, and how far each is.
import { Link } from "@tanstack/react-router";
import { ListChecks, Plus } from "lucide-react";
import type { Batch } from "@/api/batches";
import { useLanguage, useT } from "@/lib/i18n";
import { formatDateTime } from "@/lib/time";
import { Frame } from "@/pages/assistants/frame";
import { TONES, useBatches } from "@/pages/batches/data";
import { buttonLook } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Meter } from "@/ui/meter";
import { Badge, Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";

export function BatchesPage() {
  const t = useT("batches");
  const { data, isPending, error, refetch } = useBatches();
  const make = (
    <Link to="/batches/new" className={buttonLook("primary", "medium")}>
      <Plus aria-hidden="true" />
      {t("new")}
    </Link>
  );
  return (
    <Frame>
      <PageHeader title={t("title")} description={t("text")} action={data?.length ? make : undefined} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-40 rounded-card" /> : null}
      {data?.length === 0 ? (
        <Card>
          <EmptyState icon={<ListChecks />} title={t("none")} action={make}>
            {t("none_text")}
          </EmptyState>
        </Card>
      ) : null}
      {data?.length ? (
        <ul className="flex flex-col gap-3">
          {data.map((batch) => (
            <One key={batch.id} batch={batch} />
          ))}
        </ul>
      ) : null}
    </Frame>
  );
}

function One({ batch }: { batch: Batch }) {
  const t = useT("batches");
  const language = useLanguage();
  const over = batch.done + batch.failed;
  return (
    <li className="relative flex flex-col gap-2 rounded-card border bg-background px-4 py-3 hover:bg-hover">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
        <h2 className="min-w-0 truncate text-ui font-medium">
          <Link to="/batches/$batch" params={{ batch: batch.id }} className="rounded-control after:absolute after:inset-0 after:rounded-card">
            {batch.name}
          </Link>
        </h2>
        <span className="flex gap-1.5">
          {batch.failed > 0 ? <Badge tone="bad">{t("failed_rows", { count: batch.failed })}</Badge> : null}
          <Badge tone={TONES[batch.state]}>{t(`state.${batch.state}`)}</Badge>
        </span>
      </div>
      {batch.state === "running" ? <Meter calm label={t("progress", { done: over, total: batch.total })} value={over} max={batch.total} /> : null}
      <p className="tabular text-meta text-muted-foreground">
        {formatDateTime(batch.created_at, language)} · {batch.model} · {t("progress", { done: over, total: batch.total })} · {t("tokens", { count: batch.prompt + batch.completion })}
      </p>
    </li>
  );
}
