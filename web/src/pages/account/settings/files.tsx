//! What one has uploaded, how much of the quota it takes, and deleting it with a way back.
import { useQuery } from "@tanstack/react-query";
import { FileText, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "@/api/client";
import { type FileList, type Uploaded, contentOf } from "@/api/files";
import { queries } from "@/app/queries";
import { loadWords, translate, useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatDateTime } from "@/lib/time";
import { sizeText } from "@/pages/chat/file-words";
import { IconButton } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Meter } from "@/ui/meter";
import { Card, Section, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const KEY = ["files"];
const words = loadWords("files");
const refresh = () => queries.invalidateQueries({ queryKey: KEY });
const said = (problem: unknown) => toast(sentence(problem), { tone: "bad" });

export function OwnFiles() {
  const t = useT("files");
  const language = useLanguage();
  const [ready, setReady] = useState(false);
  useEffect(() => void words.then(() => setReady(true)), []);
  const { data, error, refetch } = useQuery({ queryKey: KEY, queryFn: ({ signal }) => api.get<FileList>("/api/files", undefined, signal), staleTime: 0 });
  if (!ready) return null;
  return (
    <Section title={t("own.title")} description={t("own.text")}>
      {error ? <Failed error={error} again={refetch} /> : null}
      {!data && !error ? <Skeleton className="h-24" /> : null}
      {data ? (
        <Card>
          <div className="p-4 sm:p-5">
            <p className="flex flex-wrap items-baseline justify-between gap-x-4">
              <span className="tabular text-[20px] font-semibold">{sizeText(data.used, language)}</span>
              <span className="tabular text-meta text-muted-foreground">{t("own.of", { limit: sizeText(data.per_person, language) })}</span>
            </p>
            <Meter label={t("own.title")} value={data.used} max={data.per_person} className="mt-3" />
          </div>
          {data.items.length > 0 ? (
            <ul className="border-t">
              {data.items.map((file) => (
                <Row key={file.id} file={file} />
              ))}
            </ul>
          ) : null}
        </Card>
      ) : null}
    </Section>
  );
}

function Row({ file }: { file: Uploaded }) {
  const t = useT("files");
  const language = useLanguage();
  return (
    <li className="flex items-center gap-3 border-b py-2.5 pr-2 pl-4 last:border-b-0">
      <FileText className="size-5 shrink-0 text-muted-foreground" aria-hidden="true" />
      <div className="min-w-0 flex-1">
        <a href={contentOf(file.id)} download={file.name} className="block truncate rounded-control hover:underline">
          {file.name}
        </a>
        <p className="tabular text-meta text-muted-foreground">
          {sizeText(file.bytes, language)} · {formatDateTime(file.created_at, language)}
        </p>
      </div>
      <IconButton label={t("own.delete", { name: file.name })} onClick={() => void remove(file)}>
        <Trash2 />
      </IconButton>
    </li>
  );
}

async function remove(file: Uploaded) {
  try {
    await api.delete(`/api/files/${file.id}`);
    const back = () => void api.post(`/api/files/${file.id}/restore`).then(refresh, said);
    toast(translate("files", "deleted", { name: file.name }), { action: { label: translate("common", "undo"), act: back } });
    await refresh();
  } catch (problem) {
    said(problem);
  }
}
