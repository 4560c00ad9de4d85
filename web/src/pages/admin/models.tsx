//! Where models come from, the state each is in, and how to add one.
import { Cpu, Plus } from "lucide-react";
import { useState } from "react";
import type { Provider } from "@/api/types";
import { useSession } from "@/app/session";
import { useT } from "@/lib/i18n";
import { LocalModels } from "@/pages/admin/local-models";
import { ProviderCard } from "@/pages/admin/provider-card";
import { AddDialog } from "@/pages/admin/add-dialog";
import { ProviderDialog } from "@/pages/admin/provider-dialog";
import { useProviders } from "@/pages/admin/data";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";

export function ModelsPage() {
  const t = useT("admin");
  const [dialog, setDialog] = useState<{ provider: Provider | null } | null>(null);
  const engine = useSession((state) => state.portal.local_engine);
  const { data, isPending, error, refetch } = useProviders();
  const locals = data?.filter((provider) => provider.source === "local") ?? [];
  const others = data?.filter((provider) => provider.source !== "local") ?? [];
  const add = (
    <Button variant="primary" icon={<Plus />} onClick={() => setDialog({ provider: null })}>
      {t("models.add")}
    </Button>
  );

  return (
    <>
      <PageHeader title={t("models")} description={t("models.text")} action={add} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? (
        <div className="flex flex-col gap-4">
          <Skeleton className="h-32" />
          <Skeleton className="h-32" />
        </div>
      ) : null}
      {data?.length === 0 ? (
        <Card className="mb-4">
          <EmptyState icon={<Cpu />} title={t("models.empty")}>
            {t(engine ? "models.empty_text" : "models.empty_text_engineless")}
          </EmptyState>
        </Card>
      ) : null}
      <div className="flex flex-col gap-4">
        {locals.length > 0 ? <LocalModels locals={locals} /> : null}
        {others.map((provider) => (
          <ProviderCard key={provider.id} provider={provider} onEdit={() => setDialog({ provider })} />
        ))}
      </div>
      {data && engine ? <OwnFiles /> : null}
      {dialog?.provider ? <ProviderDialog provider={dialog.provider} onClose={() => setDialog(null)} /> : null}
      {dialog && !dialog.provider ? <AddDialog onClose={() => setDialog(null)} /> : null}
    </>
  );
}

/** How to run a model on this machine: nothing here is a button, because a file has to be brought by a person. */
function OwnFiles() {
  const t = useT("admin");
  return (
    <details className="group mt-8 rounded-card border">
      <summary className="flex min-h-11 items-center px-4 py-2.5 text-ui font-medium select-none">{t("gguf.title")}</summary>
      <div className="flex flex-col gap-3 border-t px-4 py-4 text-ui">
        <p className="max-w-[72ch]">{t("gguf.get")}</p>
        <p className="max-w-[72ch] text-muted-foreground">{t("gguf.size")}</p>
        <p>{t("gguf.start")}</p>
        <Code>portico serve --model /path/to/model.gguf</Code>
        <p>{t("gguf.file")}</p>
        <Code>{'[[model]]\npath = "/path/to/model.gguf"\nname = "my-model"'}</Code>
      </div>
    </details>
  );
}

function Code({ children }: { children: string }) {
  return <pre className="scroll-thin overflow-x-auto rounded-[10px] border bg-surface px-3 py-2.5 font-mono text-[13px] leading-relaxed whitespace-pre-wrap break-words">{children}</pre>;
}
