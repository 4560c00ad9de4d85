//! A line of what was, without axes: the number beside it says what is. Its height is the highest value, or the limit where that is more.
type Props = { values: number[]; /** How many values fill the width. */ length: number; limit: number | null };

const WIDTH = 120;
const HEIGHT = 28;

export function Spark({ values, length, limit }: Props) {
  const top = Math.max(1, limit ?? 0, ...values);
  const x = (at: number) => WIDTH - ((values.length - 1 - at) / (length - 1)) * WIDTH;
  const y = (value: number) => HEIGHT - 1 - (value / top) * (HEIGHT - 3);
  const points = values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg aria-hidden="true" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} className="shrink-0">
      <line x1={0} x2={WIDTH} y1={HEIGHT - 1} y2={HEIGHT - 1} className="stroke-border" />
      {limit === null ? null : <line x1={0} x2={WIDTH} y1={y(limit)} y2={y(limit)} strokeDasharray="2 3" className="stroke-border-strong" />}
      <polygon points={[`${x(0).toFixed(1)},${HEIGHT - 1}`, ...points, `${WIDTH},${HEIGHT - 1}`].join(" ")} className="fill-brand-soft" />
      <polyline points={points.join(" ")} fill="none" strokeWidth={1.5} className="stroke-brand" />
    </svg>
  );
}
