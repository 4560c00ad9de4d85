//! One data set: what comes in, the table of its examples, how it is divided, its versions.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft, FileInput, Pencil, Star } from "lucide-react";
import { type FormEvent, Suspense, lazy, useState } from "react";
import { api } from "@/api/client";
import type { Dataset } from "@/api/types";
import { useT } from "@/lib/i18n";
import { bad, setsAgain, useSet } from "@/pages/admin/tuning/data";
import { Examples } from "@/pages/admin/tuning/examples";
import { Versions } from "@/pages/admin/tuning/versions";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Field, Input } from "@/ui/input";
import { Card, PageHeader, Section, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const ImportDialog = lazy(async () => ({ default: (await import("@/pages/admin/tuning/import-dialog")).ImportDialog }));
const Evaluations = lazy(async () => ({ default: (await import("@/pages/admin/tuning/evaluation/section")).Evaluations }));
const ExampleDialog = lazy(async () => ({ default: (await import("@/pages/admin/tuning/example-dialog")).ExampleDialog }));

type Open = "import" | "collect" | "add" | null;

export function SetPage() {
  const t = useT("tuning");
  const { set: id } = useParams({ from: "/admin/datasets/$set" });
  const { data: set, isPending, error, refetch } = useSet(id);
  const [open, setOpen] = useState<Open>(null);
  const close = () => setOpen(null);
  return (
    <>
      <Link to="/admin/datasets" className="touch-target mb-3 inline-flex items-center gap-1.5 text-meta text-muted-foreground hover:text-foreground">
        <ArrowLeft className="size-4" aria-hidden="true" />
        {t("back")}
      </Link>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-48" /> : null}
      {set ? (
        <>
          <PageHeader
            title={set.name}
            description={set.note || t("drafting", { version: set.draft })}
            action={
              <div className="flex flex-wrap gap-2">
                <Button icon={<Pencil />} onClick={() => setOpen("add")}>
                  {t("add")}
                </Button>
                <Button icon={<Star />} onClick={() => setOpen("collect")}>
                  {t("collect")}
                </Button>
                <Button variant="primary" icon={<FileInput />} onClick={() => setOpen("import")}>
                  {t("import")}
                </Button>
              </div>
            }
          />
          <Examples set={set} />
          <Split set={set} key={`${set.held_out} ${set.seed}`} />
          <Versions set={set} />
          <Suspense fallback={<Skeleton className="mb-10 h-32" />}>{set.draft > 1 ? <Evaluations set={set} /> : null}</Suspense>
          <DeleteSet set={set} />
          <Suspense>
            {open === "import" || open === "collect" ? <ImportDialog set={set} from={open} onClose={close} /> : null}
            {open === "add" ? <ExampleDialog set={set.id} example={null} onClose={close} /> : null}
          </Suspense>
        </>
      ) : null}
    </>
  );
}

function Split({ set }: { set: Dataset }) {
  const t = useT("tuning");
  const [share, setShare] = useState(String(set.held_out));
  const [seed, setSeed] = useState(String(set.seed));
  const save = useMutation({
    mutationFn: () => api.patch(`/api/datasets/${set.id}`, { held_out: Number(share), seed: Number(seed) }),
    onSuccess: async () => {
      await setsAgain();
      toast(t("saved"));
    },
    onError: bad,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Section title={t("split")} description={t("split_text")}>
      <Card className="p-4">
        <form onSubmit={submit} className="flex flex-wrap items-end gap-4">
          <Field label={t("share")} aside="%">
            <Input type="number" min={0} max={50} required className="max-w-32" value={share} onChange={(event) => setShare(event.target.value)} />
          </Field>
          <Field label={t("seed")}>
            <Input type="number" min={0} max={2147483647} required className="max-w-40" value={seed} onChange={(event) => setSeed(event.target.value)} />
          </Field>
          <Button type="submit" busy={save.isPending} disabled={share === String(set.held_out) && seed === String(set.seed)}>
            {t("save")}
          </Button>
        </form>
      </Card>
    </Section>
  );
}

function DeleteSet({ set }: { set: Dataset }) {
  const t = useT("tuning");
  const navigate = useNavigate();
  const [sure, setSure] = useState(false);
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/datasets/${set.id}`),
    onSuccess: async () => {
      await navigate({ to: "/admin/datasets" });
      await setsAgain();
    },
    onError: bad,
  });
  return (
    <>
      <Button className="text-bad" onClick={() => setSure(true)}>
        {t("delete_set")}
      </Button>
      <ConfirmDialog open={sure} onClose={() => setSure(false)} onConfirm={() => remove.mutate()} title={t("delete_set")} description={t("delete_set_text", { name: set.name })} confirm={t("remove")} danger busy={remove.isPending} />
    </>
  );
}
