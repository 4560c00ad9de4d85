//! What the person asked, as a bubble; editing it asks anew beside it.
import { Pencil, Trash2 } from "lucide-react";
import { type KeyboardEvent, Suspense, lazy, useLayoutEffect, useRef, useState } from "react";
import type { Message } from "@/api/types";
import { composing } from "@/chat/compose";
import { edit, useEditing } from "@/chat/editing";
import type { Thread } from "@/chat/thread";
import { cx } from "@/lib/cx";
import { newId } from "@/lib/id";
import { translate, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Branches, type MessageProps, actionsClass } from "@/pages/chat/message";
import { Button, IconButton } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { toast } from "@/ui/toast";

const QuestionFiles = lazy(() => import("@/pages/chat/question-files"));

export function QuestionView({ thread, message, model, wanted }: MessageProps & { message: Message }) {
  const t = useT("chat");
  const editing = useEditing((state) => state.message === message.id);
  if (editing) return <EditQuestion thread={thread} message={message} model={model?.id ?? null} done={() => edit(null)} />;
  return (
    <div className="flex flex-col items-end">
      {message.files.length > 0 ? (
        <Suspense>
          <QuestionFiles files={message.files} label={t("message.files")} />
        </Suspense>
      ) : null}
      <div className={cx(message.text === "" && "hidden", "max-w-[min(85%,600px)] rounded-[18px] rounded-br-[6px] bg-bubble px-4 py-2.5 text-body break-words whitespace-pre-wrap coarse:text-[16px]", wanted && "animate-found")}>{message.text}</div>
      <div className="mt-1 flex items-center gap-1">
        <div className={actionsClass(false)}>
          <CopyButton text={message.text} label={t("message.copy")} />
          <IconButton label={t("message.edit")} size="small" onClick={() => edit(message.id)}>
            <Pencil />
          </IconButton>
          <IconButton label={t("message.delete")} size="small" onClick={() => void removeMessage(thread, message.id)}>
            <Trash2 />
          </IconButton>
        </div>
        <Branches thread={thread} message={message} />
      </div>
    </div>
  );
}

/** Deletes a message and what follows it, with a way back. */
export async function removeMessage(thread: Thread, id: string) {
  try {
    const undo = await thread.remove(id);
    const back = () => void undo().catch((error: unknown) => toast(sentence(error), { tone: "bad" }));
    toast(translate("chat", "message.deleted"), { action: { label: translate("common", "undo"), act: back } });
  } catch (error) {
    toast(sentence(error), { tone: "bad" });
  }
}

/** A frame later the list has measured it, too. */
function intoView(element: HTMLElement | null) {
  requestAnimationFrame(() => element?.scrollIntoView({ block: "nearest" }));
}

function EditQuestion({ thread, message, model, done }: { thread: Thread; message: Message; model: string | null; done: () => void }) {
  const t = useT("chat");
  const c = useT("common");
  const [text, setText] = useState(message.text);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const id = useRef(newId());
  useLayoutEffect(() => {
    if (!box.current) return;
    box.current.style.height = "auto";
    box.current.style.height = `${box.current.scrollHeight}px`;
  }, [text]);

  const send = async () => {
    if (text.trim() === "" || busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await thread.ask({ parent: message.parent, text: text.trim(), files: message.files.map(({ id }) => id), ask_id: id.current, ...(model ? { model } : {}) });
      done();
    } catch (error) {
      setProblem(sentence(error));
      setBusy(false);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (composing(event.nativeEvent)) return;
    if (event.key === "Escape") {
      event.preventDefault();
      done();
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void send();
    }
  };
  return (
    <div ref={intoView} className="scroll-my-4 rounded-[18px] bg-bubble p-3">
      <textarea
        ref={box}
        autoFocus
        aria-label={t("message.edit")}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          id.current = newId();
        }}
        onFocus={(event) => event.target.setSelectionRange(event.target.value.length, event.target.value.length)}
        onKeyDown={onKeyDown}
        className="scroll-thin block max-h-[50dvh] w-full resize-none bg-transparent px-1.5 py-1 text-body outline-none coarse:text-[16px]"
      />
      {problem ? (
        <p role="alert" className="px-1.5 py-1 text-meta text-bad">
          {problem}
        </p>
      ) : null}
      <div className="mt-2 flex justify-end gap-2">
        <Button size="small" onClick={done}>
          {c("cancel")}
        </Button>
        <Button size="small" variant="primary" busy={busy} disabled={text.trim() === ""} onClick={() => void send()}>
          {t("message.send")}
        </Button>
      </div>
    </div>
  );
}
