//! A new job: which model learns what, and how. The defaults suit a few hundred examples and a small model.
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Job, JobOrder, Learner } from "@/api/types";
import { useT } from "@/lib/i18n";
import { useSize } from "@/pages/admin/library/data";
import { bad, trainingAgain, useSets, useVersions } from "@/pages/admin/tuning/data";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/input";
import { Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

export function JobDialog({ models, onClose }: { models: Learner[]; onClose: () => void }) {
  const t = useT("tuning");
  const size = useSize();
  const navigate = useNavigate();
  const { data: sets } = useSets();
  const [name, setModel] = useState(models[0]?.name ?? "");
  const [chosen, setSet] = useState("");
  const frozen = (sets ?? []).filter((set) => set.draft > 1);
  const set = chosen || (frozen[0]?.id ?? "");
  const { data: versions } = useVersions(set);
  const model = models.find((one) => one.name === name);
  const begin = useMutation({
    mutationFn: (order: JobOrder) => api.post<Job>("/api/training/jobs", order),
    onSuccess: async (job) => {
      toast(t("begun"));
      await trainingAgain();
      await navigate({ to: "/admin/training/$job", params: { job: job.id } });
    },
    onError: bad,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const number = (field: string) => Number(form.get(field));
    begin.mutate({
      name: String(form.get("name")).trim(),
      model: name,
      dataset: set,
      version: number("version"),
      rank: number("rank"),
      alpha: number("alpha"),
      learning_rate: number("learning_rate"),
      epochs: number("epochs"),
      seed: number("seed"),
    });
  };
  return (
    <Dialog open onClose={onClose} title={t("new_job")} width="large">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t("name")}>
            <Input name="name" required maxLength={80} autoComplete="off" />
          </Field>
          <Field label={t("model")} hint={model ? t("needs", { needed: size(model.needed), free: model.free === null ? "?" : size(model.free) }) : undefined}>
            <Select value={name} onChange={(event) => setModel(event.target.value)}>
              {models.map((one) => (
                <option key={one.name}>{one.name}</option>
              ))}
            </Select>
          </Field>
          <Field label={t("dataset")} hint={frozen.length === 0 ? t("no_jobs_text") : undefined}>
            <Select value={set} required onChange={(event) => setSet(event.target.value)}>
              {frozen.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
            </Select>
          </Field>
          <Field label={t("versions")}>
            <Select name="version" required key={set}>
              {versions?.map((one) => (
                <option key={one.version} value={one.version}>
                  {t("version", { version: one.version })} · {t("count", { count: one.trained })}
                </option>
              ))}
            </Select>
          </Field>
          <Field label={t("rank")} hint={t("rank_hint")}>
            <Input name="rank" type="number" min={1} max={256} defaultValue={8} required />
          </Field>
          <Field label={t("alpha")} hint={t("alpha_hint")}>
            <Input name="alpha" type="number" min={1} max={1024} defaultValue={16} required />
          </Field>
          <Field label={t("learning_rate")} hint={t("learning_rate_hint")}>
            <Input name="learning_rate" type="number" min={0.000001} max={0.1} step="any" defaultValue={0.0005} required />
          </Field>
          <Field label={t("epochs")} hint={t("epochs_hint")}>
            <Input name="epochs" type="number" min={1} max={200} defaultValue={3} required />
          </Field>
          <Field label={t("seed")}>
            <Input name="seed" type="number" min={0} max={2147483647} defaultValue={1} required />
          </Field>
        </div>
        {model && !model.fits ? <Notice tone="warn">{t("not_fits")}</Notice> : null}
        <div className="flex justify-end">
          <Button type="submit" variant="primary" busy={begin.isPending} disabled={!versions || versions.length === 0}>
            {t("begin")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
