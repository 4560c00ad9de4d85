//! The steps of an answer: a quiet line for each thing that a plugin did, before the model or because the model asked for it. Opened,
//! it shows what was sent and what came back.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Ban, ChevronRight, CircleAlert, CircleCheck, Clock } from "lucide-react";
import { Suspense, lazy, useId, useState } from "react";
import { api } from "@/api/client";
import type { StepCall } from "@/api/types";
import { type Step, type Told, inShort, withCalls } from "@/chat/steps";
import { cx } from "@/lib/cx";
import { type Key, type Translate, loadWords, useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatMs } from "@/results/duration";
import { Skeleton } from "@/ui/page";
import { Spinner } from "@/ui/spinner";

const ResultView = lazy(async () => ({ default: (await import("@/results/result-view")).ResultView }));
const Written = lazy(async () => ({ default: (await import("@/results/result-view")).Written }));

/** Comes with the first call that waits for somebody's word. */
const InAnswer = lazy(async () => (await Promise.all([import("@/pages/approvals/in-answer"), loadWords("approvals")]))[0]);

/** What the log says of a turn's calls; asked for anew when one more has ended. */
function useCalls(turn: string | null, steps: Step[]) {
  const ended = steps.filter((step) => step.state !== "running").length;
  return useQuery({
    queryKey: ["steps", turn, ended],
    queryFn: ({ signal }) => api.get<StepCall[]>(`/api/turns/${turn}/steps`, undefined, signal),
    enabled: turn !== null && ended > 0,
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
  });
}

export default function Steps({ turn, steps }: { turn: string | null; steps: Step[] }) {
  const t = useT("steps");
  const { data, error, isPending, refetch } = useCalls(turn, steps);
  return (
    <>
      <ol aria-label={t("title")} className="mb-2 flex flex-col">
        {withCalls(steps, data ?? []).map((told, at) => (
          // By its place: a line that was opened while the answer ran stays open when it has ended.
          <StepLine key={at} told={told} waits={isPending && error === null} problem={error} again={() => void refetch()} />
        ))}
      </ol>
      {turn !== null && steps.some((step) => step.state === "waiting") ? (
        <Suspense fallback={<Skeleton className="mb-3 h-36 rounded-card" />}>
          <InAnswer turn={turn} />
        </Suspense>
      ) : null}
    </>
  );
}

type LineProps = { told: Told; /** The log is still being read. */ waits: boolean; problem: unknown; again: () => void };

function StepLine({ told: { step, call }, waits, problem, again }: LineProps) {
  const t = useT("steps");
  const language = useLanguage();
  const [open, setOpen] = useState(false);
  const id = useId();
  const asked = call?.sent ?? step.asked;
  const short = asked ? inShort(asked) : "";
  const name = call?.title ?? step.plugin;
  const tool = step.tool === step.plugin ? null : step.tool === "message" && step.asked === null ? t("question") : step.tool;
  return (
    <li className="min-w-0">
      <button
        type="button"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
        className="group/step -ml-1.5 flex min-h-8 max-w-full items-center gap-1.5 rounded-control px-1.5 text-left text-meta text-muted-foreground transition-colors duration-120 hover:text-foreground coarse:min-h-11"
      >
        <StateMark step={step} t={t} />
        <span className="min-w-0 truncate">
          <span className="font-medium text-foreground">{name || step.tool}</span>
          {tool ? ` · ${tool}` : null}
          {short ? ` (${short})` : null}
        </span>
        <span className="tabular ml-1 shrink-0">{said(step, t, language)}</span>
        <ChevronRight className={cx("size-4 shrink-0 transition-transform duration-120", open && "rotate-90")} aria-hidden="true" />
      </button>
      {open ? (
        <div id={id} className="mt-1 mb-3 ml-2 flex min-w-0 flex-col gap-3 border-l-2 py-1 pl-4">
          <Suspense fallback={<Skeleton className="h-16" />}>
            <Opened step={step} call={call} waits={waits} problem={problem} again={again} />
          </Suspense>
        </div>
      ) : null}
    </li>
  );
}

function StateMark({ step, t }: { step: Step; t: Translate<"steps"> }) {
  const mark = { running: <Spinner className="size-3.5" />, done: <CircleCheck className="size-3.5 text-good" />, failed: <CircleAlert className="size-3.5 text-bad" />, denied: <Ban className="size-3.5 text-warn" />, waiting: <Clock className="size-3.5 text-warn" /> }[step.state];
  // The other states stand in words at the end of the line.
  if (step.state !== "done") return <span aria-hidden="true">{mark}</span>;
  return (
    <span className="shrink-0" role="img" aria-label={t("state.done")}>
      {mark}
    </span>
  );
}

function said(step: Step, t: Translate<"steps">, language: "zh-CN" | "en"): string {
  if (step.state === "running" || step.state === "waiting") return t(`state.${step.state}`);
  const time = formatMs(step.ms ?? 0, language);
  return step.state === "done" ? time : `${t(`state.${step.state}`)} · ${time}`;
}

function Opened({ step, call, waits, problem, again }: { step: Step; call: StepCall | null; waits: boolean; problem: unknown; again: () => void }) {
  const t = useT("steps");
  const c = useT("common");
  const asked = call?.sent ?? step.asked;
  const answered = call?.received ?? step.answered;
  const settled = step.state !== "running";
  return (
    <>
      {step.error ? <p className="text-ui">{reason(step.error, t)}</p> : null}
      {asked ? (
        <section className="min-w-0">
          <h4 className="mb-1 text-meta text-muted-foreground">{t("asked")}</h4>
          <Written text={pretty(asked)} label={t("asked")} mono />
        </section>
      ) : null}
      {(answered || step.parts.length > 0) && settled ? (
        <section className="min-w-0">
          <h4 className="mb-1 text-meta text-muted-foreground">{t("answered")}</h4>
          <ResultView text={answered ?? ""} given={step.parts} />
        </section>
      ) : null}
      {settled && !asked && !answered && step.parts.length === 0 ? (
        waits ? (
          <Skeleton className="h-10" />
        ) : problem ? (
          <p role="alert" className="text-meta text-bad">
            {sentence(problem)}{" "}
            <button type="button" className="touch-target underline underline-offset-4" onClick={again}>
              {c("retry")}
            </button>
          </p>
        ) : (
          <p className="text-meta text-muted-foreground">{t("gone")}</p>
        )
      ) : null}
    </>
  );
}

/** Why a step came to nothing, for whoever asked the question. */
export function reason(code: string, t: Translate<"steps">): string {
  const key = `error.${code}` as Key<"steps">;
  const text = t(key);
  return text === key ? t("error.other", { code }) : text;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
