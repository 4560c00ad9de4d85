//! What the pages of data sets and jobs reckon by themselves: an edited conversation, a long curve made short, its picture.
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { woven } from "@/pages/admin/tuning/example-dialog";
import { LossPlot, thinned } from "@/pages/admin/tuning/loss-plot";

const said = (role: string, content: string) => ({ role, content });

test("an edit replaces the instructions, the last question and its answer, and leaves what was said before", () => {
  const before = [said("system", "old"), said("user", "a"), said("assistant", "b"), said("user", "c"), said("assistant", "d")];
  expect(woven(before, { system: "new", question: "C", answer: "D" })).toEqual([said("system", "new"), said("user", "a"), said("assistant", "b"), said("user", "C"), said("assistant", "D")]);
  expect(woven([], { system: "", question: "q", answer: "a" })).toEqual([said("user", "q"), said("assistant", "a")]);
});

test("a long curve keeps its mean and its end", () => {
  const line = Array.from({ length: 1001 }, (_, step) => ({ step, value: step === 1000 ? 7 : step % 2 }));
  const short = thinned(line);
  expect(short.length).toBeLessThanOrEqual(402);
  expect(short.at(-1)).toEqual({ step: 1000, value: 7 });
  const mean = short.slice(0, -1).reduce((sum, one) => sum + one.value, 0) / (short.length - 1);
  expect(mean).toBeCloseTo(0.5, 1);
  expect(thinned(line.slice(0, 10))).toEqual(line.slice(0, 10));
});

test("the picture says in words what it shows, with a hole where nothing was held out", () => {
  render(<LossPlot losses={[{ step: 1, train: 3.5, held_out: null }, { step: 2, train: 2.25, held_out: 2.75 }]} />);
  expect(screen.getByRole("img", { name: "Loss from 3.500 to 2.250 in 2 steps" })).toBeTruthy();
  expect(screen.getByText(/Held out 2\.750/)).toBeTruthy();
});
