//! The model files of the portal's machine: what is here, what is on its way, what can be fetched and whether it fits.
import { HardDrive } from "lucide-react";
import { useOnline } from "@/lib/online";
import { useT } from "@/lib/i18n";
import { Adapters } from "@/pages/admin/library/adapters";
import { Catalogue } from "@/pages/admin/library/catalogue";
import { useLibrary, useSize } from "@/pages/admin/library/data";
import { DownloadRow } from "@/pages/admin/library/download-row";
import { ModelRow } from "@/pages/admin/library/model-row";
import { OwnFiles } from "@/pages/admin/library/own-files";
import { Failed } from "@/ui/failed";
import { Card, EmptyState, Notice, PageHeader, Section, Skeleton } from "@/ui/page";

export function LibraryPage() {
  const t = useT("library");
  const size = useSize();
  const online = useOnline();
  const { data, isPending, error, refetch } = useLibrary();
  const amount = (bytes: number | null) => (bytes === null ? "?" : size(bytes));

  return (
    <>
      <PageHeader title={t("title")} description={t("text")} />
      {online ? null : <Notice tone="warn">{t("offline")}</Notice>}
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {data ? (
        <>
          {data.downloads.length > 0 ? (
            <Section title={t("coming")}>
              <ul className="flex flex-col gap-2">
                {data.downloads.map((download) => (
                  <DownloadRow key={download.name} download={download} />
                ))}
              </ul>
            </Section>
          ) : null}
          <Section title={t("here")} description={`${t("room", { memory: amount(data.free_memory), disk: amount(data.free_disk) })} · ${t("folder", { folder: data.folder })}`}>
            {data.runs_models ? null : <p className="mb-3 text-meta text-muted-foreground">{t("engineless")}</p>}
            <Card>
              {data.models.length === 0 ? (
                <EmptyState icon={<HardDrive />} title={t("empty")}>
                  {t("empty_text")}
                </EmptyState>
              ) : (
                <ul>
                  {data.models.map((model) => (
                    <ModelRow key={`${model.place} ${model.name}`} model={model} runs={data.runs_models} />
                  ))}
                </ul>
              )}
            </Card>
          </Section>
          <Adapters />
          <Catalogue free={data.free_memory} from={data.from} />
          <OwnFiles />
        </>
      ) : null}
    </>
  );
}
