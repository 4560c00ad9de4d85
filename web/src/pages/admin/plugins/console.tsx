//! A plugin's tools called by hand: a form made of the tool's schema or plain JSON, and what came of it. The call is real, and is in the log.
import { useMutation } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, Play } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Plugin, PluginTool, Tried, TryOrder } from "@/api/plugins";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { tryOut } from "@/pages/admin/plugins/data";
import { failureWords } from "@/pages/admin/plugins/failure-words";
import { type Fields, initial, missing, readFields } from "@/pages/admin/plugins/schema";
import { SchemaForm } from "@/pages/admin/plugins/schema-form";
import { formatMs } from "@/results/duration";
import { ResultView } from "@/results/result-view";
import { Button } from "@/ui/button";
import { Field, Input, Select, Textarea } from "@/ui/input";
import { Card, EmptyState, Notice, Section } from "@/ui/page";
import { Segmented } from "@/ui/tabs";

/** Not the names of tools: these hold a space. */
const QUESTION = "on question";
const FILE = "on file";

export function Console({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const triggers = new Set(plugin.triggers.map((one) => one.on));
  const ways = [...plugin.tools.map((one) => ({ id: one.name, label: one.name })), ...(triggers.has("message") ? [{ id: QUESTION, label: t("try_question") }] : []), ...(triggers.has("file.uploaded") ? [{ id: FILE, label: t("try_file") }] : [])];
  const [chosen, setChosen] = useState(ways[0]?.id ?? "");
  const tool = plugin.tools.find((one) => one.name === chosen);
  if (ways.length === 0) {
    return (
      <Card>
        <EmptyState title={t("no_tools")}>{t("no_tools_text")}</EmptyState>
      </Card>
    );
  }
  return (
    <Section title={t("console")} description={t("console_text")}>
      {plugin.enabled ? null : (
        <div className="mb-4">
          <Notice tone="warn">{t("console_off")}</Notice>
        </div>
      )}
      <Card className="flex flex-col gap-4 p-4">
        {ways.length > 1 ? (
          <Field label={t("what_to_try")}>
            <Select value={chosen} onChange={(event) => setChosen(event.target.value)}>
              {ways.map((way) => (
                <option key={way.id} value={way.id}>
                  {way.label}
                </option>
              ))}
            </Select>
          </Field>
        ) : null}
        {tool ? <ToolConsole key={tool.name} plugin={plugin} tool={tool} /> : null}
        {chosen === QUESTION ? <QuestionConsole plugin={plugin} /> : null}
        {chosen === FILE ? <FileConsole plugin={plugin} /> : null}
      </Card>
    </Section>
  );
}

function useTry(plugin: Plugin) {
  return useMutation({ mutationFn: (order: TryOrder) => tryOut(plugin.name, order) });
}

function ToolConsole({ plugin, tool }: { plugin: Plugin; tool: PluginTool }) {
  const t = useT("plugins");
  const [fields, setFields] = useState<Fields>(() => initial(tool.parameters));
  const [way, setWay] = useState<"form" | "json">("form");
  const [text, setText] = useState("");
  const attempt = useTry(plugin);
  const read = way === "json" ? readFields(text) : { fields };
  const lacks = "fields" in read ? missing(tool.parameters, read.fields) : [];
  const turn = (next: "form" | "json") => {
    if (next === "json") setText(JSON.stringify(fields, null, 2));
    else if ("fields" in read) setFields(read.fields);
    setWay(next);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // What is missing is sent all the same: what the tool says of it is worth seeing, too.
    if ("fields" in read) attempt.mutate({ tool: tool.name, arguments: read.fields });
  };
  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      {tool.description ? <p className="text-meta text-muted-foreground">{tool.description}</p> : null}
      <div>
        <Segmented
          label={t("arguments")}
          options={[
            { id: "form" as const, label: t("as_form") },
            { id: "json" as const, label: "JSON" },
          ]}
          value={way}
          onChange={turn}
        />
      </div>
      {way === "form" ? (
        <SchemaForm schema={tool.parameters} value={fields} onChange={setFields} />
      ) : (
        <Field label={t("arguments")} error={"problem" in read ? (read.problem === "object" ? t("no_object") : t("source.no_json", { detail: read.problem })) : undefined}>
          <Textarea spellCheck={false} className="min-h-32 font-mono text-[13px]" value={text} onChange={(event) => setText(event.target.value)} />
        </Field>
      )}
      {lacks.length > 0 ? <p className="text-meta text-muted-foreground">{t("lacks", { fields: lacks.join(", ") })}</p> : null}
      <Call busy={attempt.isPending} disabled={!("fields" in read)} />
      <Came tried={attempt.data ?? null} error={attempt.error} />
    </form>
  );
}

function QuestionConsole({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const [question, setQuestion] = useState("");
  const attempt = useTry(plugin);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    attempt.mutate({ question });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label={t("question")} hint={t("question_hint")}>
        <Textarea required value={question} onChange={(event) => setQuestion(event.target.value)} />
      </Field>
      <Call busy={attempt.isPending} disabled={question.trim() === ""} />
      <Came tried={attempt.data ?? null} error={attempt.error} />
    </form>
  );
}

function FileConsole({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const [file, setFile] = useState<File | null>(null);
  const attempt = useTry(plugin);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (file) attempt.mutate({ file: { name: file.name, type: file.type || "application/octet-stream", content: await base64(file) } });
  };
  return (
    <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
      <Field label={t("file")} hint={t("file_hint")}>
        <Input type="file" className="py-1.5" onChange={(event) => setFile(event.target.files?.[0] ?? null)} />
      </Field>
      <Call busy={attempt.isPending} disabled={file === null} />
      <Came tried={attempt.data ?? null} error={attempt.error} />
    </form>
  );
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function Call({ busy, disabled }: { busy: boolean; disabled: boolean }) {
  const t = useT("plugins");
  return (
    <div>
      <Button type="submit" variant="primary" icon={<Play />} busy={busy} disabled={disabled}>
        {t("call")}
      </Button>
    </div>
  );
}

function Came({ tried, error }: { tried: Tried[] | null; error: unknown }) {
  const t = useT("plugins");
  const language = useLanguage();
  return (
    <div aria-live="polite" className="flex flex-col gap-4 empty:hidden">
      {error ? (
        <Notice tone="bad" role="alert">
          {sentence(error)}
        </Notice>
      ) : null}
      {tried?.length === 0 ? <Notice>{t("nothing_happens")}</Notice> : null}
      {tried?.map((one, at) => (
        <section key={at} aria-label={t("result")} className="flex min-w-0 flex-col gap-2 border-t pt-4">
          <p className="tabular flex flex-wrap items-center gap-2 text-ui [&_svg]:size-4">
            {one.error ? <CircleAlert className="text-bad" aria-hidden="true" /> : <CircleCheck className="text-good" aria-hidden="true" />}
            <span className="font-medium">{t(one.error ? "came_failed" : "came_done", { time: formatMs(one.ms, language) })}</span>
          </p>
          {one.error ? <p className="text-ui">{failureWords(one.error)}</p> : null}
          <ResultView text={one.text} given={one.parts} />
        </section>
      ))}
    </div>
  );
}
