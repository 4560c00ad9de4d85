//! A new evaluation: which models are asked, which of them with instructions as well, and how much.
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import type { Evaluation, EvaluationOrder } from "@/api/evaluations";
import type { AdapterList, Dataset, Job } from "@/api/types";
import { forChat, useModels } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { useAdapters } from "@/pages/admin/library/data";
import { bad, useVersions } from "@/pages/admin/tuning/data";
import { beginEvaluation, same } from "@/pages/admin/tuning/evaluation/data";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Field, Input, Select, Textarea } from "@/ui/input";
import { Notice, Skeleton } from "@/ui/page";

type Begun = { onBegun: (evaluation: Evaluation) => void; onClose: () => void };
/** How a model is asked: as it is, with the prompt, both. */
type Ways = { plain: boolean; prompted: boolean };
type Chosen = Record<string, Ways>;

/** Of a model's adapters the one that a job made: their cards are the same; failing that, the only one there is. */
export function madeBy(job: Job, list: AdapterList): string[] {
  const there = list.adapters.flatMap((adapter) => adapter.attached.filter((one) => one.model === job.model).map((one) => ({ id: one.id, card: adapter.card })));
  const made = there.filter((one) => one.card !== null && same(one.card, job.result?.card));
  return (made.length > 0 ? made : there.length === 1 ? there : []).map((one) => one.id);
}

export function OfJob({ job, onBegun, onClose }: Begun & { job: Job }) {
  const t = useT("tuning");
  const adapters = useAdapters();
  const models = useModels();
  const failed = adapters.error ?? models.error;
  const answering = forChat(models.data?.models).map((model) => model.id);
  const base = `local/${job.model}`;
  const made = adapters.data ? madeBy(job, adapters.data).filter((id) => answering.includes(id)) : [];
  const first = [base, ...made].filter((id) => answering.includes(id));
  const lacks = !answering.includes(base) ? "eval.base_rests" : made.length === 0 ? "eval.not_given" : null;
  return (
    <Dialog open onClose={onClose} title={t("eval.make")} width="large">
      {failed ? <Failed error={failed} again={() => Promise.all([adapters.refetch(), models.refetch()])} /> : null}
      {adapters.isPending || models.isPending ? <Skeleton className="h-48" /> : null}
      {adapters.data && models.data ? (
        <>
          {lacks ? (
            <div className="mb-4">
              <Notice
                tone="warn"
                action={
                  <Link to="/admin/library" className="underline underline-offset-4">
                    {t("eval.to_library")}
                  </Link>
                }
              >
                {t(lacks, { model: job.model })}
              </Notice>
            </div>
          ) : null}
          <Form first={first} answering={answering} source={{ job: job.id }} onBegun={onBegun} />
        </>
      ) : null}
    </Dialog>
  );
}

export function OfSet({ set, onBegun, onClose }: Begun & { set: Dataset }) {
  const t = useT("tuning");
  const models = useModels();
  const versions = useVersions(set.id);
  const [chosen, choose] = useState<number | null>(null);
  const failed = versions.error ?? models.error;
  const version = chosen ?? versions.data?.[0]?.version;
  const answering = forChat(models.data?.models).map((model) => model.id);
  return (
    <Dialog open onClose={onClose} title={t("eval.make_set")} width="large">
      {failed ? <Failed error={failed} again={() => Promise.all([versions.refetch(), models.refetch()])} /> : null}
      {versions.isPending || models.isPending ? <Skeleton className="h-48" /> : null}
      {versions.data && models.data && version !== undefined ? (
        <Form first={answering.slice(0, 1)} answering={answering} source={{ dataset: set.id, version }} onBegun={onBegun}>
          <Field label={t("versions")}>
            <Select value={version} onChange={(event) => choose(Number(event.target.value))}>
              {versions.data.map((one) => (
                <option key={one.version} value={one.version}>
                  {t("version", { version: one.version })} · {t("eval.held_out", { count: one.held_out })}
                </option>
              ))}
            </Select>
          </Field>
        </Form>
      ) : null}
      {versions.data?.length === 0 ? <Notice>{t("no_versions")}</Notice> : null}
    </Dialog>
  );
}

type FormProps = { first: string[]; answering: string[]; source: Pick<EvaluationOrder, "job" | "dataset" | "version">; onBegun: (evaluation: Evaluation) => void; children?: ReactNode };

function Form({ first, answering, source, onBegun, children }: FormProps) {
  const t = useT("tuning");
  const [chosen, setChosen] = useState<Chosen>(() => Object.fromEntries(first.map((id) => [id, { plain: true, prompted: false }])));
  const [prompt, setPrompt] = useState("");
  const [questions, setQuestions] = useState(30);
  const [longest, setLongest] = useState(256);
  const begin = useMutation({ mutationFn: beginEvaluation, onSuccess: onBegun, onError: bad });
  const system = prompt.trim();
  const variants = Object.entries(chosen).flatMap(([model, ways]) => [...(ways.plain ? [{ model }] : []), ...(ways.prompted && system !== "" ? [{ model, system_prompt: system }] : [])]);
  const lacksPrompt = system === "" && Object.values(chosen).some((ways) => ways.prompted);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    begin.mutate({ ...source, variants, questions, max_tokens: longest });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {children}
      <Models chosen={chosen} answering={answering} onChange={setChosen} />
      <Field label={t("eval.prompt")} hint={t("eval.prompt_hint")} error={lacksPrompt ? t("eval.prompt_lacks") : undefined}>
        <Textarea rows={3} maxLength={16_000} value={prompt} onChange={(event) => setPrompt(event.target.value)} />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t("eval.questions")} hint={t("eval.questions_hint")}>
          <Input type="number" required min={1} max={200} value={questions} onChange={(event) => setQuestions(event.target.valueAsNumber)} />
        </Field>
        <Field label={t("eval.longest")} hint={t("eval.longest_hint")}>
          <Input type="number" required min={1} max={4096} value={longest} onChange={(event) => setLongest(event.target.valueAsNumber)} />
        </Field>
      </div>
      <div className="flex flex-wrap items-center justify-end gap-4">
        <p className="tabular text-meta text-muted-foreground">{t("eval.variants", { count: variants.length })}</p>
        <Button type="submit" variant="primary" busy={begin.isPending} disabled={variants.length === 0 || variants.length > 8 || lacksPrompt}>
          {t("eval.begin")}
        </Button>
      </div>
    </form>
  );
}

/** The models that are asked, each with the ways it is asked, and one more. */
function Models({ chosen, answering, onChange }: { chosen: Chosen; answering: string[]; onChange: (chosen: Chosen) => void }) {
  const t = useT("tuning");
  const rest = answering.filter((id) => !(id in chosen));
  const tick = (id: string, way: keyof Ways, on: boolean) => onChange({ ...chosen, [id]: { ...(chosen[id] ?? { plain: false, prompted: false }), [way]: on } });
  const box = (id: string, way: keyof Ways) => (
    <label className="inline-flex min-h-8 items-center gap-2 text-ui coarse:min-h-11">
      <input type="checkbox" className="size-4 shrink-0 accent-foreground" aria-label={`${id}: ${t(`eval.way_${way}`)}`} checked={chosen[id]?.[way] ?? false} onChange={(event) => tick(id, way, event.target.checked)} />
      <span aria-hidden="true">{t(`eval.way_${way}`)}</span>
    </label>
  );
  return (
    <fieldset>
      <legend className="mb-1.5 text-ui font-medium">{t("eval.models")}</legend>
      <ul className="rounded-control border">
        {Object.keys(chosen).map((id) => (
          <li key={id} className="flex flex-wrap items-center justify-between gap-x-5 gap-y-1 border-b px-3 py-1.5 last:border-b-0">
            <span className="min-w-0 flex-1 basis-48 font-mono text-[13px] break-all">{id}</span>
            <span className="flex flex-wrap gap-x-5">
              {box(id, "plain")}
              {box(id, "prompted")}
            </span>
          </li>
        ))}
        {rest.length > 0 ? (
          <li className="px-3 py-2">
            <Select aria-label={t("eval.add_model")} value="" onChange={(event) => tick(event.target.value, "plain", true)}>
              <option value="" disabled>
                {t("eval.add_model")}
              </option>
              {rest.map((id) => (
                <option key={id}>{id}</option>
              ))}
            </Select>
          </li>
        ) : null}
      </ul>
    </fieldset>
  );
}
