//! The losses of a job over its steps: what was learned as a line, what was held out as a line with points. Our own SVG: two lines need no library.
import type { Loss } from "@/api/types";
import { useT } from "@/lib/i18n";

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 44;
const BOTTOM = 24;
/** More points than pixels only cost time. */
const MOST = 400;

type Point = { step: number; value: number };

export function LossPlot({ losses }: { losses: Loss[] }) {
  const t = useT("tuning");
  const train = thinned(points(losses, "train"));
  const heldOut = thinned(points(losses, "held_out"));
  const all = [...train, ...heldOut];
  const [first, last] = [losses[0]?.step ?? 0, losses.at(-1)?.step ?? 1];
  const [low, high] = [Math.min(...all.map((one) => one.value)), Math.max(...all.map((one) => one.value))];
  const span = Math.max(high - low, 1e-6);
  const x = (step: number) => LEFT + ((step - first) / Math.max(1, last - first)) * (WIDTH - LEFT - 8);
  const y = (value: number) => 10 + (1 - (value - low) / span) * (HEIGHT - BOTTOM - 16);
  const path = (line: Point[]) => line.map((one) => `${x(one.step).toFixed(1)},${y(one.value).toFixed(1)}`).join(" ");
  const ticks = [high, low + span / 2, low];
  const said = t("loss_said", { from: (train[0]?.value ?? 0).toFixed(3), to: (train.at(-1)?.value ?? 0).toFixed(3), steps: last });
  return (
    <figure>
      <svg role="img" aria-label={said} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="h-auto w-full text-[12px]">
        {ticks.map((tick, at) => (
          <g key={at}>
            <line x1={LEFT} x2={WIDTH - 8} y1={y(tick)} y2={y(tick)} className="stroke-border" />
            <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end" className="tabular fill-muted-foreground">
              {tick.toFixed(2)}
            </text>
          </g>
        ))}
        <text x={LEFT} y={HEIGHT - 6} className="tabular fill-muted-foreground">
          {first}
        </text>
        <text x={WIDTH - 8} y={HEIGHT - 6} textAnchor="end" className="tabular fill-muted-foreground">
          {last}
        </text>
        <polyline points={path(train)} fill="none" strokeWidth={1.5} strokeLinejoin="round" className="stroke-brand" />
        <polyline points={path(heldOut)} fill="none" strokeWidth={1.5} strokeDasharray="5 4" className="stroke-foreground" />
        {heldOut.map((one) => (
          <circle key={one.step} cx={x(one.step)} cy={y(one.value)} r={2.5} className="fill-foreground" />
        ))}
      </svg>
      <figcaption className="tabular mt-2 flex flex-wrap gap-x-5 gap-y-1 text-meta text-muted-foreground">
        <Legend name={t("loss_train")} value={train.at(-1)?.value} line="border-brand" />
        <Legend name={t("loss_held_out")} value={heldOut.at(-1)?.value} line="border-dashed border-foreground" />
      </figcaption>
    </figure>
  );
}

function Legend({ name, value, line }: { name: string; value: number | undefined; line: string }) {
  if (value === undefined) return null;
  return (
    <span className="inline-flex items-center gap-2">
      <span aria-hidden="true" className={`w-5 border-t-2 ${line}`} />
      {name} {value.toFixed(3)}
    </span>
  );
}

function points(losses: Loss[], which: "train" | "held_out"): Point[] {
  return losses.flatMap((loss) => (loss[which] === null ? [] : [{ step: loss.step, value: loss[which] }]));
}

/** Neighbours as their mean, so that no more than {@link MOST} are left; the last one stays as it is. */
export function thinned(line: Point[]): Point[] {
  const each = Math.ceil(line.length / MOST);
  if (each <= 1) return line;
  const out: Point[] = [];
  for (let at = 0; at < line.length - 1; at += each) {
    const part = line.slice(at, Math.min(at + each, line.length - 1));
    out.push({ step: part[0]?.step ?? 0, value: part.reduce((sum, one) => sum + one.value, 0) / part.length });
  }
  const end = line.at(-1);
  return end ? [...out, end] : out;
}
