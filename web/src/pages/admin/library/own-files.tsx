//! A file by its address, from this computer, or from the portal's own disk.
import { useMutation } from "@tanstack/react-query";
import { Download, HardDriveUpload, Upload } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import { api } from "@/api/client";
import type { LibraryModel } from "@/api/types";
import { useT } from "@/lib/i18n";
import { again, fetchModel, librarySentence, modelAddress, upload } from "@/pages/admin/library/data";
import { Button } from "@/ui/button";
import { Input } from "@/ui/input";
import { Card, Section } from "@/ui/page";
import { toast } from "@/ui/toast";

const bad = (problem: unknown) => toast(librarySentence(problem), { tone: "bad" });

export function OwnFiles() {
  const t = useT("library");
  return (
    <Section title={t("own")} description={t("own_text")}>
      <Card className="flex flex-col gap-4 p-4">
        <ByAddress />
        <ByPath label={t("path")} act={t("take")} take={(path) => api.post<LibraryModel>("/api/library/models", { path })} />
        <ByUpload label={t("upload")} address={modelAddress} />
      </Card>
    </Section>
  );
}

function ByAddress() {
  const t = useT("library");
  const [url, setUrl] = useState("");
  const [sha256, setSha256] = useState("");
  const fetch = useMutation({
    mutationFn: () => fetchModel({ model: url.trim(), ...(sha256.trim() === "" ? {} : { sha256: sha256.trim() }) }),
    onSuccess: () => {
      setUrl("");
      setSha256("");
    },
    onError: bad,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    fetch.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2">
      <Input aria-label={t("url")} placeholder={t("url")} type="url" required autoComplete="off" spellCheck={false} className="min-w-0 flex-2 basis-64" value={url} onChange={(event) => setUrl(event.target.value)} />
      <Input aria-label={t("sha256")} placeholder={t("sha256")} autoComplete="off" spellCheck={false} className="min-w-0 flex-1 basis-40 font-mono text-[13px]" value={sha256} onChange={(event) => setSha256(event.target.value)} />
      <Button type="submit" icon={<Download />} busy={fetch.isPending} disabled={url.trim() === ""}>
        {t("fetch")}
      </Button>
    </form>
  );
}

/** A file, or a folder, on the portal's own disk. */
export function ByPath({ label, act, take: ask }: { label: string; act: string; take: (path: string) => Promise<{ name: string }> }) {
  const t = useT("library");
  const [path, setPath] = useState("");
  const take = useMutation({
    mutationFn: () => ask(path.trim()),
    onSuccess: ({ name }) => {
      setPath("");
      toast(t("taken", { name }));
      void again();
    },
    onError: bad,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    take.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2">
      <Input aria-label={label} placeholder={label} required autoComplete="off" spellCheck={false} className="min-w-0 flex-1 basis-64 font-mono text-[13px]" value={path} onChange={(event) => setPath(event.target.value)} />
      <Button type="submit" icon={<HardDriveUpload />} busy={take.isPending} disabled={path.trim() === ""}>
        {act}
      </Button>
    </form>
  );
}

/** A file of the person's own computer. */
export function ByUpload({ label, address }: { label: string; address: (file: File) => string }) {
  const t = useT("library");
  const input = useRef<HTMLInputElement>(null);
  const stop = useRef<AbortController | null>(null);
  const [share, setShare] = useState(0);
  const send = useMutation({
    mutationFn: (file: File) => {
      stop.current = new AbortController();
      setShare(0);
      return upload(file, address(file), setShare, stop.current.signal);
    },
    onSuccess: ({ name }) => {
      toast(t("taken", { name }));
      void again();
    },
    onError: (problem) => {
      if (!(problem instanceof DOMException)) bad(problem);
    },
  });
  return (
    <div className="flex flex-wrap items-center gap-3">
      <input
        ref={input}
        type="file"
        accept=".gguf"
        hidden
        aria-label={label}
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file) send.mutate(file);
        }}
      />
      <Button icon={<Upload />} disabled={send.isPending} onClick={() => input.current?.click()}>
        {label}
      </Button>
      {send.isPending ? (
        <>
          <p role="status" className="tabular text-meta text-muted-foreground">
            {t("uploading", { name: send.variables.name, percent: Math.round(share * 100) })}
          </p>
          <Button size="small" variant="ghost" onClick={() => stop.current?.abort()}>
            {t("upload_stop")}
          </Button>
        </>
      ) : null}
    </div>
  );
}
