//! All data sets, and a new one.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { BookOpenCheck, Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Dataset } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { formatDateTime } from "@/lib/time";
import { bad, setsAgain, useSets } from "@/pages/admin/tuning/data";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Field, Input, Textarea } from "@/ui/input";
import { Badge, Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";

export function SetsPage() {
  const t = useT("tuning");
  const { data, isPending, error, refetch } = useSets();
  const [making, setMaking] = useState(false);
  const make = (
    <Button variant="primary" icon={<Plus />} onClick={() => setMaking(true)}>
      {t("new")}
    </Button>
  );
  return (
    <>
      <PageHeader title={t("title")} description={t("text")} action={data && data.length > 0 ? make : undefined} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {data ? (
        <Card>
          {data.length === 0 ? (
            <EmptyState icon={<BookOpenCheck />} title={t("empty")} action={make}>
              {t("empty_text")}
            </EmptyState>
          ) : (
            <ul>
              {data.map((set) => (
                <SetRow key={set.id} set={set} />
              ))}
            </ul>
          )}
        </Card>
      ) : null}
      {making ? <NewSet onClose={() => setMaking(false)} /> : null}
    </>
  );
}

function SetRow({ set }: { set: Dataset }) {
  const t = useT("tuning");
  const language = useLanguage();
  return (
    <li className="border-b last:border-b-0">
      <Link to="/admin/datasets/$set" params={{ set: set.id }} className="flex flex-wrap items-center justify-between gap-x-6 gap-y-1 px-4 py-3 transition-colors duration-120 -outline-offset-2 hover:bg-hover">
        <span className="min-w-0">
          <span className="block truncate font-medium">{set.name}</span>
          <span className="tabular block text-meta text-muted-foreground">
            {t("count", { count: set.examples })} · {t("changed", { at: formatDateTime(set.updated_at, language) })}
          </span>
        </span>
        <Badge>{set.draft === 1 ? t("drafting", { version: 1 }) : t("version", { version: set.draft - 1 })}</Badge>
      </Link>
    </li>
  );
}

function NewSet({ onClose }: { onClose: () => void }) {
  const t = useT("tuning");
  const navigate = useNavigate();
  const make = useMutation({
    mutationFn: (body: { name: string; note: string }) => api.post<Dataset>("/api/datasets", body),
    onSuccess: async (set) => {
      await setsAgain();
      await navigate({ to: "/admin/datasets/$set", params: { set: set.id } });
    },
    onError: bad,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    make.mutate({ name: String(form.get("name")).trim(), note: String(form.get("note")) });
  };
  return (
    <Dialog open onClose={onClose} title={t("new")} width="small">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("name")}>
          <Input name="name" required maxLength={80} autoComplete="off" />
        </Field>
        <Field label={t("note")}>
          <Textarea name="note" maxLength={2000} />
        </Field>
        <div className="flex justify-end">
          <Button type="submit" variant="primary" busy={make.isPending}>
            {t("create")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
