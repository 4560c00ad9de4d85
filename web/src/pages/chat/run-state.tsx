//! What an answer is waiting for, in words: the model's reply, its place in the queue, a model that warms up, the network.
import { CloudOff, HardDrive } from "lucide-react";
import type { Running } from "@/chat/answer";
import { stateWords } from "@/chat/models";
import { useLanguage, useT } from "@/lib/i18n";
import { formatPlace, formatSeconds } from "@/lib/time";
import { Spinner } from "@/ui/spinner";

export function RunState({ running, model }: { running: Running; model: string | null }) {
  const t = useT("chat");
  return (
    <div role="status" className="flex flex-col gap-2">
      <Waiting running={running} model={model} />
      {running.reconnecting ? (
        <p className="mt-2 flex items-center gap-2 text-meta text-warn">
          <CloudOff className="size-4 shrink-0" aria-hidden="true" />
          {t("run.reconnecting")}
        </p>
      ) : null}
      {running.unsaved ? (
        <p className="mt-2 flex items-center gap-2 text-meta text-warn">
          <HardDrive className="size-4 shrink-0" aria-hidden="true" />
          {t("message.unsaved")}
        </p>
      ) : null}
    </div>
  );
}

function Waiting({ running, model }: { running: Running; model: string | null }) {
  const t = useT("chat");
  const language = useLanguage();
  const eta = running.etaMs !== null && running.etaMs > 0 ? formatSeconds(running.etaMs, language) : null;
  if (running.stopping) return <Line words={t("run.stopping")} />;
  if (running.phase === "queued") {
    const place = formatPlace(running.position ?? 1, language);
    return <Line words={eta ? t("run.queued_eta", { place, eta }) : t("run.queued", { place })} hint={t("run.queued_hint")} />;
  }
  if (running.phase === "warming") return <Warming running={running} model={model} eta={eta} />;
  if (running.phase === "waiting" || running.text === "") {
    return (
      <div className="flex h-8 items-center" aria-label={t("run.waiting", { model: model ?? "" })} role="img">
        <span className="size-2.5 animate-breathe rounded-full bg-foreground" />
      </div>
    );
  }
  return null;
}

function Line({ words, hint }: { words: string; hint?: string }) {
  return (
    <div>
      <p className="tabular flex min-h-8 items-center gap-2.5 text-ui">
        <Spinner />
        {words}
      </p>
      {hint ? <p className="text-meta text-muted-foreground">{hint}</p> : null}
    </div>
  );
}

function Warming({ running, model, eta }: { running: Running; model: string | null; eta: string | null }) {
  const t = useT("chat");
  const state = running.model;
  const percent = state?.state === "loading" ? state.percent : null;
  return (
    <div className="rounded-card border bg-surface px-4 py-3.5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <p className="font-medium">{t("run.warming", { model: model ?? "" })}</p>
        <p className="tabular text-meta text-muted-foreground">
          {state ? stateWords(state) : null}
          {eta ? ` · ${t("run.eta", { eta })}` : null}
        </p>
      </div>
      <div
        role="progressbar"
        aria-label={t("run.warming", { model: model ?? "" })}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent ?? undefined}
        className="mt-2.5 h-1 overflow-hidden rounded-full bg-selected"
      >
        <div className={percent === null ? "h-full w-1/3 animate-sweep rounded-full bg-brand" : "h-full rounded-full bg-brand transition-[width] duration-240"} style={percent === null ? undefined : { width: `${percent}%` }} />
      </div>
      <p className="mt-2.5 text-meta text-muted-foreground">{t("run.warming_hint")}</p>
    </div>
  );
}
