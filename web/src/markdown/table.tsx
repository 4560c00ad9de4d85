//! A table in one frame that scrolls sideways and can be reached by keyboard; copied as tab-separated text, which spreadsheets take.
import { type ReactNode, useRef } from "react";
import { useT } from "@/lib/i18n";
import { CopyButton } from "@/ui/copy-button";

export function TableFrame({ children }: { children?: ReactNode }) {
  const t = useT("chat");
  const table = useRef<HTMLTableElement>(null);
  const text = () => [...(table.current?.rows ?? [])].map((row) => [...row.cells].map((cell) => cell.innerText.trim().replace(/\s+/g, " ")).join("\t")).join("\n");
  return (
    <div className="group/table relative my-4">
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region must be reachable by keyboard */}
      <div role="region" aria-label={t("table.label")} tabIndex={0} className="scroll-thin max-h-[70dvh] overflow-auto rounded-[12px] border">
        <table ref={table}>{children}</table>
      </div>
      <div className="absolute top-1.5 right-1.5 opacity-0 transition-opacity duration-120 group-focus-within/table:opacity-100 group-hover/table:opacity-100 coarse:hidden">
        <CopyButton text={text} label={t("table.copy")} className="border bg-background" />
      </div>
    </div>
  );
}
