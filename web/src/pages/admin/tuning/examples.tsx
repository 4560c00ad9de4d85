//! The examples of the draft: found by text, by what there is to look at, page by page; edited, left out, taken away with an undo.
import { useMutation } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight, EyeOff, Pencil, Trash2, Undo2 } from "lucide-react";
import { Suspense, lazy, useDeferredValue, useState } from "react";
import { api } from "@/api/client";
import type { Dataset, Example, ExamplePage } from "@/api/types";
import { cx } from "@/lib/cx";
import { type Key, useT } from "@/lib/i18n";
import { AT_ONCE, type Wanted, bad, changeExample, removeExamples, setsAgain, useExamples } from "@/pages/admin/tuning/data";
import { Button, IconButton } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Input } from "@/ui/input";
import { Badge, EmptyState, Notice, Section, Skeleton } from "@/ui/page";
import { TableFrame } from "@/ui/table-frame";
import { toast } from "@/ui/toast";

const ExampleDialog = lazy(async () => ({ default: (await import("@/pages/admin/tuning/example-dialog")).ExampleDialog }));
const PERSONAL = new Set(["phone", "identity", "mail", "bank_card"]);

export function Examples({ set }: { set: Dataset }) {
  const t = useT("tuning");
  const [wanted, setWanted] = useState<Wanted>({ find: "", issue: "", offset: 0 });
  const [edited, setEdited] = useState<Example | null>(null);
  const { data, isPending, error, refetch } = useExamples(set.id, useDeferredValue(wanted));
  return (
    <Section title={t("examples")} description={data && data.total > 0 ? t("summary", { trained: data.trained, held_out: data.held_out, left_out: data.left_out }) : undefined}>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-48" /> : null}
      {data ? (
        <div className="flex flex-col gap-3">
          {data.total > 0 && data.held_out === 0 ? <Notice tone="warn">{t("no_held_out")}</Notice> : null}
          {data.total > 0 ? <Filters page={data} wanted={wanted} onWant={setWanted} set={set.id} /> : null}
          <Rows set={set.id} page={data} onEdit={setEdited} />
          {data.matching > AT_ONCE ? <Pages page={data} wanted={wanted} onWant={setWanted} /> : null}
        </div>
      ) : null}
      <Suspense>{edited ? <ExampleDialog set={set.id} example={edited} onClose={() => setEdited(null)} /> : null}</Suspense>
    </Section>
  );
}

type Choosing = { page: ExamplePage; wanted: Wanted; onWant: (wanted: Wanted) => void };

function Filters({ page, wanted, onWant, set }: Choosing & { set: string }) {
  const t = useT("tuning");
  const found = Object.entries(page.issues);
  const chip = (issue: string, label: string) => (
    <button
      key={issue}
      type="button"
      aria-pressed={wanted.issue === issue}
      onClick={() => onWant({ ...wanted, issue, offset: 0 })}
      className={cx("touch-target h-8 rounded-full border px-3 text-meta whitespace-nowrap transition-colors duration-120", wanted.issue === issue ? "border-foreground bg-primary text-primary-foreground" : "hover:bg-hover")}
    >
      {label}
    </button>
  );
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Input type="search" aria-label={t("find")} placeholder={t("find")} className="max-w-64" value={wanted.find} onChange={(event) => onWant({ ...wanted, find: event.target.value, offset: 0 })} />
      {chip("", t("all", { count: page.total }))}
      {found.map(([issue, count]) => chip(issue, `${t(`issue.${issue}` as Key<"tuning">)} ${count}`))}
      <ForAll set={set} issue={wanted.issue} onDone={() => onWant({ ...wanted, issue: "", offset: 0 })} />
    </div>
  );
}

/** What can be done about all that show the same. */
function ForAll({ set, issue, onDone }: { set: string; issue: string; onDone: () => void }) {
  const t = useT("tuning");
  const act = useMutation({
    mutationFn: async () => {
      if (!PERSONAL.has(issue)) return removeExamples(set, { issue });
      const { count } = await api.post<{ count: number }>(`/api/datasets/${set}/examples/mask`, { issue });
      await setsAgain();
      return toast(t("masked", { count }));
    },
    onSuccess: onDone,
    onError: bad,
  });
  if (!PERSONAL.has(issue) && issue !== "near_duplicate") return null;
  return (
    <Button size="small" busy={act.isPending} onClick={() => act.mutate()}>
      {t(PERSONAL.has(issue) ? "mask_all" : "remove_all")}
    </Button>
  );
}

function Rows({ set, page, onEdit }: { set: string; page: ExamplePage; onEdit: (example: Example) => void }) {
  const t = useT("tuning");
  if (page.items.length === 0) {
    return (
      <div className="rounded-card border">
        <EmptyState title={t(page.total === 0 ? "no_examples" : "none_found")}>{page.total === 0 ? t("no_examples_text") : null}</EmptyState>
      </div>
    );
  }
  return (
    <TableFrame label={t("examples")}>
      <table className="w-full min-w-[640px] table-fixed text-left text-ui">
        <thead className="border-b text-meta text-muted-foreground">
          <tr>
            <th className="px-4 py-2 font-medium">{t("question")}</th>
            <th className="px-4 py-2 font-medium">{t("answer")}</th>
            <th className="w-36 px-2 py-2">
              <span className="sr-only">{t("edit")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {page.items.map((example) => (
            <ExampleRow key={example.id} set={set} example={example} onEdit={() => onEdit(example)} />
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

export const lastOf = (example: Pick<Example, "messages">, role: string) => example.messages.findLast((message) => message.role === role)?.content ?? "";

function ExampleRow({ set, example, onEdit }: { set: string; example: Example; onEdit: () => void }) {
  const t = useT("tuning");
  const include = useMutation({ mutationFn: () => changeExample(set, example.id, { included: !example.included }), onError: bad });
  const remove = useMutation({ mutationFn: () => removeExamples(set, { ids: [example.id] }), onError: bad });
  return (
    <tr className={cx("border-b align-top last:border-b-0", !example.included && "text-muted-foreground")}>
      <td className="px-4 py-3">
        <p className="line-clamp-3 break-words">{lastOf(example, "user")}</p>
        <p className="mt-1.5 flex flex-wrap gap-1.5">
          {example.issues.map((issue) => (
            <Badge key={issue} tone={PERSONAL.has(issue) ? "bad" : "warn"}>
              {t(`issue.${issue}` as Key<"tuning">)}
            </Badge>
          ))}
          {example.included ? example.held_out ? <Badge tone="brand">{t("held_out")}</Badge> : null : <Badge>{t("left_out")}</Badge>}
          <Badge>{t(`source.${example.source}` as Key<"tuning">)}</Badge>
        </p>
      </td>
      <td className="px-4 py-3">
        <p className="line-clamp-4 break-words whitespace-pre-line">{lastOf(example, "assistant")}</p>
      </td>
      <td className="px-2 py-2" aria-label={t("edit")}>
        <span className="flex justify-end">
          <IconButton label={t("edit")} size="small" onClick={onEdit}>
            <Pencil />
          </IconButton>
          <IconButton label={t(example.included ? "leave_out" : "take_back")} size="small" disabled={include.isPending} onClick={() => include.mutate()}>
            {example.included ? <EyeOff /> : <Undo2 />}
          </IconButton>
          <IconButton label={t("remove")} size="small" disabled={remove.isPending} onClick={() => remove.mutate()}>
            <Trash2 />
          </IconButton>
        </span>
      </td>
    </tr>
  );
}

function Pages({ page, wanted, onWant }: Choosing) {
  const t = useT("tuning");
  const turn = (by: number) => onWant({ ...wanted, offset: Math.max(0, wanted.offset + by) });
  const to = Math.min(page.matching, wanted.offset + AT_ONCE);
  return (
    <div className="flex items-center justify-end gap-2 text-meta text-muted-foreground">
      <span className="tabular">{t("page", { from: wanted.offset + 1, to, of: page.matching })}</span>
      <IconButton label={t("previous")} disabled={wanted.offset === 0} onClick={() => turn(-AT_ONCE)}>
        <ChevronLeft />
      </IconButton>
      <IconButton label={t("next")} disabled={to >= page.matching} onClick={() => turn(AT_ONCE)}>
        <ChevronRight />
      </IconButton>
    </div>
  );
}
