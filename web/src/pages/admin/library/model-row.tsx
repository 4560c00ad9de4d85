//! One file that is here: its facts, whether it fits, run and stop, check, remove.
import { useMutation } from "@tanstack/react-query";
import { ShieldCheck, Trash2 } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import type { LibraryModel, Room } from "@/api/types";
import { useT } from "@/lib/i18n";
import { again, ask, librarySentence, useSize } from "@/pages/admin/library/data";
import { Button, IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Badge } from "@/ui/page";
import { toast } from "@/ui/toast";

const bad = (problem: unknown) => toast(librarySentence(problem), { tone: "bad" });

export function ModelRow({ model, runs }: { model: LibraryModel; runs: boolean }) {
  const t = useT("library");
  const size = useSize();
  const { name } = model;
  const facts = [size(model.bytes), model.quant, model.context === null ? null : t("tokens", { count: model.context }), model.kind === "chat" && model.chat_template === false ? t("no_template") : null, model.licence].filter(Boolean).join(" · ");
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-60">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <span className="font-mono text-[13px] break-all">{name}</span>
          {model.resting ? <Badge tone="neutral">{t("resting")}</Badge> : model.running ? <Badge tone="good">{t("running")}</Badge> : null}
          {model.configured ? <Badge tone="neutral">{t("from_file")}</Badge> : null}
          {model.kind === "embedding" || model.kind === "reranker" ? <Badge tone="neutral">{t(model.kind)}</Badge> : null}
          {model.place === "folder" ? null : <Badge tone="neutral">{t(model.place)}</Badge>}
          {model.room && !model.running ? <Fits room={model.room} /> : null}
        </p>
        <p className="tabular text-meta text-muted-foreground">{facts}</p>
        {model.problem ? <p className="text-meta text-bad">{model.problem}</p> : null}
      </div>
      <Acts model={model} runs={runs} />
    </li>
  );
}

/** Whether it fits, and what it needs; the figures behind it are its tooltip. */
export function Fits({ room }: { room: Room }) {
  const t = useT("library");
  const size = useSize();
  const title = t("needs_title", { weights: size(room.weights), cache: size(room.cache), context: room.context, overhead: size(room.overhead) });
  return (
    <span title={title} className="flex items-center gap-1.5">
      <Badge tone={room.fits ? "good" : "warn"}>{t(room.fits ? "fits" : "not_fits")}</Badge>
      <span className="tabular text-meta text-muted-foreground">{t("needs", { size: size(room.needed) })}</span>
    </span>
  );
}

function Acts({ model, runs }: { model: LibraryModel; runs: boolean }) {
  const t = useT("library");
  const size = useSize();
  const [removing, setRemoving] = useState(false);
  const { name } = model;
  const path = `/api/library/models/${encodeURIComponent(name)}`;
  const run = useMutation({ mutationFn: () => ask(model, model.running ? "stop" : "start"), onSuccess: () => toast(t(model.running ? "stopped" : "started", { name })), onError: bad });
  const use = useMutation({ mutationFn: () => takeOver(name), onSuccess: () => toast(t("used", { name })), onError: bad });
  const verify = useMutation({
    mutationFn: () => api.post<{ same: boolean | null }>(`${path}/verify`),
    onSuccess: ({ same }) => {
      toast(t(same === false ? "verified_not" : same ? "verified" : "verified_new", { name }), same === false ? { tone: "bad" } : {});
      void again();
    },
    onError: bad,
  });
  const remove = useMutation({
    mutationFn: () => api.delete(path),
    onSuccess: () => {
      setRemoving(false);
      void again();
    },
    onError: bad,
  });
  if (model.place === "ollama") {
    return (
      <Button size="small" busy={use.isPending} aria-label={`${t("use")}: ${name}`} onClick={() => use.mutate()}>
        {t("use")}
      </Button>
    );
  }
  return (
    <div className="flex items-center gap-1">
      {runs && !model.configured ? (
        <Button size="small" busy={run.isPending} aria-label={`${t(model.running ? "stop" : "start")}: ${name}`} onClick={() => run.mutate()}>
          {t(model.running ? "stop" : "start")}
        </Button>
      ) : null}
      <IconButton label={t("verify", { name })} disabled={verify.isPending} onClick={() => verify.mutate()}>
        <ShieldCheck className={verify.isPending ? "animate-breathe" : undefined} />
      </IconButton>
      {model.running ? null : (
        <IconButton label={t("remove", { name })} onClick={() => setRemoving(true)}>
          <Trash2 />
        </IconButton>
      )}
      <ConfirmDialog
        open={removing}
        onClose={() => setRemoving(false)}
        onConfirm={() => remove.mutate()}
        busy={remove.isPending}
        danger
        title={t("remove_title", { name })}
        description={model.place === "folder" ? t("remove_text", { size: size(model.bytes) }) : t("remove_text_place", { path: model.path })}
        confirm={t("remove_confirm")}
      />
    </div>
  );
}

/** A name that the library takes, made of Ollama's: `llama3.2:1b` becomes `llama3.2-1b`. */
async function takeOver(ollama: string) {
  await api.post("/api/library/models", { ollama, name: ollama.replace(/[^A-Za-z0-9._+-]+/g, "-") });
  await again();
}
