//! One bar a day, stacked by what it is made of; the day that is pointed at, or reached with the arrow keys, is read out above. No library:
//! a bar is a box.
import { type KeyboardEvent, type PointerEvent, useState } from "react";
import { cx } from "@/lib/cx";

export type Bar = { id: string; /** The day, for people. */ name: string; parts: number[]; /** What stands beside the parts: requests … */ note?: string };
type Series = { name: string; className: string };
type Props = { label: string; bars: Bar[]; series: Series[]; format: (value: number) => string; /** A line across, such as a limit. */ line?: { value: number; name: string } | null };

const sum = (parts: number[]) => parts.reduce((all, part) => all + part, 0);

/** The smallest of 1, 2, 2.5, 5, 10, 20 … that nothing stands above. */
export function ceiling(highest: number): number {
  if (highest <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= highest) ?? 10) * power;
}

export function Bars({ label, bars, series, format, line = null }: Props) {
  const [chosen, choose] = useState<number | null>(null);
  const at = Math.min(chosen ?? bars.length - 1, bars.length - 1);
  const highest = Math.max(...bars.map((bar) => sum(bar.parts)), 0);
  // A limit far above everything would press the bars flat: it is named only where it is near.
  const shown = line && line.value <= highest * 4 ? line : null;
  const top = ceiling(Math.max(highest, shown?.value ?? 0));
  const bar = bars[at];
  if (!bar) return null;
  const said = series.map((one, index) => `${one.name} ${format(bar.parts[index] ?? 0)}`);
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: bars.length - 1 };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(bars.length - 1, next)));
  };
  const onPointer = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const place = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
    choose(Math.max(0, Math.min(bars.length - 1, place)));
  };
  return (
    <div>
      <p className="tabular mb-3 flex min-h-5 flex-wrap items-center gap-x-4 gap-y-1 text-meta" aria-hidden="true">
        <span className="font-medium">{bar.name}</span>
        {series.map((one, index) => (
          <span key={one.name} className="inline-flex items-center gap-1.5">
            <span className={cx("size-2.5 rounded-[3px]", one.className)} />
            <span className="text-muted-foreground">{one.name}</span>
            {format(bar.parts[index] ?? 0)}
          </span>
        ))}
        {bar.note ? <span className="text-muted-foreground">{bar.note}</span> : null}
      </p>
      <div className="flex gap-2">
        <div className="tabular flex w-10 shrink-0 flex-col justify-between text-right text-[12px] leading-none text-muted-foreground" aria-hidden="true">
          <span>{format(top)}</span>
          <span>{format(top / 2)}</span>
          <span>0</span>
        </div>
        <div
          role="slider"
          tabIndex={0}
          aria-label={label}
          aria-valuemin={1}
          aria-valuemax={bars.length}
          aria-valuenow={at + 1}
          aria-valuetext={[bar.name, ...said, bar.note].filter(Boolean).join(", ")}
          onKeyDown={onKeyDown}
          onPointerMove={onPointer}
          onPointerDown={onPointer}
          onPointerLeave={() => choose(null)}
          className="relative flex h-32 min-w-0 flex-1 touch-pan-y items-stretch rounded-[4px] border-b border-border-strong"
        >
          <span className="pointer-events-none absolute inset-x-0 top-0 border-t border-dashed" />
          <span className="pointer-events-none absolute inset-x-0 top-1/2 border-t border-dashed" />
          {bars.map((one, index) => (
            <span key={one.id} className={cx("flex h-full min-w-0 flex-1 flex-col-reverse", index === at && "bg-hover")}>
              {series.map((part, place) => {
                const value = one.parts[place] ?? 0;
                return <span key={part.name} className={cx("mx-[10%] block last:rounded-t-[3px]", part.className)} style={{ height: `${(value / top) * 100}%`, minHeight: value > 0 ? 2 : 0 }} />;
              })}
            </span>
          ))}
          {shown ? (
            <span className="pointer-events-none absolute inset-x-0 border-t border-warn" style={{ bottom: `${(shown.value / top) * 100}%` }}>
              <span className="absolute right-0 bottom-0.5 bg-background px-1 text-[12px] leading-tight text-warn">{shown.name}</span>
            </span>
          ) : null}
        </div>
      </div>
      <div className="tabular mt-1.5 ml-12 flex justify-between text-[12px] text-muted-foreground" aria-hidden="true">
        <span>{bars[0]?.name}</span>
        <span>{bars.at(-1)?.name}</span>
      </div>
    </div>
  );
}
