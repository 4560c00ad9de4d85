//! How sure the model was of its answer, in words and as a small bar. Its own figures: it may be sure and wrong, and the page says so.
import type { Confidence as Told } from "@/api/types";
import { type Key, useLanguage, useT } from "@/lib/i18n";
import { Meter } from "@/ui/meter";

/** From how many thousandths on a figure is called so. */
const SURE = 700;
const FAIRLY = 450;

export function Confidence({ told }: { told: Told }) {
  const t = useT("chat");
  return (
    <section aria-labelledby="confidence" className="px-6 pb-6">
      <h3 id="confidence" className="mb-1 text-ui font-semibold">
        {t("confidence.title")}
      </h3>
      <p className="mb-3 text-meta text-muted-foreground">{t("confidence.text")}</p>
      <Figure label={t("confidence.mean")} value={told.mean} />
      <Figure label={t("confidence.worst", { from: told.worst_from + 1 })} value={told.worst} />
    </section>
  );
}

function Figure({ label, value }: { label: string; value: number }) {
  const t = useT("chat");
  const share = new Intl.NumberFormat(useLanguage(), { style: "percent" }).format(value / 1000);
  const said = t(word(value));
  return (
    <div className="py-1.5">
      <div className="flex justify-between gap-6">
        <span className="text-muted-foreground">{label}</span>
        <span className="tabular">
          {said} · {share}
        </span>
      </div>
      <Meter label={label} value={value} max={1000} calm className="mt-1.5" />
    </div>
  );
}

function word(value: number): Key<"chat"> {
  if (value >= SURE) return "confidence.sure";
  return value >= FAIRLY ? "confidence.fairly" : "confidence.unsure";
}
