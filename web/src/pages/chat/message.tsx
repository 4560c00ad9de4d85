//! One message: a bubble for the person, a full-width document for the model, and the branches that stand in its place.
import { ChevronLeft, ChevronRight } from "lucide-react";
import { memo } from "react";
import type { Message, Model } from "@/api/types";
import { useModelName } from "@/chat/models";
import { type Thread, useThread } from "@/chat/thread";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { AnswerView } from "@/pages/chat/answer-view";
import { QuestionView } from "@/pages/chat/question-view";
import { IconButton } from "@/ui/button";

export type MessageProps = { thread: Thread; id: string; /** The newest on this line: its actions are always shown. */ last: boolean; /** Pointed at by a search hit. */ wanted: boolean; model: Model | null; onFill: (text: string) => void };

export const MessageView = memo(function MessageView(props: MessageProps) {
  const t = useT("chat");
  const message = useThread(props.thread).messages.get(props.id);
  const model = useModelName(message?.model ?? null);
  if (!message) return null;
  return (
    <article aria-label={message.author === "user" ? t("message.you") : (model ?? t("details.model"))} className={cx("group/message", message.author === "assistant" ? "pt-2" : "pt-6", props.wanted && message.author === "assistant" && "rounded-card animate-found")}>
      {message.author === "assistant" ? <AnswerView {...props} message={message} /> : <QuestionView {...props} message={message} />}
    </article>
  );
});

/** `‹ 2/3 ›` */
export function Branches({ thread, message }: { thread: Thread; message: Message }) {
  const t = useT("chat");
  useThread(thread);
  const siblings = thread.siblings(message.id);
  const at = siblings.findIndex((one) => one.id === message.id);
  if (siblings.length < 2) return null;
  const show = (to: number) => {
    const sibling = siblings[to];
    if (sibling) thread.show(sibling.id);
  };
  return (
    <span role="group" aria-label={t("message.version", { at: at + 1, of: siblings.length })} className="flex items-center text-meta text-muted-foreground">
      <IconButton label={t("message.previous")} size="small" disabled={at === 0} onClick={() => show(at - 1)}>
        <ChevronLeft />
      </IconButton>
      <span className="tabular" aria-hidden="true">
        {at + 1}/{siblings.length}
      </span>
      <IconButton label={t("message.next")} size="small" disabled={at === siblings.length - 1} onClick={() => show(at + 1)}>
        <ChevronRight />
      </IconButton>
    </span>
  );
}

/** Actions show on hover, on focus, on touch screens, and always where `always`. */
export function actionsClass(always: boolean): string {
  return cx(
    "flex min-h-7 items-center gap-0.5 transition-opacity duration-120",
    always ? "" : "opacity-0 group-hover/message:opacity-100 group-focus-within/message:opacity-100 coarse:opacity-100",
  );
}
