//! One file on its way: how far it is, stop, go on, forget.
import { useMutation } from "@tanstack/react-query";
import { X } from "lucide-react";
import { api } from "@/api/client";
import type { LibraryDownload } from "@/api/types";
import { useT } from "@/lib/i18n";
import { again, downloadSentence, librarySentence, useSize } from "@/pages/admin/library/data";
import { Button, IconButton } from "@/ui/button";
import { toast } from "@/ui/toast";

export function DownloadRow({ download }: { download: LibraryDownload }) {
  const t = useT("library");
  const size = useSize();
  const { name, state } = download;
  const path = `/api/library/downloads/${encodeURIComponent(name)}`;
  const told = { onSuccess: again, onError: (problem: unknown) => toast(librarySentence(problem), { tone: "bad" as const }) };
  const end = useMutation({ mutationFn: () => api.delete(path), ...told });
  const resume = useMutation({ mutationFn: () => api.post(`${path}/resume`), ...told });
  const known = download.total > 0;
  const label = state === "running" ? t("halt", { name }) : state === "done" ? t("dismiss", { name }) : t("forget", { name });
  return (
    <li className="rounded-[10px] border px-3 py-2.5">
      <div className="flex items-center gap-3">
        <p className="min-w-0 flex-1 truncate font-mono text-[13px]">{name}</p>
        <p className="tabular text-meta text-muted-foreground">{known ? `${size(download.have)} / ${size(download.total)}` : null}</p>
        {state === "paused" || state === "failed" ? (
          <Button size="small" busy={resume.isPending} aria-label={`${t("go_on")}: ${name}`} onClick={() => resume.mutate()}>
            {t("go_on")}
          </Button>
        ) : null}
        <IconButton label={label} size="small" onClick={() => end.mutate()}>
          <X />
        </IconButton>
      </div>
      {state === "running" ? <Bar name={name} share={known ? download.have / download.total : null} /> : null}
      <p className="mt-1 text-meta text-muted-foreground empty:hidden" role="status">
        {state === "running" ? (download.checking ? t("checking") : download.message) : state === "done" ? t("done") : state === "paused" ? t("paused") : downloadSentence(download)}
      </p>
    </li>
  );
}

function Bar({ name, share }: { name: string; share: number | null }) {
  const t = useT("library");
  return (
    <div role="progressbar" aria-label={t("fetching", { name })} aria-valuemin={0} aria-valuemax={100} aria-valuenow={share === null ? undefined : Math.round(share * 100)} className="mt-2 h-1.5 overflow-hidden rounded-full bg-muted">
      <div className={share === null ? "h-full w-1/3 animate-sweep rounded-full bg-brand" : "h-full rounded-full bg-brand transition-[width] duration-240"} style={share === null ? undefined : { width: `${share * 100}%` }} />
    </div>
  );
}
