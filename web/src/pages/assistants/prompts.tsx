//! The prompts one keeps: one's own, and those that an administrator shares with everybody. In the composer they come after a slash.
import { useMutation } from "@tanstack/react-query";
import { MessageSquareText, Pencil, Plus, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Prompt } from "@/api/assistants";
import { api } from "@/api/client";
import { useMe } from "@/app/session";
import { promptsAgain, usePrompts } from "@/chat/assistants";
import { translate, useT } from "@/lib/i18n";
import { bad } from "@/pages/assistants/data";
import { Button, IconButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Field, Input, Switch, Textarea } from "@/ui/input";
import { Badge, Card, EmptyState, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

type Written = Pick<Prompt, "name" | "text" | "shared">;

/** Takes one away; undo keeps the same words anew. */
async function remove({ id, name, text, shared }: Prompt) {
  try {
    await api.delete(`/api/prompts/${id}`);
  } catch (error) {
    bad(error);
    return;
  }
  void promptsAgain();
  const back = () => void api.post("/api/prompts", { name, text, shared } satisfies Written).then(promptsAgain, bad);
  toast(translate("assistants", "deleted", { name }), { action: { label: translate("common", "undo"), act: back } });
}

export function Prompts() {
  const t = useT("assistants");
  const { data, isPending, error, refetch } = usePrompts();
  const [open, setOpen] = useState<Prompt | "new" | null>(null);
  const make = (
    <Button icon={<Plus />} onClick={() => setOpen("new")}>
      {t("prompts.new")}
    </Button>
  );
  return (
    <>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32 rounded-card" /> : null}
      {data?.length === 0 ? (
        <EmptyState icon={<MessageSquareText />} title={t("prompts.empty")} action={make}>
          {t("prompts.empty_text")}
        </EmptyState>
      ) : null}
      {data && data.length > 0 ? (
        <>
          <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
            <p className="text-meta text-muted-foreground">{t("prompts.text")}</p>
            {make}
          </div>
          <Card>
            <ul>
              {data.map((one) => (
                <li key={one.id} className="flex items-center gap-2 border-b py-2.5 pr-2 pl-4 last:border-b-0">
                  <div className="min-w-0 flex-1">
                    <p className="flex items-center gap-2 font-medium">
                      <span className="truncate">/{one.name}</span>
                      {one.shared ? <Badge tone="brand">{t("shared.everyone")}</Badge> : null}
                    </p>
                    <p className="truncate text-meta text-muted-foreground">{one.text}</p>
                  </div>
                  {one.may_edit ? (
                    <>
                      <IconButton label={t("prompts.edit", { name: one.name })} onClick={() => setOpen(one)}>
                        <Pencil />
                      </IconButton>
                      <IconButton label={t("prompts.delete", { name: one.name })} onClick={() => void remove(one)}>
                        <Trash2 />
                      </IconButton>
                    </>
                  ) : null}
                </li>
              ))}
            </ul>
          </Card>
        </>
      ) : null}
      {open ? <PromptDialog prompt={open === "new" ? null : open} onClose={() => setOpen(null)} /> : null}
    </>
  );
}

function PromptDialog({ prompt, onClose }: { prompt: Prompt | null; onClose: () => void }) {
  const t = useT("assistants");
  const may = useMe().role !== "member";
  const [shared, setShared] = useState(prompt?.shared ?? false);
  const save = useMutation({
    mutationFn: (written: Written) => (prompt ? api.put(`/api/prompts/${prompt.id}`, written) : api.post("/api/prompts", written)),
    onSuccess: async () => {
      await promptsAgain();
      onClose();
    },
    onError: bad,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    save.mutate({ name: String(form.get("name")), text: String(form.get("text")), shared });
  };
  return (
    <Dialog open onClose={onClose} title={prompt ? t("prompts.edit", { name: prompt.name }) : t("prompts.new")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("name")} hint={t("prompts.name_hint")}>
          <Input name="name" required maxLength={60} autoComplete="off" defaultValue={prompt?.name} />
        </Field>
        <Field label={t("prompts.text_label")}>
          <Textarea name="text" required rows={8} maxLength={20_000} defaultValue={prompt?.text} />
        </Field>
        {may ? (
          <div className="flex items-center justify-between gap-4">
            <span className="text-ui">{t("prompts.share")}</span>
            <Switch label={t("prompts.share")} checked={shared} onChange={setShared} />
          </div>
        ) : null}
        <div className="flex justify-end">
          <Button type="submit" variant="primary" busy={save.isPending}>
            {t("save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
