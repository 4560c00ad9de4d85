//! A small bar: how much of a limit is used. Amber from four fifths on, red at the end.
import { cx } from "@/lib/cx";

export function Meter({ label, value, max, className }: { label: string; value: number; max: number; className?: string }) {
  const share = max <= 0 ? 1 : Math.min(1, value / max);
  const tone = share >= 1 ? "bg-bad" : share >= 0.8 ? "bg-warn" : "bg-foreground";
  return (
    <div role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={max} aria-valuenow={Math.min(value, max)} className={cx("h-1.5 overflow-hidden rounded-full bg-muted", className)}>
      <div className={cx("h-full rounded-full", tone)} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
