//! What arrives in bursts is shown evenly: each animation frame reveals a share of what is waiting. One frame loop for all answers of the page.
import { useSession } from "@/app/session";

/** The person's switch, and the system's wish for less motion. */
export function typesSmoothly(): boolean {
  return useSession.getState().me?.settings.typing_animation !== false && !window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Most of what waits is shown within this time, so the eye is never far behind the model. */
const CATCH_UP_MS = 160;

/** How many characters of `target` to show after `elapsed` ms, never half a surrogate pair. */
export function reveal(target: string, shown: number, elapsed: number): number {
  const waiting = target.length - shown;
  if (waiting <= 0) return target.length;
  let next = Math.min(target.length, shown + Math.max(1, Math.ceil((waiting * Math.min(elapsed, CATCH_UP_MS)) / CATCH_UP_MS)));
  const code = target.charCodeAt(next - 1);
  if (code >= 0xd800 && code <= 0xdbff && next < target.length) next += 1;
  return next;
}

type Frame = (elapsed: number) => boolean;
const running = new Set<Frame>();
let before = 0;
let scheduled = false;

/** Runs `frame` once per animation frame (4 times a second in a hidden tab) until it returns false. */
export function everyFrame(frame: Frame) {
  running.add(frame);
  if (scheduled) return;
  before = performance.now();
  schedule();
}

function schedule() {
  scheduled = true;
  if (document.hidden) setTimeout(tick, 250);
  else requestAnimationFrame(tick);
}

function tick() {
  const now = performance.now();
  const elapsed = now - before;
  before = now;
  for (const frame of running) if (!frame(elapsed)) running.delete(frame);
  scheduled = false;
  if (running.size > 0) schedule();
}
