//! One batch: how far it is and why it rests, and row by row what was answered.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft, Download, Play, RotateCcw, Square } from "lucide-react";
import { useState } from "react";
import type { Batch, BatchRow, BatchRowState } from "@/api/batches";
import { useLanguage, useT } from "@/lib/i18n";
import { formatSeconds } from "@/lib/time";
import { Frame } from "@/pages/assistants/frame";
import { PAGE, TONES, again, bad, exportAddress, remove, resume, retry, stop, useBatch, useRows } from "@/pages/batches/data";
import { Button, buttonLook } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Meter } from "@/ui/meter";
import { Badge, Notice, PageHeader, Skeleton } from "@/ui/page";
import { TableFrame } from "@/ui/table-frame";
import { Segmented } from "@/ui/tabs";

export function BatchPage() {
  const t = useT("batches");
  const { batch: id } = useParams({ from: "/app/batches/$batch" });
  const { data, isPending, error, refetch } = useBatch(id);
  return (
    <Frame>
      <Link to="/batches" className="touch-target mb-3 inline-flex items-center gap-1.5 text-meta text-muted-foreground hover:text-foreground">
        <ArrowLeft className="size-4" aria-hidden="true" />
        {t("title")}
      </Link>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-48 rounded-card" /> : null}
      {data ? <Shown batch={data} /> : null}
    </Frame>
  );
}

function Shown({ batch }: { batch: Batch }) {
  const t = useT("batches");
  return (
    <>
      <PageHeader title={batch.name} description={`${batch.model} · ${t("tokens_of", { prompt: batch.prompt, completion: batch.completion })}`} action={<Badge tone={TONES[batch.state]}>{t(`state.${batch.state}`)}</Badge>} />
      <div className="mb-6 flex flex-col gap-4">
        <Progress batch={batch} />
        <details className="text-meta">
          <summary className="touch-target cursor-pointer text-muted-foreground">{t("question")}</summary>
          <pre className="mt-2 rounded-control bg-muted p-3 whitespace-pre-wrap">{batch.template}</pre>
        </details>
        <Acts batch={batch} />
      </div>
      <Rows batch={batch} />
    </>
  );
}

function Progress({ batch }: { batch: Batch }) {
  const t = useT("batches");
  const over = batch.done + batch.failed;
  const halt = useMutation({ mutationFn: () => stop(batch.id), onSuccess: again, onError: bad });
  const goOn = useMutation({ mutationFn: () => resume(batch.id), onSuccess: again, onError: bad });
  const askAgain = useMutation({ mutationFn: () => retry(batch.id), onSuccess: again, onError: bad });
  const label = t("progress", { done: over, total: batch.total });
  if (batch.state === "running") {
    return (
      <div role="status" className="flex items-center gap-4">
        <div className="min-w-0 flex-1">
          <p className="tabular mb-1.5 text-meta">{label}</p>
          <Meter calm label={label} value={over} max={batch.total} />
        </div>
        <Button size="small" icon={<Square />} busy={halt.isPending} onClick={() => halt.mutate()}>
          {t("stop")}
        </Button>
      </div>
    );
  }
  const waiting = batch.total - over;
  return (
    <>
      {batch.reason ? (
        <Notice tone="warn">{t("paused", { reason: batch.reason.message })}</Notice>
      ) : null}
      <div role="status" className="flex flex-wrap items-center gap-2">
        <p className="tabular mr-auto text-ui">{t("summary", { done: batch.done, failed: batch.failed, waiting })}</p>
        {waiting > 0 ? (
          <Button size="small" icon={<Play />} busy={goOn.isPending} onClick={() => goOn.mutate()}>
            {t("resume")}
          </Button>
        ) : null}
        {batch.failed > 0 ? (
          <Button size="small" icon={<RotateCcw />} busy={askAgain.isPending} onClick={() => askAgain.mutate()}>
            {t("retry", { count: batch.failed })}
          </Button>
        ) : null}
      </div>
    </>
  );
}

function Acts({ batch }: { batch: Batch }) {
  const t = useT("batches");
  const navigate = useNavigate();
  const [sure, setSure] = useState(false);
  const gone = useMutation({
    mutationFn: () => remove(batch.id),
    onSuccess: async () => {
      await navigate({ to: "/batches" });
      await again();
    },
    onError: bad,
  });
  return (
    <div className="flex flex-wrap gap-2">
      {(["csv", "xlsx", "jsonl"] as const).map((format) => (
        <a key={format} href={exportAddress(batch.id, format)} download={`batch.${format}`} aria-label={t("export", { format: format.toUpperCase() })} className={buttonLook("secondary", "small")}>
          <Download aria-hidden="true" />
          {format.toUpperCase()}
        </a>
      ))}
      <Button size="small" className="text-bad" onClick={() => setSure(true)}>
        {t("remove")}
      </Button>
      <ConfirmDialog open={sure} onClose={() => setSure(false)} onConfirm={() => gone.mutate()} title={t("remove")} description={t("remove_text")} confirm={t("remove")} danger busy={gone.isPending} />
    </div>
  );
}

function Rows({ batch }: { batch: Batch }) {
  const t = useT("batches");
  const [state, setState] = useState<BatchRowState | "all">("all");
  const [starts, setStarts] = useState([0]);
  const from = starts[starts.length - 1] ?? 0;
  const { data, error, refetch } = useRows(batch.id, state === "all" ? "" : state, from, batch.updated_at);
  const choose = (next: BatchRowState | "all") => {
    setState(next);
    setStarts([0]);
  };
  return (
    <>
      <div className="mb-3">
        <Segmented<BatchRowState | "all"> label={t("rows")} value={state} onChange={choose} options={(["all", "waiting", "done", "failed"] as const).map((id) => ({ id, label: t(`row.${id}`) }))} />
      </div>
      {error ? <Failed error={error} again={refetch} /> : null}
      <TableFrame label={t("rows")}>
        <table className="w-full border-collapse text-meta">
          <thead>
            <tr className="border-b text-left text-muted-foreground">
              <th scope="col" className="px-3 py-2 font-medium">#</th>
              {batch.columns.map((column) => (
                <th key={column} scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
                  {column}
                </th>
              ))}
              <th scope="col" className="min-w-72 px-3 py-2 font-medium">{t("answer")}</th>
              <th scope="col" className="px-3 py-2 font-medium">{t("row_state")}</th>
              <th scope="col" className="px-3 py-2 font-medium whitespace-nowrap">{t("cost")}</th>
            </tr>
          </thead>
          <tbody>
            {data?.items.map((row) => (
              <One key={row.seq} row={row} />
            ))}
          </tbody>
        </table>
        {data?.items.length === 0 ? <p className="px-3 py-6 text-center text-meta text-muted-foreground">{t("no_rows")}</p> : null}
      </TableFrame>
      {starts.length > 1 || data?.next ? (
        <div className="mt-3 flex justify-end gap-2">
          <Button size="small" disabled={starts.length < 2} onClick={() => setStarts((before) => before.slice(0, -1))}>
            {t("earlier", { count: PAGE })}
          </Button>
          <Button size="small" disabled={data?.next == null} onClick={() => setStarts((before) => [...before, data?.next ?? 0])}>
            {t("later", { count: PAGE })}
          </Button>
        </div>
      ) : null}
    </>
  );
}

const ROW_TONES = { waiting: "neutral", done: "good", failed: "bad" } as const;

function One({ row }: { row: BatchRow }) {
  const t = useT("batches");
  const language = useLanguage();
  return (
    <tr className="border-b align-top last:border-b-0">
      <td className="tabular px-3 py-2 text-muted-foreground">{row.seq + 1}</td>
      {row.cells.map((cell, at) => (
        // oxlint-disable-next-line react/no-array-index-key
        <td key={at} className="max-w-72 px-3 py-2">
          <span className="line-clamp-4">{cell}</span>
        </td>
      ))}
      <td className="px-3 py-2 whitespace-pre-wrap">
        {row.answer}
        {row.failure ? <p className="text-bad">{row.failure.message}</p> : null}
        {row.left_out > 0 ? <p className="text-warn">{t("left_out", { count: row.left_out })}</p> : null}
      </td>
      <td className="px-3 py-2">
        <Badge tone={ROW_TONES[row.state]}>{t(`row.${row.state}`)}</Badge>
      </td>
      <td className="tabular px-3 py-2 whitespace-nowrap text-muted-foreground">{row.tries > 0 ? `${t("tokens", { count: row.prompt + row.completion })} · ${formatSeconds(row.ms, language)}` : ""}</td>
    </tr>
  );
}
