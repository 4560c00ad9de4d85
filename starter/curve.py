"""Draws the learning curve: `python3 starter/curve.py starter/curve.csv starter/curve.svg`. The rows are leg, step, steps, the loss of training, the
held-out loss where there is one, the rate, tokens a second; losses are nats for each learned token, of training with some whole conversations."""

import csv
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 380, 56, 40, 24, 44
COLOURS = {"training": "#3b6fb6", "held out": "#b65a3b"}


def main() -> None:
    rows = list(csv.reader(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()))
    before, last, offset = 0, {}, {}
    for leg, step, steps, *_ in rows:
        if leg not in offset:
            offset[leg] = before
        before = offset[leg] + int(steps)
        last[leg] = int(steps)
    at = lambda row: offset[row[0]] + int(row[1])
    lines = {
        "training": [(at(row), float(row[3])) for row in rows],
        "held out": [(at(row), float(row[4])) for row in rows if row[4]],
    }
    most = min(4.0, max(value for line in lines.values() for _, value in line))
    x = lambda step: LEFT + (WIDTH - LEFT - RIGHT) * step / before
    y = lambda loss: TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(loss, most) / most)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for tick in range(5):
        loss = most * tick / 4
        out.append(f'<path d="M{LEFT} {y(loss):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/><text x="{LEFT - 8}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss:.1f}</text>')
        step = round(before * tick / 4)
        out.append(f'<text x="{x(step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{step}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">steps</text><text x="{LEFT}" y="16">nats per learned token</text>')
    for place, (name, line) in enumerate(lines.items()):
        points = " ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in line)
        out.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.6"/>')
        out.append(f'<text x="{WIDTH - RIGHT - 90}" y="{TOP + 8 + 16 * place}" fill="{COLOURS[name]}">{name}</text>')
    Path(sys.argv[2]).write_text("\n".join([*out, "</svg>"]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
