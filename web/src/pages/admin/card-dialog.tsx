//! A provider card, pasted or dropped: first what would be made of it and what its server said, then, on a second word, the provider.
import { useMutation } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, CircleX, FileUp, Info, Scale } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { Problem, api } from "@/api/client";
import type { CardPlan } from "@/api/types";
import { cx } from "@/lib/cx";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { adminKeys, refresh } from "@/pages/admin/data";
import { kindName } from "@/pages/admin/kind-name";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Textarea } from "@/ui/input";
import { Badge, Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

/** What the portal reads at most, in bytes. */
const LONGEST = 256 << 10;

export function CardDialog({ ways, onClose }: { ways: ReactNode; onClose: () => void }) {
  const t = useT("admin");
  const c = useT("common");
  const [text, setText] = useState("");
  const [empty, setEmpty] = useState(false);
  const ask = (confirm: boolean) => api.post<{ plan: CardPlan }>("/api/providers/import", { card: text, confirm });
  const plan = useMutation({ mutationFn: async () => (await ask(false)).plan });
  const add = useMutation({
    mutationFn: () => ask(true),
    onSuccess: async (made) => {
      await refresh(adminKeys.providers);
      toast(t("provider.added", { name: made.plan.name }));
      onClose();
    },
  });
  const check = () => {
    setEmpty(text.trim() === "");
    if (text.trim() !== "") plan.mutate();
  };
  if (plan.data) {
    const made = plan.data;
    return (
      <Dialog
        open
        onClose={onClose}
        title={t("ways.card")}
        footer={
          <>
            <Button onClick={() => plan.reset()}>{t("card.again")}</Button>
            <Button variant="primary" busy={add.isPending} onClick={() => add.mutate()}>
              {t("found.add", { name: made.name })}
            </Button>
          </>
        }
      >
        {add.error ? (
          <div className="mb-4">
            <Notice tone="bad" role="alert">
              {sentence(add.error)}
            </Notice>
          </div>
        ) : null}
        <Planned plan={made} />
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("models.add")}
      description={t("card.text")}
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" busy={plan.isPending} onClick={check}>
            {t(plan.isPending ? "card.checking" : "card.check")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-5">
        {ways}
        {plan.error ? (
          <Notice tone="bad" role="alert" icon={<CircleAlert />}>
            {cardSentence(plan.error)}
          </Notice>
        ) : null}
        <CardText text={text} onChange={setText} error={empty && text.trim() === "" ? t("card.empty") : undefined} />
      </div>
    </Dialog>
  );
}

/** A mistake in the card is told with its place; that sentence is the portal's own. */
function cardSentence(error: unknown): string {
  return error instanceof Problem && error.status === 422 ? error.message : sentence(error);
}

type TextProps = { text: string; onChange: (text: string) => void; error: string | undefined };

function CardText({ text, onChange, error }: TextProps) {
  const t = useT("admin");
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > LONGEST) return toast(t("card.too_long"), { tone: "bad" });
    onChange(await file.text());
  };
  return (
    // Dropping is a shortcut for the eye: the field and the button do the same for everyone.
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className={cx("flex flex-col gap-2 rounded-[10px]", over && "outline-2 outline-offset-4 outline-brand")}
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer.files[0]);
      }}
    >
      <Field label={t("card.label")} error={error}>
        <Textarea
          data-autofocus
          rows={11}
          spellCheck={false}
          autoComplete="off"
          className="font-mono text-[12.5px] leading-normal"
          placeholder={"const Provider = {\n  id: 'local-model',\n  name: 'Local LLM',\n  url: 'http://localhost:11434',\n  models: [{ id: 'llama3', enabled: true, streaming: true }],\n};"}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      </Field>
      <div className="flex items-center gap-3 text-meta text-muted-foreground">
        <Button size="small" icon={<FileUp />} onClick={() => input.current?.click()}>
          {t("card.file")}
        </Button>
        <span className="coarse:hidden">{t("card.drop")}</span>
        <input ref={input} type="file" aria-label={t("card.file")} accept=".ts,.tsx,.js,.mjs,.json,.txt" hidden onChange={(event) => void take(event.target.files?.[0])} />
      </div>
    </div>
  );
}

function Planned({ plan }: { plan: CardPlan }) {
  const t = useT("admin");
  const chinese = useLanguage() === "zh-CN";
  return (
    // The dialog scrolls around it and there is nothing to press inside: it takes the focus itself, so that a keyboard can scroll it.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div role="group" aria-label={t("ways.card")} tabIndex={0} className="flex flex-col gap-6 outline-none">
      <section aria-label={t("card.plan")}>
        <h3 className="mb-2 text-ui font-medium">{t("card.plan")}</h3>
        <div className="rounded-[10px] border">
          <div className="border-b px-3 py-2.5">
            <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
              <span className="font-medium">{plan.name}</span>
              <Badge>{kindName(plan.kind)}</Badge>
            </p>
            <p className="font-mono text-[12px] break-all text-muted-foreground">{plan.base_url}</p>
          </div>
          <ul aria-label={t("card.models")}>
            {plan.models === null ? <li className="px-3 py-2 text-meta text-muted-foreground">{t("card.all_models")}</li> : null}
            {plan.models?.map((model) => (
              <li key={model.name} className="flex flex-wrap items-center gap-x-2.5 gap-y-1 border-b px-3 py-2 last:border-b-0">
                <span>{model.display_name ?? model.name}</span>
                <span className="font-mono text-[12px] break-all text-muted-foreground">{`${plan.slug}/${model.name}`}</span>
                {model.enabled ? null : <Badge>{t("card.off")}</Badge>}
                {model.streaming ? null : <Badge>{t("card.whole")}</Badge>}
              </li>
            ))}
          </ul>
        </div>
      </section>
      {plan.notes.length > 0 ? (
        <section aria-label={t("card.notes")}>
          <h3 className="mb-2 text-ui font-medium">{t("card.notes")}</h3>
          <ul className="flex flex-col gap-2">
            {plan.notes.map((note) => (
              <li key={note.message} className={cx("flex gap-2.5 rounded-[10px] px-3 py-2.5 text-ui", note.code === "contradiction" || note.code === "not_installed" ? "bg-warn-soft" : "bg-muted")}>
                <NoteIcon code={note.code} />
                <span className="min-w-0">{withCode(chinese ? note.message_zh : note.message)}</span>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      {plan.asked.length > 0 ? (
        <section aria-label={t("card.asked")}>
          <h3 className="mb-2 text-ui font-medium">{t("card.asked")}</h3>
          <ul className="flex flex-col gap-2">
            {plan.asked.map((one) => (
              <li key={`${one.kind} ${one.url}`} className="flex gap-2.5 text-meta">
                {one.answered ? <CircleCheck className="mt-0.5 size-4 shrink-0 text-good" aria-hidden="true" /> : <CircleX className="mt-0.5 size-4 shrink-0 text-bad" aria-hidden="true" />}
                <span className="min-w-0">
                  <span className="font-mono text-[12px] break-all">{one.url}</span>
                  <span className="block break-words text-muted-foreground">
                    {t(one.answered ? "card.answered" : "card.silent")}: {one.told}
                  </span>
                </span>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </div>
  );
}

function NoteIcon({ code }: { code: string }) {
  const look = "mt-0.5 size-4 shrink-0";
  if (code === "contradiction") return <Scale className={cx(look, "text-warn")} aria-hidden="true" />;
  if (code === "not_installed") return <CircleAlert className={cx(look, "text-warn")} aria-hidden="true" />;
  return <Info className={cx(look, "text-muted-foreground")} aria-hidden="true" />;
}

/** Words in backticks are code. */
export function withCode(text: string) {
  // oxlint-disable-next-line react/no-array-index-key
  return text.split("`").map((part, at) => (at % 2 === 0 ? part : <code key={at} className="rounded-[5px] bg-background/60 px-1 py-0.5 font-mono text-[12px] break-all">{part}</code>));
}
