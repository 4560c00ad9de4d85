//! What the model wrote, or why it has not: text, thoughts, what was cut, how it ended, and what can be done about it.
import { ChevronRight, Info, RefreshCw, Route, Scissors, Trash2, TriangleAlert } from "lucide-react";
import { Suspense, lazy, useMemo } from "react";
import type { FellBack, Message } from "@/api/types";
import { ui } from "@/app/ui";
import { forChat, useModelName, useModels } from "@/chat/models";
import { keptSteps } from "@/chat/steps";
import { type Thread, useFellBack, useRunning } from "@/chat/thread";
import { newId } from "@/lib/id";
import { type Key, loadWords, useT } from "@/lib/i18n";
import { failureSentence, sentence } from "@/lib/problem";
import { Branches, type MessageProps, actionsClass } from "@/pages/chat/message";
import { modelEntries } from "@/pages/chat/model-picker";
import { removeMessage } from "@/pages/chat/question-view";
import { Rate } from "@/pages/chat/rating";
import { RunState } from "@/pages/chat/run-state";
import { Button, IconButton } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Menu } from "@/ui/menu";
import { Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

const Markdown = lazy(() => import("@/markdown/markdown"));
/** Comes with the first answer that a plugin had a part in. */
const Steps = lazy(async () => (await Promise.all([import("@/pages/chat/steps"), loadWords("steps")]))[0]);

export function AnswerView({ thread, message, last, model }: MessageProps & { message: Message }) {
  const t = useT("chat");
  const running = useRunning(thread, message.id);
  const name = useModelName(message.model);
  const text = running?.text ?? message.text;
  const thought = running?.thought ?? message.thought ?? "";
  const trimmed = running?.trimmed ?? message.trimmed;
  const fellBack = useFellBack(thread, message.id);
  const kept = message.provenance?.steps;
  const steps = useMemo(() => running?.steps ?? keptSteps(kept ?? []), [running?.steps, kept]);
  return (
    <div>
      {steps.length > 0 ? (
        // Room for what comes, so that nothing jumps.
        <Suspense fallback={<div style={{ height: steps.length * 32 + 8 }} />}>
          <Steps turn={message.turn} steps={steps} />
        </Suspense>
      ) : null}
      {name ? <p className="mb-1.5 text-meta text-muted-foreground">{name}</p> : null}
      {fellBack ? <FellBackNote fellBack={fellBack} /> : null}
      {trimmed && trimmed.messages > 0 ? (
        <p className="mb-2 flex gap-2 text-meta text-muted-foreground">
          <Scissors className="mt-0.5 size-3.5 shrink-0" aria-hidden="true" />
          {t("message.trimmed", { count: trimmed.messages, tokens: trimmed.tokens })}
        </p>
      ) : null}
      {(running?.leftOut ?? message.provenance?.left_out ?? []).map((left) => (
        <p key={left.name} className="mb-2 flex gap-2 text-meta text-muted-foreground">
          <Scissors className="mt-0.5 size-3.5 shrink-0" aria-hidden="true" />
          {t(left.page == null ? "message.left_out" : "message.left_out_from", { name: left.name, tokens: left.tokens, page: left.page ?? 0 })}
        </p>
      ))}
      {thought === "" ? null : <Thought text={thought} open={running !== null && text === ""} />}
      {text === "" ? null : (
        <Suspense fallback={<div className="text-body whitespace-pre-wrap coarse:text-[16px]">{text}</div>}>
          <Markdown text={text} streaming={running !== null} />
        </Suspense>
      )}
      {running ? <RunState running={running} model={name} /> : <Ending thread={thread} message={message} model={model?.id ?? null} last={last} />}
      {running ? null : <Actions thread={thread} message={message} last={last} current={model?.id ?? null} />}
    </div>
  );
}

const REASONS = new Set(["unreachable", "timed_out", "upstream_over_limit", "upstream_refused", "model_loading", "model_failed", "model_busy"]);

/** Another model answered, and why. */
function FellBackNote({ fellBack }: { fellBack: FellBack }) {
  const t = useT("chat");
  const from = useModelName(fellBack.from) ?? fellBack.from;
  const to = useModelName(fellBack.to) ?? fellBack.to;
  const reason = t(`message.fell_back.${REASONS.has(fellBack.code) ? fellBack.code : "other"}` as Key<"chat">, { from });
  return (
    <p className="mb-2 flex gap-2 text-meta text-muted-foreground">
      <Route className="mt-0.5 size-3.5 shrink-0" aria-hidden="true" />
      {t("message.fell_back", { to, reason })}
    </p>
  );
}

function Thought({ text, open }: { text: string; open: boolean }) {
  const t = useT("chat");
  return (
    <details className="group/thought mb-3">
      <summary className="inline-flex min-h-8 list-none items-center gap-1.5 rounded-control pr-2 text-meta text-muted-foreground transition-colors duration-120 hover:text-foreground [&::-webkit-details-marker]:hidden">
        <ChevronRight className="size-4 transition-transform duration-120 group-open/thought:rotate-90" aria-hidden="true" />
        <span className={open ? "animate-breathe" : ""}>{t(open ? "message.thinking" : "message.thought")}</span>
      </summary>
      <div className="mt-1 ml-2 border-l-2 py-0.5 pl-4 text-ui leading-[1.7] whitespace-pre-wrap text-muted-foreground">{text.trim()}</div>
    </details>
  );
}

/** How it ended, when that was not simply the end. */
function Ending({ thread, message, model, last }: { thread: Thread; message: Message; model: string | null; last: boolean }) {
  const t = useT("chat");
  const { finish, failure } = message;
  if (finish === "failed" || finish === "interrupted" || failure) {
    const reason = failure ? failureSentence(failure) : t(finish === "interrupted" ? "message.interrupted" : "said.failed");
    return (
      <div className="mt-3">
        <Notice
          tone="bad"
          icon={<TriangleAlert />}
          role="alert"
          action={
            last ? (
              <Button size="small" icon={<RefreshCw />} className="bg-transparent" onClick={() => void regenerate(thread, message, message.model ?? model)}>
                {t("message.regenerate")}
              </Button>
            ) : undefined
          }
        >
          {reason}
        </Notice>
      </div>
    );
  }
  if (finish === "length") {
    return (
      <Quiet
        text={t("message.length")}
        action={
          last ? (
            <Button size="small" onClick={() => void proceed(thread, message, t("message.continue_text"), model)}>
              {t("message.continue")}
            </Button>
          ) : null
        }
      />
    );
  }
  if (finish === "waiting" || finish === "stopped" || finish === "cancelled" || finish === "content_filter") return <Quiet text={t(`message.${finish}`)} />;
  if (message.text === "" && finish !== null) return <Quiet text={t("message.empty")} />;
  return null;
}

function Quiet({ text, action }: { text: string; action?: React.ReactNode }) {
  return (
    <div className="mt-3 flex flex-wrap items-center gap-3 text-meta text-muted-foreground">
      {text}
      {action}
    </div>
  );
}

function Actions({ thread, message, last, current }: { thread: Thread; message: Message; last: boolean; current: string | null }) {
  const t = useT("chat");
  const { data } = useModels();
  const models = forChat(data?.models).filter((one) => one.state.state !== "failed");
  const again = (id: string) => void regenerate(thread, message, id);
  return (
    <div className="mt-2 -ml-1.5 flex items-center gap-1 coarse:-ml-3.5">
      <Branches thread={thread} message={message} />
      <div className={actionsClass(last)}>
        {message.text === "" ? null : <CopyButton text={message.text} label={t("message.copy")} />}
        {models.length > 1 ? (
          <Menu
            entries={modelEntries(models, message.model ?? current, again)}
            trigger={
              <IconButton label={t("message.regenerate")} size="small">
                <RefreshCw />
              </IconButton>
            }
          />
        ) : (
          <IconButton label={t("message.regenerate")} size="small" onClick={() => void regenerate(thread, message, current)}>
            <RefreshCw />
          </IconButton>
        )}
        {message.finish === null ? null : <Rate message={message} onRated={() => void thread.load()} />}
        <IconButton label={t("message.details")} size="small" onClick={() => ui.togglePanel({ kind: "details", message: message.id })}>
          <Info />
        </IconButton>
        <IconButton label={t("message.delete")} size="small" onClick={() => void removeMessage(thread, message.id)}>
          <Trash2 />
        </IconButton>
      </div>
    </div>
  );
}

async function regenerate(thread: Thread, message: Message, model: string | null) {
  if (message.parent === null) return;
  await attempt(thread.ask({ regenerate: message.parent, ask_id: newId(), ...(model ? { model } : {}) }));
}

async function proceed(thread: Thread, message: Message, text: string, model: string | null) {
  await attempt(thread.ask({ parent: message.id, text, ask_id: newId(), ...(model ? { model } : {}) }));
}

async function attempt(asking: Promise<void>) {
  try {
    await asking;
  } catch (error) {
    toast(sentence(error), { tone: "bad" });
  }
}
