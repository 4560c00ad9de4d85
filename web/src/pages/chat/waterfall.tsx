//! Where the time of an answer went: a bar a part, one after the other, and in words which of them took longest.
import type { Spent } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { formatMs } from "@/results/duration";

const PARTS = ["tools", "queue", "network", "prefill", "decode"] as const;

export function Waterfall({ spent }: { spent: Spent }) {
  const t = useT("chat");
  const language = useLanguage();
  const total = PARTS.reduce((sum, part) => sum + spent[part], 0);
  if (total === 0) return null;
  const slowest = PARTS.reduce((most, part) => (spent[part] > spent[most] ? part : most), PARTS[0]);
  const rows = PARTS.map((part, at) => ({ part, ms: spent[part], from: PARTS.slice(0, at).reduce((sum, one) => sum + spent[one], 0) })).filter(({ ms }) => ms > 0);
  return (
    <section aria-labelledby="spent" className="px-6 pb-6">
      <h3 id="spent" className="mb-1 text-ui font-semibold">
        {t("spent.title")}
      </h3>
      <p className="mb-3 text-meta text-muted-foreground">{t(`spent.why.${slowest}`)}</p>
      <ul className="flex flex-col gap-2">
        {rows.map(({ part, ms, from }) => (
          <li key={part}>
            <div className="flex items-baseline justify-between gap-3 text-meta">
              <span className={part === slowest ? "font-medium" : "text-muted-foreground"}>{t(`spent.${part}`)}</span>
              <span className="tabular">{formatMs(ms, language)}</span>
            </div>
            <div className="mt-1 h-1.5 rounded-full bg-surface" aria-hidden="true">
              <div className={`h-full min-w-0.5 rounded-full ${part === slowest ? "bg-brand" : "bg-border-strong"}`} style={{ marginInlineStart: `${(from / total) * 100}%`, width: `${(ms / total) * 100}%` }} />
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
