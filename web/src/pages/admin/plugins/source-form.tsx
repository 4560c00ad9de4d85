//! Where a manifest comes from: pasted, a file, or an address that the portal asks.
import { useMutation } from "@tanstack/react-query";
import { ClipboardPaste, FileUp, Link2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useT } from "@/lib/i18n";
import { entriesOf, fetchManifest } from "@/pages/admin/plugins/data";
import { Flaws } from "@/pages/admin/plugins/flaws";
import { Button } from "@/ui/button";
import { Field, Input, Textarea } from "@/ui/input";
import { Segmented } from "@/ui/tabs";

type Way = "paste" | "file" | "address";

/** The document in a text, or why there is none. */
export function readDocument(text: string): { document: unknown } | { problem: "empty" | "no_json" | "no_plugin"; detail: string } {
  const written = text.replace(/^\uFEFF/, "").trim();
  if (written === "") return { problem: "empty", detail: "" };
  let document: unknown;
  try {
    document = JSON.parse(written);
  } catch (error) {
    return { problem: "no_json", detail: error instanceof Error ? error.message : "" };
  }
  return entriesOf(document).length === 0 ? { problem: "no_plugin", detail: "" } : { document };
}

export function SourceForm({ onRead }: { onRead: (document: unknown) => void }) {
  const t = useT("plugins");
  const [way, setWay] = useState<Way>("paste");
  const [text, setText] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const [url, setUrl] = useState("");
  const [inside, setInside] = useState(false);
  const [said, setSaid] = useState<string | undefined>(undefined);
  const fetching = useMutation({ mutationFn: () => fetchManifest(url.trim(), inside), onSuccess: onRead });

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setSaid(undefined);
    if (way === "address") return fetching.mutate();
    const read = readDocument(way === "file" ? ((await file?.text()) ?? "") : text);
    if ("document" in read) onRead(read.document);
    else setSaid(t(`source.${read.problem}`, { detail: read.detail }));
  };
  return (
    <form noValidate onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
      <div>
        <Segmented
          label={t("source")}
          options={[
            { id: "paste" as const, label: t("source.paste"), icon: <ClipboardPaste aria-hidden="true" /> },
            { id: "file" as const, label: t("source.file"), icon: <FileUp aria-hidden="true" /> },
            { id: "address" as const, label: t("source.address"), icon: <Link2 aria-hidden="true" /> },
          ]}
          value={way}
          onChange={(next) => {
            setWay(next);
            setSaid(undefined);
            fetching.reset();
          }}
        />
      </div>
      {way === "paste" ? (
        <Field label={t("source.paste_label")} hint={t("source.hint")} error={said}>
          <Textarea spellCheck={false} className="min-h-56 font-mono text-[13px]" value={text} onChange={(event) => setText(event.target.value)} />
        </Field>
      ) : null}
      {way === "file" ? (
        <Field label={t("source.file_label")} hint={t("source.hint")} error={said}>
          <Input type="file" accept=".json,application/json" className="py-1.5" onChange={(event) => setFile(event.target.files?.[0] ?? null)} />
        </Field>
      ) : null}
      {way === "address" ? (
        <>
          <Field label={t("source.url")} hint={t("source.url_hint")}>
            <Input inputMode="url" autoComplete="off" spellCheck={false} placeholder="https://example.org/openapi.json" className="font-mono text-[13px]" value={url} onChange={(event) => setUrl(event.target.value)} />
          </Field>
          <label className="touch-target flex items-center gap-2.5 text-ui">
            <input type="checkbox" className="size-4 accent-(--color-brand)" checked={inside} onChange={(event) => setInside(event.target.checked)} />
            {t("source.private")}
          </label>
          {fetching.error ? <Flaws error={fetching.error} /> : null}
        </>
      ) : null}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={fetching.isPending} disabled={way === "address" ? url.trim() === "" : way === "file" ? file === null : text.trim() === ""}>
          {t("source.look")}
        </Button>
      </div>
    </form>
  );
}
