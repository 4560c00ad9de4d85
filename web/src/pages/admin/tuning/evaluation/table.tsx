//! The table of an evaluation: a column for each variant, its means on top as bars, the words that are not in the expected answer marked. On a phone
//! the cells lie below each other, each with its name.
import { Check, TriangleAlert } from "lucide-react";
import { memo, useMemo, useState } from "react";
import type { EvaluationAnswer, EvaluationResult, EvaluationRow, Means } from "@/api/evaluations";
import { cx } from "@/lib/cx";
import { useLanguage, useT } from "@/lib/i18n";
import { failureSentence } from "@/lib/problem";
import { formatSeconds } from "@/lib/time";
import { Marked } from "@/pages/admin/aliases/comparison";
import { diffWords, side } from "@/pages/admin/aliases/word-diff";
import { asked, namesOf } from "@/pages/admin/tuning/evaluation/data";
import { Meter } from "@/ui/meter";
import { TableFrame } from "@/ui/table-frame";

/** Texts longer than this are folded until somebody wants to read them. */
const LONG = 320;

const CELL = "min-w-0 p-3 text-left align-top text-ui font-normal break-words max-md:block md:w-56 md:min-w-56";

export function Table({ evaluation, rows }: { evaluation: EvaluationResult; rows: EvaluationRow[] }) {
  const t = useT("tuning");
  const { variants, means } = evaluation;
  const names = namesOf(variants, t);
  const slowest = Math.max(...means.map((one) => one.ms ?? 0), 1);
  return (
    <TableFrame label={t("eval.table")}>
      <table className="w-full border-collapse max-md:block">
        <thead className="border-b max-md:block">
          <tr className="max-md:block md:divide-x">
            <th scope="col" className={cx(CELL, "font-medium max-md:hidden")}>
              {t("question")}
            </th>
            <th scope="col" className={cx(CELL, "font-medium max-md:hidden")}>
              {t("eval.expected")}
            </th>
            {variants.map((variant, at) => (
              <th key={names[at]} scope="col" className={cx(CELL, "max-md:border-b max-md:last:border-b-0")}>
                <span className="block font-medium">{names[at]}</span>
                {names[at] === variant.model ? null : <span className="block font-mono text-[12px] break-all text-muted-foreground">{variant.model}</span>}
                <Bars name={names[at] ?? ""} means={means[at]} slowest={slowest} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="max-md:block">
          {rows.map((row) => (
            <Row key={row.seq} row={row} names={names} />
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

/** A variant's means: how many are exact, how alike, how long it took. */
function Bars({ name, means, slowest }: { name: string; means: Means | undefined; slowest: number }) {
  const t = useT("tuning");
  const language = useLanguage();
  if (!means || means.answered === 0) return <span className="mt-2 block text-meta text-muted-foreground">{t("eval.no_answer")}</span>;
  const percent = (share: number | null) => new Intl.NumberFormat(language, { style: "percent" }).format(share ?? 0);
  const bars = [
    { label: t("eval.exact"), said: percent(means.exact), value: means.exact ?? 0, max: 1 },
    { label: t("eval.similarity"), said: percent(means.similarity), value: means.similarity ?? 0, max: 1 },
    { label: t("eval.time"), said: formatSeconds(means.ms ?? 0, language), value: means.ms ?? 0, max: slowest },
  ];
  return (
    <span className="mt-2 flex flex-col gap-1.5">
      {bars.map((bar) => (
        <span key={bar.label} className="block">
          <span className="tabular flex justify-between gap-2 text-[12px] text-muted-foreground">
            <span>{bar.label}</span>
            <span className="text-foreground">{bar.said}</span>
          </span>
          <Meter calm label={`${name}: ${bar.label}, ${bar.said}`} value={bar.value} max={bar.max} className="mt-0.5" />
        </span>
      ))}
      <span className="tabular block text-[12px] text-muted-foreground">{t("eval.answered", { count: means.answered, tokens: Math.round(means.completion ?? 0) })}</span>
    </span>
  );
}

type RowProps = { row: EvaluationRow; names: string[] };

/** While an evaluation runs all of it comes every second; only the rows that changed are drawn again. */
const Row = memo(RowBody, (before: RowProps, now: RowProps) => before.row === now.row && before.names.join() === now.names.join());

function RowBody({ row, names }: RowProps) {
  const t = useT("tuning");
  const [open, setOpen] = useState(false);
  const { question, earlier } = asked(row);
  const long = [question, row.expected, ...row.answers.map((answer) => answer.text)].some((text) => text.length > LONG);
  const folded = long && !open;
  const text = cx("leading-relaxed whitespace-pre-wrap", folded && "line-clamp-8");
  return (
    <tr className="border-b last:border-b-0 max-md:block md:divide-x">
      <th scope="row" className={CELL}>
        <span className={cx("block font-medium", text)}>{question}</span>
        {earlier > 0 ? <span className="mt-1 block text-[12px] text-muted-foreground">{t("eval.earlier", { count: earlier })}</span> : null}
        {long ? (
          <button type="button" aria-expanded={open} className="touch-target mt-1 text-meta text-brand hover:underline" onClick={() => setOpen(!open)}>
            {t(open ? "eval.fold" : "eval.unfold")}
          </button>
        ) : null}
      </th>
      <td className={CELL}>
        <Named name={t("eval.expected")} />
        <p className={text}>{row.expected}</p>
      </td>
      {names.map((name, at) => (
        <td key={name} className={CELL}>
          <Named name={name} />
          <Answer answer={row.answers.find((one) => one.variant === at)} expected={row.expected} className={text} />
        </td>
      ))}
    </tr>
  );
}

/** The column's name, where there are no columns. */
function Named({ name }: { name: string }) {
  return <p className="mb-0.5 text-[12px] font-medium text-muted-foreground md:hidden">{name}</p>;
}

function Answer({ answer, expected, className }: { answer: EvaluationAnswer | undefined; expected: string; className: string }) {
  const t = useT("tuning");
  const language = useLanguage();
  const said = answer?.text ?? "";
  const pieces = useMemo(() => side(diffWords(expected, said), "new"), [expected, said]);
  if (!answer) return <p className="text-muted-foreground">…</p>;
  if (answer.failure) {
    return (
      <p className="flex gap-2 text-bad">
        <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden="true" />
        {failureSentence(answer.failure)}
      </p>
    );
  }
  const share = new Intl.NumberFormat(language, { style: "percent" }).format(answer.similarity ?? 0);
  return (
    <>
      {said.trim() === "" ? <p className="text-muted-foreground">{t("eval.silent")}</p> : <p className={className}>{answer.exact ? said : pieces.map((piece, at) => <Marked key={`${at} ${piece.kind}`} piece={piece} />)}</p>}
      <p className="tabular mt-1 flex flex-wrap items-center gap-x-1.5 text-[12px] text-muted-foreground">
        {answer.exact ? (
          <span className="inline-flex items-center gap-1 text-good">
            <Check className="size-3.5" aria-hidden="true" />
            {t("eval.as_expected")}
          </span>
        ) : (
          t("eval.alike", { share })
        )}
        <span>· {formatSeconds(answer.ms, language)}</span>
        {answer.finish === "length" ? <span>· {t("eval.cut")}</span> : null}
      </p>
    </>
  );
}
