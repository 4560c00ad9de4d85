//! A small bar: how much of a limit is used (amber from four fifths on, red at the end), or, `calm`, how far something has come.
import { cx } from "@/lib/cx";

type MeterProps = { label: string; value: number; max: number; calm?: boolean; className?: string };

export function Meter({ label, value, max, calm = false, className }: MeterProps) {
  const share = max <= 0 ? 1 : Math.min(1, value / max);
  const tone = calm ? "bg-foreground" : share >= 1 ? "bg-bad" : share >= 0.8 ? "bg-warn" : "bg-foreground";
  return (
    <div role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={max} aria-valuenow={Math.min(value, max)} className={cx("h-1.5 overflow-hidden rounded-full bg-muted", className)}>
      <div className={cx("h-full rounded-full", tone)} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
