//! The draft tried beside the version that answers: one question to both, their answers side by side. Nothing of it is kept.
import { useMutation } from "@tanstack/react-query";
import { Play, TriangleAlert } from "lucide-react";
import { type FormEvent, Suspense, lazy, useState } from "react";
import type { Assistant, TriedOut } from "@/api/assistants";
import { useModelName } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { failureSentence } from "@/lib/problem";
import { assistantSentence, tryOut } from "@/pages/assistants/data";
import { Button } from "@/ui/button";
import { Field, Textarea } from "@/ui/input";
import { Card, Section, Skeleton } from "@/ui/page";

const Markdown = lazy(() => import("@/markdown/markdown"));

export function TryOut({ assistant, dirty }: { assistant: Assistant; dirty: boolean }) {
  const t = useT("assistants");
  const [question, setQuestion] = useState("");
  const draft = useMutation({ mutationFn: (text: string) => tryOut(assistant.id, text, null) });
  const answering = useMutation({ mutationFn: ({ text, version }: { text: string; version: number }) => tryOut(assistant.id, text, version) });
  // Without another version there is nothing to stand beside.
  const beside = assistant.changed ? assistant.published : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const text = question.trim();
    draft.mutate(text);
    if (beside === null) answering.reset();
    else answering.mutate({ text, version: beside });
  };
  const busy = draft.isPending || answering.isPending;
  return (
    <Section title={t("try")} description={beside === null ? t("try_text") : t("try_text_beside", { version: beside })}>
      <Card className="p-4 sm:p-5">
        <form onSubmit={submit} className="flex flex-col gap-3">
          <Field label={t("try_question")} hint={dirty ? t("try_dirty") : undefined}>
            <Textarea rows={2} required maxLength={20_000} value={question} onChange={(event) => setQuestion(event.target.value)} />
          </Field>
          <div>
            <Button type="submit" icon={<Play />} busy={busy} disabled={question.trim() === ""}>
              {t("try_ask")}
            </Button>
          </div>
        </form>
        {draft.isIdle ? null : (
          <div className={answering.isIdle ? "mt-4" : "mt-4 grid gap-4 md:grid-cols-2"}>
            {answering.isIdle ? null : <Answer label={t("version", { version: answering.variables?.version ?? 1 })} pending={answering.isPending} answer={answering.data} error={answering.error} />}
            <Answer label={t("the_draft")} pending={draft.isPending} answer={draft.data} error={draft.error} />
          </div>
        )}
      </Card>
    </Section>
  );
}

function Answer({ label, pending, answer, error }: { label: string; pending: boolean; answer: TriedOut | undefined; error: unknown }) {
  const t = useT("assistants");
  const model = useModelName(answer?.model ?? null);
  const failed = error ? assistantSentence(error) : answer?.failure ? failureSentence(answer.failure) : null;
  return (
    <section aria-label={label} aria-busy={pending} className="min-w-0 rounded-[10px] border px-4 py-3">
      <p className="mb-2 flex flex-wrap items-baseline justify-between gap-x-3 text-meta">
        <span className="font-medium">{label}</span>
        {answer ? (
          <span className="tabular text-muted-foreground">
            {model} · {t("tokens", { count: answer.completion })}
          </span>
        ) : null}
      </p>
      {pending ? <Skeleton className="h-16" /> : null}
      {failed ? (
        <p role="alert" className="flex gap-2 text-ui text-bad">
          <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden="true" />
          {failed}
        </p>
      ) : null}
      {!pending && answer?.text ? (
        <Suspense fallback={<p className="whitespace-pre-wrap">{answer.text}</p>}>
          <Markdown text={answer.text} streaming={false} />
        </Suspense>
      ) : null}
    </section>
  );
}
