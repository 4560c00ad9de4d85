//! One training job while it runs and after: how far it is, its losses, what it made, stop and go on.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft, HardDriveUpload, Play, Square } from "lucide-react";
import { type FormEvent, Suspense, lazy, useState } from "react";
import { api } from "@/api/client";
import type { Adapter, Job } from "@/api/types";
import { useT } from "@/lib/i18n";
import { bad, rests, trainingAgain, useJob } from "@/pages/admin/tuning/data";
import { LossPlot } from "@/pages/admin/tuning/loss-plot";
import { How, JobBadge } from "@/pages/admin/tuning/training-page";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Input } from "@/ui/input";
import { Failed } from "@/ui/failed";
import { Card, Notice, PageHeader, Row, Section, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const Evaluations = lazy(async () => ({ default: (await import("@/pages/admin/tuning/evaluation/section")).Evaluations }));

export function JobPage() {
  const t = useT("tuning");
  const { job: id } = useParams({ from: "/admin/training/$job" });
  const { data, isPending, error, refetch } = useJob(id);
  return (
    <>
      <Link to="/admin/training" className="touch-target mb-3 inline-flex items-center gap-1.5 text-meta text-muted-foreground hover:text-foreground">
        <ArrowLeft className="size-4" aria-hidden="true" />
        {t("all_jobs")}
      </Link>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-64" /> : null}
      {data ? (
        <>
          <PageHeader
            title={data.job.name}
            description={
              <>
                {data.job.model} · {t("version", { version: data.job.version })} · <JobBadge state={data.job.state} />
              </>
            }
            action={<Acts job={data.job} />}
          />
          <div className="mb-8 flex flex-col gap-4">
            {data.job.failure ? (
              <Notice tone="bad" role="alert">
                {data.job.failure}
              </Notice>
            ) : null}
            {data.job.state === "interrupted" ? <Notice tone="warn">{t("interrupted_text")}</Notice> : null}
            <How job={data.job} />
          </div>
          <Section title={t("loss")} description={t("loss_text")}>
            <Card className="p-4">{data.losses.length > 1 ? <LossPlot losses={data.losses} /> : <p className="text-meta text-muted-foreground">{t("loss_none")}</p>}</Card>
          </Section>
          {data.job.result ? <Made name={data.job.name} folder={data.job.result.folder} card={data.job.result.card} /> : null}
          <Suspense fallback={<Skeleton className="mb-10 h-32" />}>{data.job.state === "done" ? <Evaluations job={data.job} /> : null}</Suspense>
          <Recipe job={data.job} />
        </>
      ) : null}
    </>
  );
}

function Acts({ job }: { job: Job }) {
  const t = useT("tuning");
  const navigate = useNavigate();
  const [sure, setSure] = useState(false);
  const act = useMutation({ mutationFn: (what: "stop" | "resume") => api.post(`/api/training/jobs/${job.id}/${what}`), onSuccess: trainingAgain, onError: bad });
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/training/jobs/${job.id}`),
    onSuccess: async () => {
      await navigate({ to: "/admin/training" });
      await trainingAgain();
    },
    onError: bad,
  });
  if (!rests(job.state)) {
    return (
      <Button icon={<Square />} busy={act.isPending} onClick={() => act.mutate("stop")}>
        {t("stop")}
      </Button>
    );
  }
  return (
    <div className="flex flex-wrap gap-2">
      {job.state === "done" ? null : (
        <Button icon={<Play />} busy={act.isPending} onClick={() => act.mutate("resume")}>
          {t("resume")}
        </Button>
      )}
      <Button className="text-bad" onClick={() => setSure(true)}>
        {t("delete_job")}
      </Button>
      <ConfirmDialog open={sure} onClose={() => setSure(false)} onConfirm={() => remove.mutate()} title={t("delete_job")} description={t("delete_job_text")} confirm={t("remove")} danger busy={remove.isPending} />
    </div>
  );
}

function Recipe({ job }: { job: Job }) {
  const t = useT("tuning");
  const { rank, alpha, learning_rate, epochs, seed } = job.recipe;
  const facts = [
    [t("rank"), rank],
    [t("alpha"), alpha],
    [t("learning_rate"), learning_rate],
    [t("epochs"), epochs],
    [t("seed"), seed],
  ] as const;
  return (
    <Card>
      {facts.map(([label, value]) => (
        <Row key={label} title={label}>
          <span className="tabular text-ui">{value}</span>
        </Row>
      ))}
    </Card>
  );
}

function Made({ name, folder, card }: { name: string; folder: string; card: unknown }) {
  const t = useT("tuning");
  return (
    <Section title={t("card")} description={t("card_text", { folder })}>
      <TakeIn suggested={named(name)} folder={folder} />
      {card ? (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <pre tabIndex={0} aria-label={t("card")} className="scroll-thin overflow-x-auto rounded-card border px-4 py-3 font-mono text-[13px]">
          {JSON.stringify(card, null, 2)}
        </pre>
      ) : null}
    </Section>
  );
}

/** What an adapter may be called: of the job's name what such a name takes. */
const named = (name: string) => name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "").slice(0, 64) || "adapter";

/** Puts the adapter on the shelf of model files, from where models are given it. */
function TakeIn({ suggested, folder }: { suggested: string; folder: string }) {
  const t = useT("tuning");
  const [name, setName] = useState(suggested);
  const take = useMutation({
    mutationFn: () => api.post<Adapter>("/api/adapters", { path: folder, name: name.trim() }),
    onSuccess: (adapter) => toast(t("taken_in", { name: adapter.name })),
    onError: bad,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    take.mutate();
  };
  return (
    <form onSubmit={submit} className="mb-3 flex flex-wrap items-center gap-2">
      <Input aria-label={t("adapter_name")} required maxLength={64} autoComplete="off" spellCheck={false} className="min-w-0 flex-1 basis-48 font-mono text-[13px]" value={name} onChange={(event) => setName(event.target.value)} />
      <Button type="submit" icon={<HardDriveUpload />} busy={take.isPending} disabled={name.trim() === ""}>
        {t("take_in")}
      </Button>
    </form>
  );
}
