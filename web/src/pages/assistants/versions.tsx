//! The versions of an assistant: which one answers, what each changed, and the way back to an older one.
import { useMutation } from "@tanstack/react-query";
import { GitCompare, RotateCcw } from "lucide-react";
import { useMemo, useState } from "react";
import type { AssistantDetail, AssistantVersion, Difference } from "@/api/assistants";
import { cx } from "@/lib/cx";
import { type Key, useLanguage, useT } from "@/lib/i18n";
import { formatDateTime } from "@/lib/time";
import { type Piece, diffWords } from "@/pages/admin/aliases/word-diff";
import { bad, takeBack, useDifferences } from "@/pages/assistants/data";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Badge, Card, Section, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

/** Null: the draft. */
type Compared = { from: number; to: number | null };

export function Versions({ detail }: { detail: AssistantDetail }) {
  const t = useT("assistants");
  const [compared, setCompared] = useState<Compared | null>(null);
  const { versions, assistant } = detail;
  const draft = assistant.published === null || !assistant.changed ? null : { from: assistant.published, to: null };
  return (
    <Section
      title={t("versions")}
      description={t("versions_text")}
      action={
        draft ? (
          <Button size="small" icon={<GitCompare />} onClick={() => setCompared(draft)}>
            {t("compare_draft")}
          </Button>
        ) : undefined
      }
    >
      <Card>
        {versions.length === 0 ? <p className="px-4 py-6 text-ui text-muted-foreground">{t("no_versions")}</p> : null}
        <ul>
          {versions.map((one, at) => (
            <VersionRow key={one.version} one={one} id={assistant.id} before={versions[at + 1]?.version ?? null} onCompare={setCompared} />
          ))}
        </ul>
      </Card>
      {compared ? <DiffDialog detail={detail} compared={compared} onClose={() => setCompared(null)} /> : null}
    </Section>
  );
}

function VersionRow({ one, id, before, onCompare }: { one: AssistantVersion; id: string; before: number | null; onCompare: (compared: Compared) => void }) {
  const t = useT("assistants");
  const language = useLanguage();
  const back = useMutation({ mutationFn: () => takeBack(id, one.version), onSuccess: () => toast(t("taken_back", { version: one.version })), onError: bad });
  const when = formatDateTime(one.at, language);
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-52">
        <p className="flex flex-wrap items-center gap-2 font-medium">
          {t("version", { version: one.version })}
          {one.current ? <Badge tone="good">{t("current")}</Badge> : null}
        </p>
        <p className="tabular text-meta text-muted-foreground">{one.by_name ? t("by", { name: one.by_name, at: when }) : when}</p>
        {one.note ? <p className="text-meta break-words">{one.note}</p> : null}
      </div>
      <div className="flex flex-wrap gap-2">
        {before === null ? null : (
          <Button size="small" icon={<GitCompare />} onClick={() => onCompare({ from: before, to: one.version })}>
            {t("compare", { version: before })}
          </Button>
        )}
        <Button size="small" icon={<RotateCcw />} busy={back.isPending} aria-label={t("take_back_it", { version: one.version })} onClick={() => back.mutate()}>
          {t("take_back")}
        </Button>
      </div>
    </li>
  );
}

function DiffDialog({ detail, compared, onClose }: { detail: AssistantDetail; compared: Compared; onClose: () => void }) {
  const t = useT("assistants");
  const { data, isPending, error, refetch } = useDifferences(detail.assistant.id, compared.from, compared.to, detail.revision);
  const title = compared.to === null ? t("diff_draft", { from: compared.from }) : t("diff", { from: compared.from, to: compared.to });
  return (
    <Dialog open onClose={onClose} title={title} width="large">
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {data?.length === 0 ? <p className="text-ui text-muted-foreground">{t("no_difference")}</p> : null}
      {/* What is longer than the dialog must take the focus, or a keyboard cannot scroll it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div tabIndex={0} role="region" aria-label={title} className="rounded-[10px]">
        <dl className="flex flex-col gap-5">
          {(data ?? []).map((one) => (
            <FieldDiff key={one.field} one={one} />
          ))}
        </dl>
      </div>
    </Dialog>
  );
}

const MARKS: Record<Piece["kind"], string> = {
  same: "",
  old: "rounded-[3px] bg-bad-soft text-bad line-through decoration-bad/50",
  new: "rounded-[3px] bg-good-soft text-good underline decoration-good/50 underline-offset-3",
};

/** In one text, as a person who corrects a page would mark it. */
export function FieldDiff({ one }: { one: Difference }) {
  const t = useT("assistants");
  const pieces = useMemo(() => diffWords(one.before, one.after), [one.before, one.after]);
  return (
    <div>
      <dt className="mb-1.5 text-ui font-medium">{t(`field.${one.field}` as Key<"assistants">)}</dt>
      <dd className="rounded-[10px] border px-4 py-3 text-ui leading-[1.7] break-words whitespace-pre-wrap">
        {pieces.map((piece, at) => {
          if (piece.kind === "same") return <span key={at}>{piece.text}</span>;
          const Mark = piece.kind === "old" ? "del" : "ins";
          return (
            <Mark key={at} className={cx("px-0.5", MARKS[piece.kind])}>
              {piece.text}
            </Mark>
          );
        })}
      </dd>
    </div>
  );
}
