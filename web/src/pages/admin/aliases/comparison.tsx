//! One question with its old and its new answer, side by side; the words that changed are marked by tint and by line, not by colour alone.
import { MessageSquareText, TriangleAlert } from "lucide-react";
import { useMemo } from "react";
import type { Compared, Said } from "@/api/types";
import { cx } from "@/lib/cx";
import { useLanguage, useT } from "@/lib/i18n";
import { failureSentence } from "@/lib/problem";
import { type Piece, diffWords, side } from "@/pages/admin/aliases/word-diff";
import { Badge } from "@/ui/page";

export function Comparison({ compared }: { compared: Compared }) {
  const t = useT("engines");
  const language = useLanguage();
  const pieces = useMemo(() => diffWords(compared.old.text, compared.new.text), [compared.old.text, compared.new.text]);
  const share = compared.similarity === null ? null : new Intl.NumberFormat(language, { style: "percent" }).format(compared.similarity);
  return (
    <li className="rounded-card border">
      <div className="flex items-start gap-3 border-b px-4 py-3">
        <MessageSquareText className="mt-0.5 size-4 shrink-0 text-muted-foreground" aria-hidden="true" />
        <div className="min-w-0 flex-1">
          <p className="line-clamp-2 font-medium break-words">{compared.question_text}</p>
          {compared.title === compared.question_text ? null : <p className="truncate text-meta text-muted-foreground">{compared.title}</p>}
        </div>
        {share === null ? <Badge tone="bad">{t("diff.failed")}</Badge> : <Badge tone={(compared.similarity ?? 0) >= 0.8 ? "good" : "neutral"}>{t("diff.alike", { share })}</Badge>}
      </div>
      <div className="grid md:grid-cols-2 md:divide-x">
        <Answer label={t("diff.old")} said={compared.old} pieces={side(pieces, "old")} />
        <Answer label={t("diff.new")} said={compared.new} pieces={side(pieces, "new")} />
      </div>
    </li>
  );
}

const MARKS: Record<Piece["kind"], string> = {
  same: "",
  old: "rounded-[3px] bg-bad-soft text-bad line-through decoration-bad/50",
  new: "rounded-[3px] bg-good-soft text-good underline decoration-good/50 underline-offset-3",
};

function Answer({ label, said, pieces }: { label: string; said: Said; pieces: Piece[] }) {
  const t = useT("engines");
  const language = useLanguage();
  const figure = (value: number, unit: string) => `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value)} ${unit}`;
  const figures = [
    figure(said.completion, "tokens"),
    said.ttft_ms === null ? null : `TTFT ${figure(said.ttft_ms, "ms")}`,
    said.tpot_ms === null ? null : `TPOT ${figure(said.tpot_ms, "ms")}`,
  ];
  return (
    <section aria-label={label} className="flex min-w-0 flex-col max-md:border-b max-md:last:border-b-0">
      <p className="flex flex-wrap items-baseline gap-x-2.5 px-4 pt-3 text-meta">
        <span className="font-medium">{label}</span>
        <span className="font-mono text-[12px] break-all text-muted-foreground">{said.model}</span>
      </p>
      {/* A scrolling region must take the focus, or a keyboard cannot scroll it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div tabIndex={0} role="region" aria-label={`${label}: ${t("diff.text")}`} className="scroll-thin max-h-72 flex-1 overflow-y-auto px-4 py-2 text-ui leading-[1.7] break-words whitespace-pre-wrap">
        {said.failure ? (
          <p className="flex gap-2 text-bad">
            <TriangleAlert className="mt-1 size-4 shrink-0" aria-hidden="true" />
            {failureSentence(said.failure)}
          </p>
        ) : null}
        {pieces.map((piece, at) => (
          <Marked key={`${at} ${piece.kind}`} piece={piece} />
        ))}
      </div>
      <p className="tabular px-4 pb-3 text-[12px] text-muted-foreground">{figures.filter(Boolean).join(" · ")}</p>
    </section>
  );
}

/** A piece of a text, marked where the other text has no such words. */
export function Marked({ piece }: { piece: Piece }) {
  if (piece.kind === "same") return piece.text;
  if (piece.kind === "old") return <del className={cx("px-0.5", MARKS.old)}>{piece.text}</del>;
  return <ins className={cx("px-0.5", MARKS.new)}>{piece.text}</ins>;
}
