//! The start: a greeting, the composer, a few beginnings; and what to do when there is no model yet.
import { useNavigate } from "@tanstack/react-router";
import { Suspense, lazy, useRef } from "react";
import { RailButton } from "@/app/shell";
import { useMe } from "@/app/session";
import { forChat, useCurrentModel, useModels } from "@/chat/models";
import { askParameters, useNewParameters } from "@/chat/parameters";
import { type Key, useT } from "@/lib/i18n";
import { Composer, type ComposerHandle } from "@/pages/chat/composer";
import { ModelPicker } from "@/pages/chat/model-picker";
import { RightPanel } from "@/pages/chat/right-panel";

/** Comes where one is owed. */
const ModelHint = lazy(async () => ({ default: (await import("@/pages/chat/model-hint")).ModelHint }));
const NoModel = lazy(() => import("@/pages/chat/no-model"));
const Starter = lazy(async () => (await import("@/pages/chat/starter")).load());

const PROMPTS = ["1", "2", "3", "4"] as const;

export function HomePage() {
  const t = useT("chat");
  const me = useMe();
  const navigate = useNavigate();
  const { data } = useModels();
  const model = useCurrentModel(null);
  const composer = useRef<ComposerHandle>(null);
  const starter = model?.starter === true;
  const none = data !== undefined && forChat(data.models).length === 0;

  const send = async (text: string, askId: string, files: string[]) => {
    const { askNew } = await import("@/chat/thread");
    const id = await askNew({ text, files, ask_id: askId, ...(model ? { model: model.id } : {}), ...askParameters() });
    useNewParameters.setState({ changed: null });
    await navigate({ to: "/c/$conversation", params: { conversation: id } });
  };

  return (
    <div className="flex h-full">
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="flex h-14 shrink-0 items-center gap-1 px-2 sm:px-3">
          <RailButton />
          <ModelPicker current={model} />
        </header>
        <div className="scroll-thin min-h-0 flex-1 overflow-y-auto px-4">
          <div className="mx-auto flex min-h-full w-full max-w-[768px] flex-col justify-center pb-[max(12px,env(safe-area-inset-bottom))] sm:pb-[10vh]">
            <h1 className="mb-7 text-center max-sm:my-auto max-sm:py-10 text-[26px] leading-tight font-semibold tracking-[-0.01em]">{t(greeting(new Date().getHours()), { name: me.display_name || me.name })}</h1>
            {none ? (
              <Suspense>
                <NoModel />
              </Suspense>
            ) : null}
            {model?.state.state === "failed" || model?.chat_template === false ? (
              <Suspense>
                <ModelHint model={model} />
              </Suspense>
            ) : null}
            {starter ? (
              <Suspense>
                <Starter onPick={(text) => composer.current?.fill(text)} />
              </Suspense>
            ) : null}
            <div className="max-sm:order-2">
              <Composer ref={composer} draft="new" placeholder={t("composer.placeholder")} running={false} blocked={none} onSend={send} />
            </div>
            <div className="mt-4 flex flex-wrap justify-center gap-2 max-sm:order-1 max-sm:mt-0 max-sm:mb-4">
              {(starter ? [] : PROMPTS).map((at) => (
                <button
                  key={at}
                  type="button"
                  onClick={() => composer.current?.fill(t(`prompt.${at}.text`))}
                  className="touch-target h-9 rounded-full border px-4 text-ui text-muted-foreground transition-colors duration-120 hover:bg-hover hover:text-foreground"
                >
                  {t(`prompt.${at}.title`)}
                </button>
              ))}
            </div>
          </div>
        </div>
      </div>
      <RightPanel thread={null} />
    </div>
  );
}

function greeting(hour: number): Key<"chat"> {
  if (hour >= 5 && hour < 12) return "home.morning";
  if (hour >= 12 && hour < 18) return "home.noon";
  return "home.evening";
}
