//! Aliases: names that people and programs use, and the models that answer for them now.
import { Plus, Signpost } from "lucide-react";
import { useState } from "react";
import type { Alias } from "@/api/types";
import { useT } from "@/lib/i18n";
import { AliasCard } from "@/pages/admin/aliases/alias-card";
import { AliasDialog } from "@/pages/admin/aliases/alias-dialog";
import { useAliases } from "@/pages/admin/aliases/data";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";

export function AliasesPage() {
  const t = useT("engines");
  const [editing, setEditing] = useState<{ alias: Alias | null } | null>(null);
  const { data, isPending, error, refetch } = useAliases();
  const add = (
    <Button variant="primary" icon={<Plus />} onClick={() => setEditing({ alias: null })}>
      {t("alias.new")}
    </Button>
  );
  return (
    <>
      <PageHeader title={t("aliases")} description={data?.environment ? `${t("aliases.text")} ${t("aliases.here", { environment: data.environment })}` : t("aliases.text")} action={add} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? (
        <div className="flex flex-col gap-4">
          <Skeleton className="h-32" />
          <Skeleton className="h-32" />
        </div>
      ) : null}
      {data?.aliases.length === 0 ? (
        <Card>
          <EmptyState icon={<Signpost />} title={t("aliases.empty")}>
            {t("aliases.empty_text")}
          </EmptyState>
        </Card>
      ) : null}
      <div className="flex flex-col gap-4">
        {inOrder(data?.aliases ?? []).map((alias) => (
          <AliasCard key={`${alias.name} ${alias.environment}`} alias={alias} onEdit={() => setEditing({ alias })} />
        ))}
      </div>
      {editing ? <AliasDialog alias={editing.alias} here={data?.environment ?? null} onClose={() => setEditing(null)} /> : null}
    </>
  );
}

/** What answers here and now stands first. */
function inOrder(aliases: Alias[]): Alias[] {
  return [...aliases].sort((a, b) => Number(b.in_force) - Number(a.in_force) || a.name.localeCompare(b.name));
}
