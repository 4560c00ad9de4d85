//! One example, written or edited. What was said before the last question stays as it is.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent } from "react";
import { api } from "@/api/client";
import type { Example, ExampleMessage, ImportResult } from "@/api/types";
import { useT } from "@/lib/i18n";
import { bad, changeExample, setsAgain } from "@/pages/admin/tuning/data";
import { lastOf } from "@/pages/admin/tuning/examples";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Textarea } from "@/ui/input";
import { toast } from "@/ui/toast";

type Written = { system: string; question: string; answer: string };

export function ExampleDialog({ set, example, onClose }: { set: string; example: Example | null; onClose: () => void }) {
  const t = useT("tuning");
  const save = useMutation({
    mutationFn: async (written: Written) => {
      const messages = woven(example?.messages ?? [], written);
      if (example === null) {
        const { added } = await api.post<ImportResult>(`/api/datasets/${set}/examples`, { messages });
        await setsAgain();
        return toast(t("imported", { count: added }));
      }
      await changeExample(set, example.id, { messages });
      const back = () => void changeExample(set, example.id, { messages: example.messages }).catch(bad);
      return toast(t("saved"), { action: { label: t("undo"), act: back } });
    },
    onSuccess: onClose,
    onError: bad,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name)).trim();
    save.mutate({ system: field("system"), question: field("question"), answer: field("answer") });
  };
  const shown = { messages: example?.messages ?? [] };
  return (
    <Dialog open onClose={onClose} title={t(example ? "edit" : "add")} width="large">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("question")}>
          <Textarea name="question" data-autofocus required defaultValue={lastOf(shown, "user")} />
        </Field>
        <Field label={t("answer")}>
          <Textarea name="answer" required className="min-h-40" defaultValue={lastOf(shown, "assistant")} />
        </Field>
        <Field label={t("system")} hint={t("system_hint")}>
          <Textarea name="system" defaultValue={lastOf(shown, "system")} />
        </Field>
        <div className="flex justify-end">
          <Button type="submit" variant="primary" busy={save.isPending}>
            {t("save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The conversation with its instructions, last question and last answer replaced. */
export function woven(before: ExampleMessage[], { system, question, answer }: Written): ExampleMessage[] {
  const said = before.filter((message) => message.role !== "system");
  const asked = said.findLastIndex((message) => message.role === "user");
  const earlier = asked < 0 ? [] : said.slice(0, asked);
  return [...(system === "" ? [] : [{ role: "system", content: system }]), ...earlier, { role: "user", content: question }, { role: "assistant", content: answer }];
}
