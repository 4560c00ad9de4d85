//! A file in the panel at the right: a picture as it is, of everything else the text that was read in it, page by page.
import { useQuery } from "@tanstack/react-query";
import { Download, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "@/api/client";
import { type FileRef, type FileText, contentOf, isPicture } from "@/api/files";
import { ui } from "@/app/ui";
import { loadWords, translate, useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { fileSentence, sizeText } from "@/pages/chat/file-words";
import { Button, buttonLook } from "@/ui/button";
import { Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const words = loadWords("files");

export function FilePanel({ file }: { file: FileRef }) {
  const t = useT("files");
  const language = useLanguage();
  const [ready, setReady] = useState(false);
  useEffect(() => void words.then(() => setReady(true)), []);
  const [gone, setGone] = useState(false);
  const picture = isPicture(file);
  const { data, error, isPending } = useQuery({ queryKey: ["file", file.id, "text"], queryFn: () => api.get<FileText>(`/api/files/${file.id}/text`), enabled: !picture, staleTime: Infinity, retry: false });
  if (!ready) return <Skeleton className="mx-6 h-24" />;
  const lost = gone || (error !== null && "status" in error && error.status === 404);
  return (
    <div className="px-6 pb-8">
      <p className="font-medium break-words">{file.name}</p>
      <p className="tabular mb-3 text-meta text-muted-foreground">{sizeText(file.bytes, language)}</p>
      {lost ? null : (
        <div className="mb-5 flex flex-wrap gap-2">
          <a href={contentOf(file.id)} download={file.name} className={buttonLook("secondary", "small")}>
            <Download aria-hidden="true" />
            {t("download")}
          </a>
          <Button size="small" icon={<Trash2 />} onClick={() => void remove(file)}>
            {t("delete")}
          </Button>
        </div>
      )}
      {lost ? <p className="text-meta text-muted-foreground">{t("problem.file_gone")}</p> : null}
      {picture && !lost ? <img src={contentOf(file.id)} alt={file.name} onError={() => setGone(true)} className="w-full rounded-[10px] border" /> : null}
      {!picture && isPending ? <Skeleton className="h-40" /> : null}
      {error && !lost ? (
        <p role="alert" className="text-meta text-bad">
          {fileSentence(error, file.name) ?? sentence(error)}
        </p>
      ) : null}
      {data?.pages.map((page, at) => (
        // Sheets may share a number with nothing else to tell them apart.
        <section key={at} aria-label={page.page === null ? file.name : t("page", { page: page.page })} className="mb-5">
          {page.page === null ? null : <h3 className="tabular mb-1.5 border-b pb-1 text-meta text-muted-foreground">{t("page", { page: page.page })}</h3>}
          <p className="text-ui leading-[1.7] break-words whitespace-pre-wrap">{page.text}</p>
        </section>
      ))}
      {data?.more ? <p className="text-meta text-muted-foreground">{t("more")}</p> : null}
    </div>
  );
}

async function remove(file: FileRef) {
  try {
    await api.delete(`/api/files/${file.id}`);
    ui.closePanel();
    const back = () => void api.post(`/api/files/${file.id}/restore`).catch((error: unknown) => toast(sentence(error), { tone: "bad" }));
    toast(translate("files", "deleted", { name: file.name }), { action: { label: translate("common", "undo"), act: back } });
  } catch (error) {
    toast(sentence(error), { tone: "bad" });
  }
}
