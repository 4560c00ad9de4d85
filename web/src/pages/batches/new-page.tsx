//! A new batch: a table or files, the question with the table's columns in it, whom it is asked of; looked at before it begins.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, Eye, FileUp, Play } from "lucide-react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import type { BatchExample, BatchOrder, BatchPreview } from "@/api/batches";
import { useAssistants } from "@/chat/assistants";
import { forChat, useModels } from "@/chat/models";
import { upload } from "@/chat/uploads";
import { useLanguage, useT } from "@/lib/i18n";
import { Frame } from "@/pages/assistants/frame";
import { again, bad, begin, preview, said, useExamples } from "@/pages/batches/data";
import { Button } from "@/ui/button";
import { Field, Input, Select, Textarea } from "@/ui/input";
import { Card, Notice, PageHeader, Section } from "@/ui/page";
import { Segmented } from "@/ui/tabs";

type Source = "table" | "files";
type Sent = { id: string; name: string };
type Words = { name: string; template: string; instructions: string; assistant: string; model: string; at_once: string; max_tokens: string };

const EMPTY: Words = { name: "", template: "", instructions: "", assistant: "", model: "", at_once: "2", max_tokens: "" };

export function NewBatchPage() {
  const t = useT("batches");
  const navigate = useNavigate();
  const [source, setSource] = useState<Source>("table");
  const [sent, setSent] = useState<Sent[]>([]);
  const [words, setWords] = useState<Words>(EMPTY);
  const [seen, setSeen] = useState<BatchPreview | null>(null);
  const template = useRef<HTMLTextAreaElement>(null);
  const set = (change: Partial<Words>) => setWords((before) => ({ ...before, ...change }));
  const order = orderOf(source, sent, words);

  const look = useMutation({ mutationFn: preview, onSuccess: setSeen });
  const start = useMutation({
    mutationFn: begin,
    onSuccess: async (batch) => {
      await again();
      await navigate({ to: "/batches/$batch", params: { batch: batch.id } });
    },
    onError: bad,
  });
  const send = useMutation({
    mutationFn: (files: File[]) => Promise.all(files.map((file) => upload(file, { onProgress: () => {}, signal: new AbortController().signal }))),
    onSuccess: (files) => setSent((before) => (source === "table" ? files.slice(-1) : [...before, ...files]).map(({ id, name }) => ({ id, name }))),
    onError: bad,
  });
  // The columns are known as soon as the table is there, before there is a question.
  const { mutate: lookAgain } = look;
  const ids = sent.map((file) => file.id).join();
  useEffect(() => {
    setSeen(null);
    if (ids !== "") lookAgain(orderOf(source, sent, words));
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [ids, source, lookAgain]);

  const take = (example: BatchExample, language: "en" | "zh") => {
    const { name, template: asked, instructions, samples } = example[language];
    const of = example.source === "files" ? "files" : "table";
    setSource(of);
    setSent([]);
    set({ name, template: asked, instructions, assistant: "", max_tokens: String(example.max_tokens) });
    send.mutate(samples.map((sample) => new File([sample.text], sample.name, { type: sample.name.endsWith(".csv") ? "text/csv" : "text/markdown" })));
  };
  const insert = (column: string) => {
    const box = template.current;
    const at = box?.selectionStart ?? words.template.length;
    set({ template: `${words.template.slice(0, at)}{{${column}}}${words.template.slice(box?.selectionEnd ?? at)}` });
    box?.focus();
  };
  const ready = sent.length > 0 && words.template.trim() !== "";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready) start.mutate(order);
  };
  return (
    <Frame>
      <Link to="/batches" className="touch-target mb-3 inline-flex items-center gap-1.5 text-meta text-muted-foreground hover:text-foreground">
        <ArrowLeft className="size-4" aria-hidden="true" />
        {t("title")}
      </Link>
      <PageHeader title={t("new")} description={t("new_text")} />
      <Examples onTake={take} busy={send.isPending} />
      <form onSubmit={submit} className="flex max-w-[736px] flex-col gap-5">
        <Segmented<Source>
          label={t("source")}
          value={source}
          onChange={(next) => {
            setSource(next);
            setSent([]);
          }}
          options={[
            { id: "table", label: t("source.table") },
            { id: "files", label: t("source.files") },
          ]}
        />
        <Files source={source} sent={sent} busy={send.isPending} onFiles={(files) => send.mutate(files)} />
        {seen && seen.columns.length > 0 ? (
          <div className="flex flex-wrap items-center gap-1.5" role="group" aria-label={t("columns")}>
            <span className="text-meta text-muted-foreground">{t("columns_text", { count: seen.rows })}</span>
            {seen.columns.map((column) => (
              <Button key={column} size="small" onClick={() => insert(column)} aria-label={t("insert", { column })}>
                {`{{${column}}}`}
              </Button>
            ))}
          </div>
        ) : null}
        <Field label={t("template")} hint={t("template_text")}>
          <Textarea ref={template} rows={5} required value={words.template} onChange={(event) => set({ template: event.target.value })} />
        </Field>
        <Whom words={words} set={set} />
        {look.error ? <Notice tone="bad" role="alert">{said(look.error)}</Notice> : null}
        {seen && seen.question !== "" && !look.error ? <Preview seen={seen} /> : null}
        <div className="flex flex-wrap gap-2">
          <Button icon={<Eye />} disabled={!ready} busy={look.isPending} onClick={() => look.mutate(order)}>
            {t("preview")}
          </Button>
          <Button type="submit" variant="primary" icon={<Play />} disabled={!ready} busy={start.isPending}>
            {t("start")}
          </Button>
        </div>
      </form>
    </Frame>
  );
}

function orderOf(source: Source, sent: Sent[], words: Words): BatchOrder {
  const number = (text: string) => (text.trim() === "" ? null : Number(text));
  return {
    ...(source === "table" ? { table: sent[0]?.id ?? null } : { files: sent.map((file) => file.id) }),
    name: words.name,
    template: words.template,
    instructions: words.instructions.trim() === "" ? null : words.instructions,
    assistant: words.assistant || null,
    model: words.model || null,
    at_once: number(words.at_once),
    max_tokens: number(words.max_tokens),
    utc_offset: -new Date().getTimezoneOffset(),
  };
}

function Examples({ onTake, busy }: { onTake: (example: BatchExample, language: "en" | "zh") => void; busy: boolean }) {
  const t = useT("batches");
  const language = useLanguage() === "zh-CN" ? "zh" : "en";
  const { data } = useExamples();
  if (!data?.length) return null;
  return (
    <Section title={t("examples")} description={t("examples_text")}>
      <ul className="grid max-w-[736px] gap-3 sm:grid-cols-2">
        {data.map((example) => (
          <li key={example.slug} className="flex flex-col gap-2 rounded-card border bg-background p-4">
            <p className="text-ui font-medium">{example[language].name}</p>
            <p className="flex-1 text-meta text-muted-foreground">{example[language].summary}</p>
            <Button size="small" className="self-start" busy={busy} onClick={() => onTake(example, language)} aria-label={t("take_it", { name: example[language].name })}>
              {t("take")}
            </Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Files({ source, sent, busy, onFiles }: { source: Source; sent: Sent[]; busy: boolean; onFiles: (files: File[]) => void }) {
  const t = useT("batches");
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="flex flex-wrap items-center gap-3">
      <Button icon={<FileUp />} busy={busy} onClick={() => input.current?.click()}>
        {t(source === "table" ? "upload_table" : "upload_files")}
      </Button>
      <input
        ref={input}
        type="file"
        hidden
        aria-hidden="true"
        tabIndex={-1}
        multiple={source === "files"}
        {...(source === "table" ? { accept: ".csv,.xlsx,.tsv" } : {})}
        onChange={(event) => {
          const chosen = [...(event.target.files ?? [])];
          event.target.value = "";
          if (chosen.length > 0) onFiles(chosen);
        }}
      />
      <p role="status" className="min-w-0 text-meta text-muted-foreground">
        {sent.length === 0 ? t(source === "table" ? "no_table" : "no_files") : sent.map((file) => file.name).join(", ")}
      </p>
    </div>
  );
}

function Whom({ words, set }: { words: Words; set: (change: Partial<Words>) => void }) {
  const t = useT("batches");
  const assistants = useAssistants().data ?? [];
  const models = forChat(useModels().data?.models);
  return (
    <>
      <div className="grid gap-5 sm:grid-cols-2">
        <Field label={t("assistant")}>
          <Select value={words.assistant} onChange={(event) => set({ assistant: event.target.value })}>
            <option value="">{t("no_assistant")}</option>
            {assistants
              .filter((one) => one.published !== null)
              .map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
          </Select>
        </Field>
        <Field label={t("model")}>
          <Select value={words.model} onChange={(event) => set({ model: event.target.value })}>
            <option value="">{t("usual_model")}</option>
            {models.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("at_once")} hint={t("at_once_text")}>
          <Input type="number" min={1} max={8} value={words.at_once} onChange={(event) => set({ at_once: event.target.value })} />
        </Field>
        <Field label={t("max_tokens")}>
          <Input type="number" min={1} max={8192} placeholder="1024" value={words.max_tokens} onChange={(event) => set({ max_tokens: event.target.value })} />
        </Field>
      </div>
      <Field label={t("instructions")} hint={t("instructions_text")}>
        <Textarea rows={4} value={words.instructions} onChange={(event) => set({ instructions: event.target.value })} />
      </Field>
      <Field label={t("name")}>
        <Input value={words.name} maxLength={200} onChange={(event) => set({ name: event.target.value })} />
      </Field>
    </>
  );
}

function Preview({ seen }: { seen: BatchPreview }) {
  const t = useT("batches");
  return (
    <Card className="flex flex-col gap-3 p-4">
      <h2 className="text-ui font-medium">{t("first_row")}</h2>
      <pre className="scroll-thin max-h-60 overflow-auto rounded-control bg-muted p-3 text-meta whitespace-pre-wrap">{seen.question}</pre>
      <p className="tabular text-meta text-muted-foreground">{t("estimate", { rows: seen.rows, prompt: seen.prompt, completion: seen.completion_at_most, model: seen.model })}</p>
    </Card>
  );
}
