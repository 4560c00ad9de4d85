//! One evaluation: how far it is, its means, and question by question what each variant answered.
import { useMutation } from "@tanstack/react-query";
import { Download, Play, Square } from "lucide-react";
import { useState } from "react";
import type { EvaluationResult } from "@/api/evaluations";
import { useT } from "@/lib/i18n";
import { bad } from "@/pages/admin/tuning/data";
import { again, cancelEvaluation, differs, exportAddress, removeEvaluation, resumeEvaluation, useEvaluation } from "@/pages/admin/tuning/evaluation/data";
import { Table } from "@/pages/admin/tuning/evaluation/table";
import { Button, buttonLook } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Meter } from "@/ui/meter";
import { Notice, Skeleton } from "@/ui/page";

export function Result({ id }: { id: string }) {
  const t = useT("tuning");
  const { data, isPending, error, refetch } = useEvaluation(id);
  const [onlyDiffering, setOnlyDiffering] = useState(false);
  if (error) return <Failed error={error} again={refetch} />;
  if (isPending) return <Skeleton className="h-48" />;
  const rows = onlyDiffering ? data.rows.filter(differs) : data.rows;
  return (
    <div className="flex flex-col gap-4">
      <Progress evaluation={data} />
      <div className="flex flex-wrap items-center justify-between gap-3">
        <label className="inline-flex min-h-8 items-center gap-2 text-ui coarse:min-h-11">
          <input type="checkbox" className="size-4 accent-foreground" checked={onlyDiffering} onChange={(event) => setOnlyDiffering(event.target.checked)} />
          {t("eval.differing", { count: data.rows.filter(differs).length })}
        </label>
        <Acts evaluation={data} />
      </div>
      <Table evaluation={data} rows={rows} />
      {rows.length === 0 ? <p className="px-4 text-meta text-muted-foreground">{t("eval.none_differ")}</p> : null}
    </div>
  );
}

function Progress({ evaluation }: { evaluation: EvaluationResult }) {
  const t = useT("tuning");
  const { id, state, done, total, means } = evaluation;
  const stop = useMutation({ mutationFn: () => cancelEvaluation(id), onSuccess: again, onError: bad });
  const resume = useMutation({ mutationFn: () => resumeEvaluation(id), onSuccess: again, onError: bad });
  const failed = means.reduce((sum, one) => sum + one.failed, 0);
  const said = t("eval.progress", { done, total });
  if (state === "running") {
    return (
      <div role="status" className="flex items-center gap-4">
        <div className="min-w-0 flex-1">
          <p className="tabular mb-1.5 text-meta">{said}</p>
          <Meter calm label={said} value={done} max={total} />
        </div>
        <Button size="small" icon={<Square />} busy={stop.isPending} onClick={() => stop.mutate()}>
          {t("stop")}
        </Button>
      </div>
    );
  }
  const sentence = state === "finished" ? (failed > 0 ? t("eval.failed", { count: failed }) : null) : t(`eval.${state}`, { done, total });
  if (sentence === null) return null;
  return (
    <Notice
      tone="warn"
      action={
        <Button size="small" icon={<Play />} busy={resume.isPending} onClick={() => resume.mutate()}>
          {t(state === "finished" ? "eval.retry" : "resume")}
        </Button>
      }
    >
      {sentence}
    </Notice>
  );
}

function Acts({ evaluation: { id } }: { evaluation: EvaluationResult }) {
  const t = useT("tuning");
  const [sure, setSure] = useState(false);
  const remove = useMutation({ mutationFn: () => removeEvaluation(id), onSuccess: again, onError: bad });
  return (
    <div className="flex flex-wrap gap-2">
      {(["csv", "json"] as const).map((format) => (
        <a key={format} href={exportAddress(id, format)} download={`evaluation.${format}`} aria-label={t("eval.export", { format: format.toUpperCase() })} className={buttonLook("secondary", "small")}>
          <Download aria-hidden="true" />
          {format.toUpperCase()}
        </a>
      ))}
      <Button size="small" className="text-bad" onClick={() => setSure(true)}>
        {t("eval.remove")}
      </Button>
      <ConfirmDialog open={sure} onClose={() => setSure(false)} onConfirm={() => remove.mutate()} title={t("eval.remove")} description={t("eval.remove_text")} confirm={t("remove")} danger busy={remove.isPending} />
    </div>
  );
}
