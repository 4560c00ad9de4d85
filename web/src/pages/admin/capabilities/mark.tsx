//! One cell of the matrix: a mark that is told by its shape and in words, and the evidence behind it.
import { Check, Minus, X } from "lucide-react";
import type { Capability, Evidence } from "@/api/types";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { Popover } from "@/ui/popover";

type Answer = Evidence["answer"] | "untested";

const LOOKS: Record<Answer, string> = {
  yes: "bg-good-soft text-good",
  no: "bg-muted text-muted-foreground",
  unknown: "border border-dashed border-border-strong text-muted-foreground",
  untested: "text-muted-foreground",
};

export function MarkIcon({ answer }: { answer: Answer }) {
  return (
    <span aria-hidden="true" className={cx("inline-flex size-6 items-center justify-center rounded-[7px] text-[13px] font-semibold [&_svg]:size-4", LOOKS[answer])}>
      {answer === "yes" ? <Check /> : answer === "no" ? <X /> : answer === "unknown" ? "?" : <Minus />}
    </span>
  );
}

type MarkProps = { model: string; capability: Capability; evidence: Evidence | null; busy: boolean };

export function Mark({ model, capability, evidence, busy }: MarkProps) {
  const t = useT("engines");
  const name = t(`can.${capability}`);
  if (busy) {
    return (
      <span className="inline-flex size-9 items-center justify-center coarse:size-11">
        <span className="size-2 animate-breathe rounded-full bg-border-strong" aria-hidden="true" />
        <span className="sr-only">{t("matrix.testing")}</span>
      </span>
    );
  }
  if (!evidence) {
    return (
      <span className="inline-flex size-9 items-center justify-center coarse:size-11">
        <MarkIcon answer="untested" />
        <span className="sr-only">{t("mark.untested")}</span>
      </span>
    );
  }
  const says = t(`mark.${evidence.answer}`);
  return (
    <Popover
      label={`${name}: ${says}`}
      trigger={
        <button type="button" aria-label={`${model}, ${name}: ${says}`} className="inline-flex size-9 items-center justify-center rounded-control transition-colors duration-120 hover:bg-hover aria-expanded:bg-hover coarse:size-11">
          <MarkIcon answer={evidence.answer} />
        </button>
      }
    >
      <p className="flex items-center gap-2.5 font-medium">
        <MarkIcon answer={evidence.answer} />
        <span className="min-w-0">
          {name}
          <span className="block text-meta font-normal text-muted-foreground">{says}</span>
        </span>
      </p>
      <p className="mt-3 text-meta text-muted-foreground">{t(`tried.${capability}`)}</p>
      {evidence.said ? <p className="mt-2 max-h-40 overflow-y-auto rounded-[8px] bg-muted px-2.5 py-2 font-mono text-[12px] break-words whitespace-pre-wrap">{evidence.said}</p> : null}
      <p className="tabular mt-2 text-meta text-muted-foreground">
        {[evidence.status === null ? null : `HTTP ${evidence.status}`, `${evidence.latency_ms} ms`].filter(Boolean).join(" · ")}
      </p>
    </Popover>
  );
}
