//! The files under a question, one press from their preview in the panel at the right.
import { FileText } from "lucide-react";
import { type FileRef, contentOf, isPicture } from "@/api/files";
import { ui } from "@/app/ui";
import { useLanguage } from "@/lib/i18n";
import { sizeText } from "@/pages/chat/file-words";

export default function QuestionFiles({ files, label }: { files: FileRef[]; label: string }) {
  const language = useLanguage();
  return (
    <ul aria-label={label} className="mb-1.5 flex max-w-[min(85%,600px)] flex-wrap justify-end gap-2">
      {files.map((file) => (
        <li key={file.id} className="max-w-full min-w-0">
          <button
            type="button"
            onClick={() => ui.togglePanel({ kind: "file", file })}
            // A file's button is called what stands on it; on a picture stands nothing.
            aria-label={isPicture(file) ? file.name : undefined}
            className="touch-target flex max-w-full items-center gap-2.5 overflow-hidden rounded-[12px] border bg-surface text-left transition-colors duration-120 hover:bg-hover"
          >
            {isPicture(file) ? (
              <img src={contentOf(file.id)} alt="" loading="lazy" className="max-h-40 min-h-12 max-w-full min-w-12 object-cover sm:max-w-64" />
            ) : (
              <span className="flex min-w-0 items-center gap-2.5 py-2 pr-3.5 pl-2.5">
                <FileText className="size-5 shrink-0 text-muted-foreground" aria-hidden="true" />
                <span className="min-w-0">
                  <span className="block truncate text-ui">{file.name}</span>
                  <span className="tabular block text-meta text-muted-foreground">{sizeText(file.bytes, language)}</span>
                </span>
              </span>
            )}
          </button>
        </li>
      ))}
    </ul>
  );
}
