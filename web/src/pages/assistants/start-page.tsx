//! The beginning of a conversation with an assistant: who it is, what it is for, its opening questions.
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Pencil } from "lucide-react";
import { useRef } from "react";
import type { Assistant } from "@/api/assistants";
import { RailButton } from "@/app/shell";
import { useAssistants, utcOffset } from "@/chat/assistants";
import { forChat, useCurrentModel, useModels } from "@/chat/models";
import { askParameters, useNewParameters } from "@/chat/parameters";
import { useT } from "@/lib/i18n";
import { Avatar } from "@/pages/assistants/avatar";
import { Composer, type ComposerHandle } from "@/pages/chat/composer";
import { ModelHint } from "@/pages/chat/model-hint";
import { ModelPicker } from "@/pages/chat/model-picker";
import { RightPanel } from "@/pages/chat/right-panel";
import { buttonLook } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { EmptyState, Skeleton } from "@/ui/page";

export function StartPage() {
  const t = useT("assistants");
  const { assistant: id } = useParams({ from: "/app/a/$assistant" });
  const { data, isPending, error, refetch } = useAssistants();
  const found = data?.find((one) => one.id === id);
  if (found?.published != null) return <Start key={id} assistant={found} />;
  return (
    <div className="flex h-full flex-col">
      <header className="flex h-14 shrink-0 items-center px-2 sm:px-3">
        <RailButton />
      </header>
      <div className="mx-auto w-full max-w-[768px] px-4">
        {error ? <Failed error={error} again={refetch} /> : null}
        {isPending ? <Skeleton className="h-40 rounded-card" /> : null}
        {data ? (
          <EmptyState title={found ? t("start.unpublished") : t("start.gone")} action={<Link to="/assistants" className={buttonLook("secondary", "medium")}>{t("start.others")}</Link>}>
            {found ? t("start.unpublished_text") : t("start.gone_text")}
          </EmptyState>
        ) : null}
      </div>
    </div>
  );
}

function Start({ assistant }: { assistant: Assistant }) {
  const t = useT("assistants");
  const navigate = useNavigate();
  const { data } = useModels();
  const model = useCurrentModel(assistant.model);
  const composer = useRef<ComposerHandle>(null);
  const none = data !== undefined && forChat(data.models).length === 0;

  const send = async (text: string, askId: string, files: string[]) => {
    const { askNew } = await import("@/chat/thread");
    // Its own model and sampling hold, unless something was set for this conversation.
    const own = useNewParameters.getState().changed === null ? {} : askParameters();
    const chosen = model && !assistant.model ? { model: model.id } : {};
    const id = await askNew({ text, files, ask_id: askId, assistant: assistant.id, ...utcOffset(assistant.id), ...chosen, ...own });
    useNewParameters.setState({ changed: null });
    await navigate({ to: "/c/$conversation", params: { conversation: id } });
  };

  return (
    <div className="flex h-full">
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="flex h-14 shrink-0 items-center gap-1 px-2 sm:px-3">
          <RailButton />
          {assistant.model ? <span className="truncate px-2.5 text-[15px] text-muted-foreground">{model?.name ?? assistant.model}</span> : <ModelPicker current={model} />}
          <span className="flex-1" />
          {assistant.may_edit ? (
            <Link to="/assistants/$assistant" params={{ assistant: assistant.id }} className={buttonLook("ghost", "small")}>
              <Pencil aria-hidden="true" />
              {t("edit")}
            </Link>
          ) : null}
        </header>
        <div className="scroll-thin min-h-0 flex-1 overflow-y-auto px-4">
          <div className="mx-auto flex min-h-full w-full max-w-[768px] flex-col justify-center pb-[max(12px,env(safe-area-inset-bottom))] sm:pb-[8vh]">
            <div className="mb-6 flex flex-col items-center gap-3 text-center max-sm:my-auto max-sm:py-8">
              <Avatar avatar={assistant.avatar} size="large" />
              <h1 className="text-[24px] leading-tight font-semibold tracking-[-0.01em]">{assistant.name}</h1>
              {assistant.summary ? <p className="max-w-[52ch] text-ui text-muted-foreground">{assistant.summary}</p> : null}
            </div>
            <ModelHint model={model} />
            <ul aria-label={t("questions")} className="mb-4 grid gap-2 sm:order-2 sm:mt-4 sm:mb-0 sm:grid-cols-2">
              {assistant.questions.map((question) => (
                <li key={question}>
                  <button
                    type="button"
                    onClick={() => composer.current?.fill(question)}
                    className="touch-target h-full w-full rounded-card border px-4 py-2.5 text-left text-ui text-muted-foreground transition-colors duration-120 hover:bg-hover hover:text-foreground"
                  >
                    {question}
                  </button>
                </li>
              ))}
            </ul>
            <Composer ref={composer} draft={`a.${assistant.id}`} placeholder={t("start.placeholder", { name: assistant.name })} running={false} blocked={none} onSend={send} />
          </div>
        </div>
      </div>
      <RightPanel thread={null} />
    </div>
  );
}
