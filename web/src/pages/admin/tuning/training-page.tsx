//! All training jobs, and a new one; where this program cannot train, how to get one that can.
import { Link } from "@tanstack/react-router";
import { GraduationCap, Plus, TriangleAlert } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Job, JobState, Training } from "@/api/types";
import { type Key, useLanguage, useT } from "@/lib/i18n";
import { formatDateTime, formatSeconds } from "@/lib/time";
import { useTraining } from "@/pages/admin/tuning/data";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Meter } from "@/ui/meter";
import { Badge, Card, EmptyState, Notice, PageHeader, Section, Skeleton } from "@/ui/page";

const JobDialog = lazy(async () => ({ default: (await import("@/pages/admin/tuning/job-dialog")).JobDialog }));

export function TrainingPage() {
  const t = useT("tuning");
  const { data, isPending, error, refetch } = useTraining();
  const [making, setMaking] = useState(false);
  const make = (
    <Button variant="primary" icon={<Plus />} onClick={() => setMaking(true)}>
      {t("new_job")}
    </Button>
  );
  const ready = data?.can_train === true && data.models.length > 0;
  return (
    <>
      <PageHeader title={t("training")} description={t("training_text")} action={ready && data.jobs.length > 0 ? make : undefined} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {data ? (
        <div className="flex flex-col gap-6">
          <Lacks training={data} />
          <Section title={t("jobs")}>
            <Card>
              {data.jobs.length === 0 ? (
                <EmptyState icon={<GraduationCap />} title={t("no_jobs")} action={ready ? make : null}>
                  {t("no_jobs_text")}
                </EmptyState>
              ) : (
                <ul>
                  {data.jobs.map((job) => (
                    <JobRow key={job.id} job={job} />
                  ))}
                </ul>
              )}
            </Card>
          </Section>
          <Suspense>{making ? <JobDialog models={data.models} onClose={() => setMaking(false)} /> : null}</Suspense>
        </div>
      ) : null}
    </>
  );
}

function Lacks({ training }: { training: Training }) {
  const t = useT("tuning");
  if (training.can_train && training.models.length > 0) return null;
  return (
    <Notice tone="warn" icon={<TriangleAlert />}>
      {t(training.can_train ? "no_models" : "no_trainer")}
    </Notice>
  );
}

const TONES = { queued: "neutral", running: "brand", stopped: "neutral", interrupted: "warn", failed: "bad", done: "good" } as const;

export function JobBadge({ state }: { state: JobState }) {
  const t = useT("tuning");
  return <Badge tone={TONES[state]}>{t(`state.${state}` as Key<"tuning">)}</Badge>;
}

function JobRow({ job }: { job: Job }) {
  const language = useLanguage();
  return (
    <li className="border-b last:border-b-0">
      <Link to="/admin/training/$job" params={{ job: job.id }} className="block px-4 py-3 transition-colors duration-120 -outline-offset-2 hover:bg-hover">
        <span className="flex flex-wrap items-center justify-between gap-x-6 gap-y-1">
          <span className="min-w-0 truncate font-medium">{job.name}</span>
          <JobBadge state={job.state} />
        </span>
        <span className="tabular block text-meta text-muted-foreground">
          {job.model} · {formatDateTime(job.created_at, language)}
        </span>
        {job.state === "running" ? <How job={job} className="mt-2" /> : null}
      </Link>
    </li>
  );
}

/** How far a job is, and when it will be done. */
export function How({ job, className }: { job: Job; className?: string }) {
  const t = useT("tuning");
  const language = useLanguage();
  const { step, steps, eta_s: eta, tokens_per_s: rate } = job.progress;
  if (step === undefined || steps === undefined) return null;
  const running = job.state === "running";
  const told = [
    t("step", { step, steps }),
    running && eta !== undefined ? t("eta", { time: formatSeconds(eta * 1000, language) }) : null,
    running && rate !== undefined ? t("speed", { rate: Math.round(rate) }) : null,
  ].filter(Boolean);
  return (
    <span className={className} style={{ display: "block" }}>
      <Meter label={t("step", { step, steps })} value={step} max={steps} calm />
      <span className="tabular mt-1.5 block text-meta text-muted-foreground">{told.join(" · ")}</span>
    </span>
  );
}
