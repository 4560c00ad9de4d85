//! Why an answer is good or bad, what it should have been, and whether administrators may learn from it.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Message, Rating, RatingChoice } from "@/api/types";
import { cx } from "@/lib/cx";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Textarea } from "@/ui/input";
import { toast } from "@/ui/toast";

const WHY = { good: ["right", "helpful", "clear"], bad: ["wrong", "incomplete", "not_followed", "style", "unsafe"] } as const;

type Props = { message: Message; verdict: Rating["verdict"]; onClose: () => void; onRated: () => void };

export function RatingDialog({ message, verdict, onClose, onRated }: Props) {
  const t = useT("chat");
  const before = message.rating?.verdict === verdict ? message.rating : null;
  const [reasons, setReasons] = useState<string[]>(before?.reasons ?? []);
  const path = `/api/messages/${message.id}/rating`;
  const rate = useMutation({
    mutationFn: (choice: RatingChoice | null) => (choice ? api.put(path, choice) : api.delete(path)),
    onSuccess: (_, choice) => {
      if (choice) toast(t("rating.thanks"));
      onRated();
    },
    onError: (error) => toast(sentence(error), { tone: "bad" }),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const correction = String(form.get("correction") ?? "").trim();
    rate.mutate({ verdict, reasons, note: String(form.get("note")).trim(), correction: correction || null, shared: form.get("shared") !== null });
  };
  const toggle = (reason: string) => setReasons((kept) => (kept.includes(reason) ? kept.filter((one) => one !== reason) : [...kept, reason]));
  return (
    <Dialog open onClose={onClose} title={t(`rating.${verdict}`)} description={t("rating.title")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <div role="group" aria-label={t("rating.why")} className="flex flex-wrap gap-2">
          {WHY[verdict].map((reason) => (
            <button
              key={reason}
              type="button"
              aria-pressed={reasons.includes(reason)}
              onClick={() => toggle(reason)}
              className={cx("touch-target h-8 rounded-full border px-3 text-meta transition-colors duration-120", reasons.includes(reason) ? "border-foreground bg-primary text-primary-foreground" : "hover:bg-hover")}
            >
              {t(`rating.${reason}` as Key<"chat">)}
            </button>
          ))}
        </div>
        <Field label={t("rating.note")}>
          <Textarea name="note" maxLength={2000} defaultValue={before?.note} />
        </Field>
        {verdict === "bad" ? (
          <Field label={t("rating.correction")} hint={t("rating.correction_hint")}>
            <Textarea name="correction" maxLength={32000} className="min-h-32" defaultValue={before?.correction ?? ""} />
          </Field>
        ) : null}
        <label className="flex items-start gap-2.5 text-ui">
          <input type="checkbox" name="shared" className="mt-1 size-4 shrink-0 accent-(--color-brand)" defaultChecked={before?.shared ?? false} />
          {t("rating.share")}
        </label>
        <div className="flex flex-wrap justify-end gap-2">
          {message.rating ? <Button onClick={() => rate.mutate(null)}>{t("rating.take_back")}</Button> : null}
          <Button type="submit" variant="primary" busy={rate.isPending}>
            {t("rating.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
