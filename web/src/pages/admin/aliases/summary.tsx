//! A replay in few figures: how alike the answers are, what failed, tokens and waits, the old beside the new.
import type { ReactNode } from "react";
import type { ReplayResult } from "@/api/types";
import { cx } from "@/lib/cx";
import { useLanguage, useT } from "@/lib/i18n";

export function Summary({ replay }: { replay: ReplayResult }) {
  const t = useT("engines");
  const language = useLanguage();
  const { summary } = replay;
  const number = (value: number | null, digits = 0) => (value === null ? "–" : new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value));
  const ms = (value: number | null, digits = 0) => (value === null ? "–" : `${number(value, digits)} ms`);
  const share = summary.similarity === null ? "–" : new Intl.NumberFormat(language, { style: "percent" }).format(summary.similarity);
  return (
    <section aria-label={t("sum.title")}>
      <dl className="grid grid-cols-2 overflow-hidden rounded-card border md:grid-cols-5">
        <Figure label={t("sum.similarity")} hint={t("sum.similarity_hint")}>
          {share}
        </Figure>
        <Figure label={t("sum.failed")} bad={summary.failed > 0} hint={t("sum.of", { count: summary.compared })}>
          {number(summary.failed)}
        </Figure>
        <Pair label={t("sum.tokens")} old={summary.old.tokens} fresh={summary.new.tokens} show={number} />
        <Pair label={t("sum.ttft")} old={summary.old.ttft_ms} fresh={summary.new.ttft_ms} show={ms} />
        <Pair label={t("sum.tpot")} old={summary.old.tpot_ms} fresh={summary.new.tpot_ms} show={(value) => ms(value, 1)} />
      </dl>
    </section>
  );
}

function Figure({ label, hint, bad = false, children }: { label: string; hint: ReactNode; bad?: boolean; children: ReactNode }) {
  return (
    <div className="-mt-px -ml-px border-t border-l px-4 py-3">
      <dt className="text-meta text-muted-foreground">{label}</dt>
      <dd className={cx("tabular mt-0.5 text-[20px] leading-snug font-semibold", bad && "text-bad")}>{children}</dd>
      <dd className="text-[12px] text-muted-foreground">{hint}</dd>
    </div>
  );
}

type PairProps = { label: string; old: number | null; fresh: number | null; show: (value: number | null) => string };

function Pair({ label, old, fresh, show }: PairProps) {
  const t = useT("engines");
  const language = useLanguage();
  const change = old !== null && fresh !== null && old > 0 ? fresh / old - 1 : null;
  const percent = change === null ? null : new Intl.NumberFormat(language, { style: "percent", signDisplay: "exceptZero" }).format(change);
  return (
    <Figure label={label} hint={[t("sum.before", { value: show(old) }), percent].filter(Boolean).join(" · ")}>
      {show(fresh)}
    </Figure>
  );
}
