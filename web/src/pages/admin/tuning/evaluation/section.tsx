//! Before and after on a job's page, or models side by side on a data set's: the evaluations there are, one of them looked at, and a new one.
import { Scale } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Evaluation } from "@/api/evaluations";
import type { Dataset, Job } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { formatDateTime } from "@/lib/time";
import { type Subject, again, useEvaluations } from "@/pages/admin/tuning/evaluation/data";
import { Result } from "@/pages/admin/tuning/evaluation/result";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Select } from "@/ui/input";
import { Card, EmptyState, Section, Skeleton } from "@/ui/page";

const OfJob = lazy(async () => ({ default: (await import("@/pages/admin/tuning/evaluation/dialog")).OfJob }));
const OfSet = lazy(async () => ({ default: (await import("@/pages/admin/tuning/evaluation/dialog")).OfSet }));

type Props = { job: Job; set?: never } | { set: Dataset; job?: never };

export function Evaluations({ job, set }: Props) {
  const t = useT("tuning");
  const subject: Subject = job ? { job: job.id } : { dataset: set.id };
  const { data, isPending, error, refetch } = useEvaluations(subject);
  const [chosen, choose] = useState<string | null>(null);
  const [making, setMaking] = useState(false);
  const shown = data?.find((one) => one.id === chosen) ?? data?.[0];
  const close = () => setMaking(false);
  const begun = async (evaluation: Evaluation) => {
    await again();
    choose(evaluation.id);
    close();
  };
  const make = (
    <Button icon={<Scale />} onClick={() => setMaking(true)}>
      {t(job ? "eval.make" : "eval.make_set")}
    </Button>
  );
  return (
    <Section title={t(job ? "eval.title" : "eval.title_set")} description={t(job ? "eval.text" : "eval.text_set")} action={shown ? make : undefined}>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {data?.length === 0 ? (
        <Card>
          <EmptyState icon={<Scale />} title={t("eval.none")} action={make}>
            {t("eval.none_text")}
          </EmptyState>
        </Card>
      ) : null}
      {data && shown ? (
        <>
          {data.length > 1 ? <Earlier all={data} value={shown.id} onChange={choose} /> : null}
          <Result key={shown.id} id={shown.id} />
        </>
      ) : null}
      <Suspense>
        {making && job ? <OfJob job={job} onBegun={begun} onClose={close} /> : null}
        {making && set ? <OfSet set={set} onBegun={begun} onClose={close} /> : null}
      </Suspense>
    </Section>
  );
}

function Earlier({ all, value, onChange }: { all: Evaluation[]; value: string; onChange: (id: string) => void }) {
  const t = useT("tuning");
  const language = useLanguage();
  return (
    <Select aria-label={t("eval.which")} className="mb-4 sm:max-w-md" value={value} onChange={(event) => onChange(event.target.value)}>
      {all.map((one) => (
        <option key={one.id} value={one.id}>
          {formatDateTime(one.started_at, language)} · {t("version", { version: one.version })} · {t("eval.size", { questions: one.questions, variants: one.variants.length })}
        </option>
      ))}
    </Select>
  );
}
