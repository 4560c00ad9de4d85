//! One assistant: its draft as a form, published as a version when it is right; its versions, with whom it is shared, and a try-out.
import { useMutation } from "@tanstack/react-query";
import { Link, useBlocker, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft, Download, MessageSquare, Rocket, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { AssistantDetail, Unit } from "@/api/assistants";
import { Problem } from "@/api/client";
import { useT } from "@/lib/i18n";
import { Avatar } from "@/pages/assistants/avatar";
import { assistantSentence, bad, exportFile, publish, remove, saveDraft, useDetail } from "@/pages/assistants/data";
import { Form } from "@/pages/assistants/form";
import { Frame } from "@/pages/assistants/frame";
import { Sharing } from "@/pages/assistants/sharing";
import { TryOut } from "@/pages/assistants/try-out";
import { Versions } from "@/pages/assistants/versions";
import { Button, buttonLook } from "@/ui/button";
import { ConfirmDialog, Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Field, Input } from "@/ui/input";
import { Badge, EmptyState, Notice, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

export function EditorPage() {
  const t = useT("assistants");
  const { assistant: id } = useParams({ from: "/app/assistants/$assistant" });
  const { data, isPending, error, refetch } = useDetail(id);
  const gone = error instanceof Problem && (error.status === 404 || error.status === 403);
  return (
    <Frame>
      <Link to="/assistants" className="touch-target mb-3 inline-flex items-center gap-1.5 text-meta text-muted-foreground hover:text-foreground">
        <ArrowLeft className="size-4" aria-hidden="true" />
        {t("back")}
      </Link>
      {gone ? <EmptyState title={t("start.gone")}>{t("start.gone_text")}</EmptyState> : null}
      {error && !gone ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-64 rounded-card" /> : null}
      {data ? <Editor key={id} detail={data} /> : null}
    </Frame>
  );
}

function Editor({ detail }: { detail: AssistantDetail }) {
  const t = useT("assistants");
  const { assistant, revision } = detail;
  // What is written here, and on which draft it was begun: another draft from the portal (a version brought back) takes its place.
  const [written, setWritten] = useState({ unit: detail.draft, on: detail.draft });
  if (written.on !== detail.draft && JSON.stringify(written.on) !== JSON.stringify(detail.draft)) setWritten({ unit: detail.draft, on: detail.draft });
  const { unit } = written;
  const change = (part: Partial<Unit>) => setWritten((now) => ({ ...now, unit: { ...now.unit, ...part } }));
  const dirty = JSON.stringify(unit) !== JSON.stringify(detail.draft);
  const [publishing, setPublishing] = useState(false);
  const leaving = useBlocker({ shouldBlockFn: () => dirty, enableBeforeUnload: () => dirty, withResolver: true });

  const save = useMutation({
    mutationFn: () => saveDraft(assistant.id, revision, unit),
    onSuccess: ({ draft }) => {
      setWritten({ unit: draft, on: draft });
      toast(t("saved"));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };

  return (
    <>
      <header className="mb-6 flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <div className="flex min-w-0 items-center gap-3">
          <Avatar avatar={unit.avatar} />
          <div className="min-w-0">
            <h1 className="truncate text-[20px] leading-snug font-semibold">{unit.name || t("unnamed")}</h1>
            <p className="flex flex-wrap gap-1.5">
              {assistant.published === null ? <Badge tone="warn">{t("draft")}</Badge> : <Badge tone="good">{t("answers", { version: assistant.published })}</Badge>}
              {assistant.changed ? <Badge tone="warn">{t("changed")}</Badge> : null}
            </p>
          </div>
        </div>
        <div className="flex flex-wrap gap-2">
          {assistant.published === null ? null : (
            <Link to="/a/$assistant" params={{ assistant: assistant.id }} className={buttonLook("secondary", "medium")}>
              <MessageSquare aria-hidden="true" />
              {t("chat")}
            </Link>
          )}
          <Button icon={<Download />} onClick={() => exportFile(assistant.id)}>
            {t("export")}
          </Button>
          <Button variant="primary" icon={<Rocket />} disabled={dirty || (!assistant.changed && assistant.published !== null)} onClick={() => setPublishing(true)}>
            {t("publish")}
          </Button>
        </div>
      </header>

      <form onSubmit={submit} className="mb-10">
        {/* What would be written while it is saved would be lost. */}
        <fieldset disabled={save.isPending} className="contents">
          <Form unit={unit} unfilled={dirty ? [] : detail.unfilled} onChange={change} />
        </fieldset>
        {save.error ? (
          <div className="mt-4">
            <Notice tone="bad" role="alert">
              {assistantSentence(save.error)}
            </Notice>
          </div>
        ) : null}
        <div className="sticky bottom-0 z-10 -mx-1 mt-4 flex flex-wrap items-center justify-end gap-3 border-t bg-background px-1 py-3">
          <span role="status" className="text-meta text-muted-foreground">
            {dirty ? t("unsaved") : t("all_saved")}
          </span>
          <Button onClick={() => setWritten({ unit: detail.draft, on: detail.draft })} disabled={!dirty}>
            {t("discard")}
          </Button>
          <Button type="submit" busy={save.isPending} disabled={!dirty}>
            {t("save")}
          </Button>
        </div>
      </form>

      <TryOut assistant={assistant} dirty={dirty} />
      <Versions detail={detail} />
      <Sharing assistant={assistant} />
      <Delete detail={detail} />
      {publishing ? <PublishDialog detail={detail} onClose={() => setPublishing(false)} /> : null}
      <ConfirmDialog
        open={leaving.status === "blocked"}
        onClose={() => leaving.reset?.()}
        onConfirm={() => leaving.proceed?.()}
        title={t("leave")}
        description={t("leave_text")}
        confirm={t("leave_confirm")}
        danger
      />
    </>
  );
}

function PublishDialog({ detail, onClose }: { detail: AssistantDetail; onClose: () => void }) {
  const t = useT("assistants");
  const [note, setNote] = useState("");
  const send = useMutation({
    mutationFn: () => publish(detail.assistant.id, detail.revision, note),
    onSuccess: ({ assistant }) => {
      onClose();
      toast(t("published", { version: assistant.published ?? 1 }));
    },
    onError: bad,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={t("publish_title", { version: (detail.versions[0]?.version ?? 0) + 1 })} description={t("publish_text")} width="small">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("note")} hint={t("note_hint")}>
          <Input value={note} maxLength={500} onChange={(event) => setNote(event.target.value)} autoComplete="off" />
        </Field>
        <div className="flex justify-end">
          <Button type="submit" variant="primary" busy={send.isPending}>
            {t("publish")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Delete({ detail }: { detail: AssistantDetail }) {
  const t = useT("assistants");
  const navigate = useNavigate();
  const act = async () => {
    await navigate({ to: "/assistants", ignoreBlocker: true });
    await remove(detail.assistant);
  };
  return (
    <Button className="text-bad" icon={<Trash2 />} onClick={() => void act()}>
      {t("delete")}
    </Button>
  );
}
