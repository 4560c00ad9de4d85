//! A table wider than the window scrolls inside this frame, by keyboard too.
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

export function TableFrame({ label, children, className }: { label: string; children: ReactNode; className?: string }) {
  return (
    // A scrolling region must take the focus, or a keyboard cannot scroll it. `relative`: words for screen readers stay inside it.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div role="region" aria-label={label} tabIndex={0} className={cx("scroll-thin relative overflow-x-auto rounded-card border bg-background", className)}>
      {children}
    </div>
  );
}
