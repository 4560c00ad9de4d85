//! What a tool answered, part by part. Loaded when a step is opened.
import { Download } from "lucide-react";
import { useMemo } from "react";
import type { ToolPart } from "@/api/types";
import { useT } from "@/lib/i18n";
import { DataTable } from "@/results/data-table";
import { type Part, givenParts, readResult } from "@/results/parts";
import { buttonLook } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";

type Props = { text: string; /** What the tool gave to be shown, where it did. */ given?: readonly ToolPart[] | null | undefined };

export function ResultView({ text, given }: Props) {
  const t = useT("steps");
  const { parts, cut } = useMemo(() => readResult(text), [text]);
  const shown = useMemo(() => givenParts(given ?? []), [given]);
  if (shown.length > 0) {
    return (
      <div className="flex min-w-0 flex-col gap-3">
        {shown.map((part, at) => (
          <PartView key={at} part={part} />
        ))}
        {text === "" ? null : (
          <details>
            <summary className="touch-target inline-flex min-h-8 items-center text-meta text-muted-foreground hover:text-foreground">{t("as_read")}</summary>
            <Written text={text} label={t("as_read")} />
          </details>
        )}
      </div>
    );
  }
  return (
    <div className="flex min-w-0 flex-col gap-3">
      {parts.map((part, at) => (
        <PartView key={at} part={part} />
      ))}
      {parts.length === 0 ? <p className="text-meta text-muted-foreground">{t("nothing")}</p> : null}
      {cut ? <p className="tabular text-meta text-muted-foreground">{t("cut", { kept: cut.kept, of: cut.of })}</p> : null}
    </div>
  );
}

function PartView({ part }: { part: Part }) {
  const t = useT("steps");
  if (part.kind === "table") return <DataTable table={part} />;
  if (part.kind === "image") return <img src={part.src} alt={part.name || t("picture")} className="max-h-[480px] max-w-full self-start rounded-card border bg-white object-contain" />;
  if (part.kind === "file") {
    return (
      <a href={part.href} download={part.name} className={buttonLook("secondary", "small", "max-w-full self-start")}>
        <Download aria-hidden="true" />
        <span className="min-w-0 truncate">{part.name}</span>
      </a>
    );
  }
  return <Written text={part.text} label={t("answered")} mono={part.kind === "json"} />;
}

/** Text as it came, in a frame that scrolls by keyboard, too. */
export function Written({ text, label, mono = false }: { text: string; label: string; mono?: boolean }) {
  return (
    <div className="relative min-w-0">
      <pre
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        role="region"
        aria-label={label}
        className={`scroll-thin max-h-80 overflow-auto rounded-[10px] border bg-background py-2 pr-11 pl-3 leading-relaxed break-words whitespace-pre-wrap ${mono ? "font-mono text-[13px]" : "font-sans text-ui"}`}
      >
        {text}
      </pre>
      <CopyButton text={text} className="absolute top-1 right-1 bg-background" />
    </div>
  );
}
