//! One conversation: header, the log, the composer; the panel at the right when it is open.
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Conversation } from "@/api/types";
import { useConversationEntries } from "@/app/row-menu";
import { RailButton } from "@/app/shell";
import { ui } from "@/app/ui";
import { useAssistant, utcOffset } from "@/chat/assistants";
import { edit } from "@/chat/editing";
import { useCurrentModel } from "@/chat/models";
import { type Thread, threadOf, useRunning, useRunningTurn, useThread } from "@/chat/thread";
import { copyText } from "@/lib/clipboard";
import { useT } from "@/lib/i18n";
import { matches } from "@/lib/keyboard";
import { sentence } from "@/lib/problem";
import { AssistantTag } from "@/pages/assistants/mark";
import { Composer, type ComposerHandle } from "@/pages/chat/composer";
import { Log } from "@/pages/chat/log";
import { ModelHint } from "@/pages/chat/model-hint";
import { ModelPicker } from "@/pages/chat/model-picker";
import { RenameDialog } from "@/pages/chat/rename-dialog";
import { RightPanel } from "@/pages/chat/right-panel";
import { Button, IconButton } from "@/ui/button";
import { Menu } from "@/ui/menu";
import { EmptyState, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

export function ConversationPage() {
  const { conversation: id } = useParams({ from: "/app/c/$conversation" });
  // Keyed: another conversation is another page, with its own draft, scroll position and state.
  return <Open key={id} id={id} />;
}

function Open({ id }: { id: string }) {
  const t = useT("chat");
  const thread = useMemo(() => threadOf(id), [id]);
  const state = useThread(thread);
  const navigate = useNavigate();
  const { m: wanted } = useSearch({ from: "/app/c/$conversation" });
  const composer = useRef<ComposerHandle>(null);
  const assistant = useAssistant(state.conversation?.assistant ?? null);
  const own = state.conversation?.model ?? null;
  const model = useCurrentModel(own ?? assistant?.model);
  const turn = useRunningTurn(thread);

  useEffect(() => {
    if (wanted && state.status === "ready") thread.reveal(wanted);
  }, [wanted, thread, state.status]);
  useTitle(state.conversation?.title);
  useKeys(thread, composer);

  if (state.status === "failed" && state.problem) {
    const gone = state.problem.status === 404;
    return (
      <div className="flex h-full flex-col">
        <header className="flex h-14 shrink-0 items-center px-2 sm:px-3">
          <RailButton />
        </header>
        <EmptyState title={gone ? t("gone.title") : sentence(state.problem)} action={gone ? <Button onClick={() => void navigate({ to: "/" })}>{t("gone.new")}</Button> : <Button onClick={() => void thread.load()}>{t("gone.retry")}</Button>}>
          {gone ? t("gone.text") : null}
        </EmptyState>
      </div>
    );
  }

  // The assistant's model is its own affair: it may be another one by now.
  const asked = model && (own !== null || !assistant?.model) ? { model: model.id } : {};
  const send = (text: string, askId: string, files: string[]) => thread.ask({ text, files, parent: state.path.at(-1) ?? null, ask_id: askId, ...asked, ...utcOffset(state.conversation?.assistant) });

  return (
    <div className="flex h-full">
      <div className="flex min-w-0 flex-1 flex-col">
        <h1 className="sr-only">{state.conversation?.title || t("conversation.untitled")}</h1>
        <header className="flex h-14 shrink-0 items-center gap-1 px-2 sm:px-3">
          <RailButton />
          {assistant ? <AssistantTag assistant={assistant} /> : null}
          <ModelPicker current={model} onPick={(picked) => void thread.change({ model: picked })} />
          <span className="flex-1" />
          {state.conversation ? <ConversationMenu conversation={state.conversation} thread={thread} /> : null}
        </header>
        {state.status === "loading" ? <LoadingLog /> : <Log thread={thread} wanted={wanted ?? null} model={model} onFill={(text) => composer.current?.fill(text)} />}
        <div className="shrink-0 px-3 pb-[max(10px,env(safe-area-inset-bottom))] sm:px-4">
          <div className="mx-auto w-full max-w-[768px]">
            {state.path.length === 0 && state.status === "ready" ? <ModelHint model={model} /> : null}
            <StoppableComposer ref={composer} thread={thread} turn={turn} lastId={state.path.at(-1) ?? null} draft={id} onSend={send} />
            <p className="pt-2 text-center text-[12px] text-muted-foreground">{t("composer.note")}</p>
          </div>
        </div>
      </div>
      <RightPanel thread={thread} />
    </div>
  );
}

type StoppableProps = { ref: React.Ref<ComposerHandle>; thread: Thread; turn: string | null; lastId: string | null; draft: string; onSend: (text: string, askId: string, files: string[]) => Promise<void> };

function StoppableComposer({ ref, thread, turn, lastId, draft, onSend }: StoppableProps) {
  const t = useT("chat");
  const running = useRunning(thread, lastId ?? "");
  return (
    <Composer
      ref={ref}
      draft={draft}
      placeholder={t("composer.placeholder_reply")}
      running={turn !== null}
      stopping={running?.stopping ?? false}
      onSend={onSend}
      onStop={() => void stop(thread)}
    />
  );
}

async function stop(thread: Thread) {
  try {
    await thread.stop();
  } catch (error) {
    toast(sentence(error), { tone: "bad" });
  }
}

function ConversationMenu({ conversation, thread }: { conversation: Conversation; thread: Thread }) {
  const t = useT("chat");
  const [renaming, setRenaming] = useState(false);
  const entries = useConversationEntries(conversation, () => setRenaming(true));
  return (
    <>
      <Menu
        align="end"
        entries={entries}
        trigger={
          <IconButton label={t("conversation.menu", { title: conversation.title || t("conversation.untitled") })}>
            <Ellipsis />
          </IconButton>
        }
      />
      {renaming ? <RenameDialog title={conversation.title} onClose={() => setRenaming(false)} onRename={(title) => void thread.change({ title })} /> : null}
    </>
  );
}

function LoadingLog() {
  return (
    <div className="min-h-0 flex-1 px-4">
      <div className="mx-auto flex max-w-[736px] flex-col gap-4 pt-8">
        <Skeleton className="h-11 w-2/5 self-end" />
        <Skeleton className="mt-4 h-4 w-11/12" />
        <Skeleton className="h-4 w-4/5" />
        <Skeleton className="h-4 w-3/5" />
      </div>
    </div>
  );
}

function useTitle(title: string | undefined) {
  useEffect(() => {
    const before = document.title;
    if (title) document.title = title;
    return () => void (document.title = before);
  }, [title]);
}

function useKeys(thread: Thread, composer: React.RefObject<ComposerHandle | null>) {
  const t = useT("common");
  const copied = t("copied");
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      // An open dialog or menu owns its Esc.
      const layered = document.querySelector("[role=dialog],[role=menu]") !== null;
      if (matches(event, "esc") && !layered && thread.runningTurn() !== null) {
        event.preventDefault();
        void stop(thread);
      }
      if (matches(event, "shift+esc") && !layered) composer.current?.focus();
      if (matches(event, "mod+shift+c")) {
        event.preventDefault();
        const last = thread.get().path.findLast((id) => thread.message(id)?.author === "assistant");
        const text = last ? (thread.running(last)?.text ?? thread.message(last)?.text) : undefined;
        if (text) void copyText(text).then((done) => done && toast(copied));
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [thread, composer, copied]);
  useEffect(() => {
    ui.closeDrawer();
    return () => edit(null);
  }, []);
}
