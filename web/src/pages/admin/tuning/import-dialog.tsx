//! What comes into a set, looked at before it is taken in: a file or pasted text, or the answers that people rated.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Dataset, ImportResult } from "@/api/types";
import { type Key, useT } from "@/lib/i18n";
import { collect, importFile, setsAgain, tuningSentence } from "@/pages/admin/tuning/data";
import { lastOf } from "@/pages/admin/tuning/examples";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Textarea } from "@/ui/input";
import { Badge, Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

export function ImportDialog({ set, from, onClose }: { set: Dataset; from: "import" | "collect"; onClose: () => void }) {
  const t = useT("tuning");
  const [file, setFile] = useState<File | null>(null);
  const [text, setText] = useState("");
  const [good, setGood] = useState(true);
  const [corrected, setCorrected] = useState(true);
  const [near, setNear] = useState(false);
  const ask = (dry: boolean) => {
    const manner = { dry_run: dry, without_near: near };
    if (from === "collect") return collect(set.id, { good, corrected }, manner);
    return importFile(set.id, file?.name ?? "", file ?? new Blob([text]), manner);
  };
  const look = useMutation({ mutationFn: () => ask(true) });
  const take = useMutation({
    mutationFn: () => ask(false),
    onSuccess: async ({ added }) => {
      await setsAgain();
      toast(t("imported", { count: added }));
      onClose();
    },
  });
  // Another choice makes what was looked at untrue.
  const anew = () => {
    look.reset();
    take.reset();
  };
  const ready = from === "collect" ? good || corrected : file !== null || text.trim() !== "";
  const problem = take.error ?? look.error;
  const footer = look.data ? (
    <Button variant="primary" busy={take.isPending} disabled={look.data.added === 0} onClick={() => take.mutate()}>
      {t("take", { count: look.data.added })}
    </Button>
  ) : (
    <Button variant="primary" busy={look.isPending} disabled={!ready} onClick={() => look.mutate()}>
      {t("look")}
    </Button>
  );
  return (
    <Dialog open onClose={onClose} title={t(from)} description={t(from === "import" ? "import_text" : "collect_text")} width="large" footer={footer}>
      <div className="flex flex-col gap-4" onChange={anew}>
        {from === "import" ? (
          <>
            <Field label={t("file")}>
              <Input type="file" accept=".jsonl,.json,.ndjson,.csv,.tsv,.txt,.md" className="py-1.5" onChange={(event) => setFile(event.target.files?.[0] ?? null)} />
            </Field>
            {file ? null : (
              <Field label={t("pasted")}>
                <Textarea className="min-h-32 font-mono text-[13px]" value={text} onChange={(event) => setText(event.target.value)} />
              </Field>
            )}
          </>
        ) : (
          <>
            <Check label={t("collect_good")} checked={good} onChange={setGood} />
            <Check label={t("collect_corrected")} checked={corrected} onChange={setCorrected} />
          </>
        )}
        <Check label={t("without_near")} checked={near} onChange={setNear} />
      </div>
      <div aria-live="polite" className="mt-4 flex flex-col gap-3">
        {problem ? (
          <Notice tone="bad" role="alert">
            {tuningSentence(problem)}
          </Notice>
        ) : null}
        {look.data ? <Seen result={look.data} /> : null}
      </div>
    </Dialog>
  );
}

function Check({ label, checked, onChange }: { label: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label className="touch-target flex items-center gap-2.5 text-ui">
      <input type="checkbox" className="size-4 accent-(--color-brand)" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

/** What would happen, and what cannot be read. */
function Seen({ result }: { result: ImportResult }) {
  const t = useT("tuning");
  const { found, added, duplicates, near, faulty, faults, shown } = result;
  return (
    <>
      <p className="flex flex-wrap gap-1.5">
        <Badge>{t("found", { count: found })}</Badge>
        <Badge tone="good">{t("added", { count: added })}</Badge>
        {duplicates > 0 ? <Badge>{t("duplicates", { count: duplicates })}</Badge> : null}
        {near > 0 ? <Badge tone="warn">{t("near", { count: near })}</Badge> : null}
        {faulty > 0 ? <Badge tone="bad">{t("faulty", { count: faulty })}</Badge> : null}
      </p>
      {faults.length > 0 ? (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <ul tabIndex={0} aria-label={t("faulty", { count: faulty })} className="scroll-thin max-h-40 overflow-y-auto rounded-card border px-4 py-2 text-meta">
          {faults.map((fault) => (
            <li key={`${fault.line} ${fault.code}`} className="py-0.5">
              <span className="tabular font-medium">{t("line", { line: fault.line })}</span> {t(`flaw.${fault.code}` as Key<"tuning">)}
            </li>
          ))}
        </ul>
      ) : null}
      <ul className="flex flex-col gap-2">
        {shown.map((one) => (
          <li key={one.line} className="rounded-card border px-4 py-2.5 text-ui">
            <p className="line-clamp-2 font-medium break-words">{lastOf(one, "user")}</p>
            <p className="line-clamp-3 break-words text-muted-foreground">{lastOf(one, "assistant")}</p>
            {one.issues.length > 0 ? (
              <p className="mt-1.5 flex flex-wrap gap-1.5">
                {one.issues.map((issue) => (
                  <Badge key={issue} tone="warn">
                    {t(`issue.${issue}` as Key<"tuning">)}
                  </Badge>
                ))}
              </p>
            ) : null}
          </li>
        ))}
      </ul>
    </>
  );
}
