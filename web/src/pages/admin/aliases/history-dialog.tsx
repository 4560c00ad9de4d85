//! Every version of an alias, newest first, and one click back to any of them; the way there can be undone as quickly.
import { useMutation } from "@tanstack/react-query";
import { Undo2 } from "lucide-react";
import type { Alias, AliasVersion } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatDateTime } from "@/lib/time";
import { type Named, aliasesChanged, rollBack, switchAlias, useVersions } from "@/pages/admin/aliases/data";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Badge, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

export function HistoryDialog({ alias, onClose }: { alias: Alias; onClose: () => void }) {
  const t = useT("engines");
  const c = useT("common");
  const { data, isPending, error, refetch } = useVersions(alias);
  const back = useMutation({
    mutationFn: (version: number) => switchAlias(alias, { version }),
    onSuccess: async () => {
      await aliasesChanged();
      saidWithUndo(t("alias.rolled_back", { name: alias.name }), c("undo"), alias);
      onClose();
    },
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  return (
    <Dialog open onClose={onClose} title={t("alias.history_of", { name: alias.name })} description={t("alias.history_text")} footer={<Button onClick={onClose}>{c("close")}</Button>}>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      <ol className="rounded-[10px] border empty:hidden">
        {data?.map((version) => (
          <VersionRow key={version.version} version={version} busy={back.isPending} onBack={() => back.mutate(version.version)} />
        ))}
      </ol>
    </Dialog>
  );
}

/** A word, with the way back to what held before this change. */
export function saidWithUndo(text: string, undo: string, alias: Named) {
  const act = () => void rollBack(alias).then(aliasesChanged, (error: unknown) => toast(sentence(error), { tone: "bad" }));
  toast(text, { action: { label: undo, act } });
}

type RowProps = { version: AliasVersion; busy: boolean; onBack: () => void };

function VersionRow({ version, busy, onBack }: RowProps) {
  const t = useT("engines");
  const language = useLanguage();
  const targets = version.content?.targets.map((target) => target.model).join(", ");
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b px-3 py-2.5 last:border-b-0">
      <span className="tabular w-8 shrink-0 text-meta text-muted-foreground">{version.version}</span>
      <div className="min-w-0 flex-1 basis-48">
        <p className="font-mono text-[13px] break-all">{targets ?? t("alias.version_removed")}</p>
        <p className="text-meta text-muted-foreground">
          {[version.changed_by_name, formatDateTime(version.changed_at, language), version.restores === null ? null : t("alias.restores", { version: version.restores }), version.note || null].filter(Boolean).join(" · ")}
        </p>
      </div>
      {version.current ? (
        <Badge tone="good">{t("alias.in_force")}</Badge>
      ) : version.content ? (
        <Button size="small" icon={<Undo2 />} disabled={busy} aria-label={t("alias.roll_back_to", { version: version.version })} onClick={onBack}>
          {t("alias.roll_back")}
        </Button>
      ) : null}
    </li>
  );
}
