//! What each model can do, found out by asking it: one row for a model, one column for a capability, the evidence behind each mark.
import { useMutation } from "@tanstack/react-query";
import { FlaskConical, Grid3x3 } from "lucide-react";
import { useState } from "react";
import type { Matrix, Provider, ProviderModel } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatAgo } from "@/lib/time";
import { CAPABILITIES, test, useMatrix } from "@/pages/admin/capabilities/data";
import { Mark, MarkIcon } from "@/pages/admin/capabilities/mark";
import { useProviders } from "@/pages/admin/data";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";
import { TableFrame } from "@/ui/table-frame";
import { toast } from "@/ui/toast";

export function CapabilitiesPage() {
  const t = useT("engines");
  const providers = useProviders();
  const offered = (providers.data ?? []).filter((provider) => provider.enabled).map((provider) => ({ ...provider, models: provider.models.filter((model) => model.enabled) }));
  const groups = grouped(offered.filter((provider) => provider.models.length > 0), t("matrix.here"));
  const rows = useMatrix(groups.flatMap((group) => group.models.map((model) => model.id)));
  const failed = rows.find((row) => row.error);
  const error = providers.error ?? failed?.error;
  const known = rows.flatMap((row) => (row.data ? [row.data] : []));
  const cost = known[0]?.cost;
  return (
    <>
      <PageHeader title={t("matrix")} description={cost ? `${t("matrix.text")} ${t("matrix.cost", { count: cost.requests, tokens: cost.tokens })}` : t("matrix.text")} />
      {error ? <Failed error={error} again={() => Promise.all([providers.refetch(), ...rows.map((row) => row.refetch())])} /> : null}
      {providers.isPending ? <Skeleton className="h-64" /> : null}
      {providers.data && groups.length === 0 ? (
        <Card>
          <EmptyState icon={<Grid3x3 />} title={t("matrix.empty")}>
            {t("matrix.empty_text")}
          </EmptyState>
        </Card>
      ) : null}
      {groups.length > 0 && !error ? (
        <>
          <Table groups={groups} rows={known} />
          <Legend />
        </>
      ) : null}
    </>
  );
}

type Group = { id: string; name: string; models: ProviderModel[] };

/** The files of this machine are one engine, though each is a provider of its own. */
function grouped(providers: Provider[], here: string): Group[] {
  const locals = providers.filter((provider) => provider.source === "local").flatMap((provider) => provider.models);
  const others = providers.filter((provider) => provider.source !== "local").map(({ id, name, models }) => ({ id, name, models }));
  return [...(locals.length > 0 ? [{ id: "local", name: here, models: locals }] : []), ...others];
}

function Table({ groups, rows }: { groups: Group[]; rows: Matrix[] }) {
  const t = useT("engines");
  const byModel = new Map(rows.map((one) => [one.model, one]));
  return (
    <TableFrame label={t("matrix")}>
      <table className="w-full border-collapse text-ui">
        <thead>
          <tr className="border-b bg-surface">
            <th scope="col" className="sticky left-0 z-1 min-w-44 bg-surface max-sm:min-w-34 px-4 py-2.5 text-left text-meta font-medium text-muted-foreground">
              {t("matrix.model")}
            </th>
            {CAPABILITIES.map((capability) => (
              <th key={capability} scope="col" className="px-1.5 py-2.5 text-center text-[12px] leading-tight font-medium text-muted-foreground">
                {t(`can.${capability}`)}
              </th>
            ))}
            <th scope="col" className="px-4 py-2.5 text-right text-meta font-medium text-muted-foreground">
              {t("matrix.tested")}
            </th>
          </tr>
        </thead>
        {groups.map((group) => (
          <tbody key={group.id}>
            <tr className="border-b">
              <th scope="rowgroup" colSpan={CAPABILITIES.length + 2} className="bg-surface/60 px-4 py-1.5 text-left text-meta font-medium">
                <span className="sticky left-4">{group.name}</span>
              </th>
            </tr>
            {group.models.map((model) => (
              <ModelRow key={model.id} model={model} matrix={byModel.get(model.id) ?? null} />
            ))}
          </tbody>
        ))}
      </table>
    </TableFrame>
  );
}

function ModelRow({ model, matrix }: { model: ProviderModel; matrix: Matrix | null }) {
  const t = useT("engines");
  const language = useLanguage();
  const [now] = useState(() => Date.now());
  const run = useMutation({
    mutationFn: () => test(model.id),
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  const name = model.display_name ?? model.name;
  const evidence = new Map((matrix?.rows ?? []).map((one) => [one.capability, one]));
  return (
    <tr className="group/row border-b hover:bg-surface/70 [tbody:last-child_&:last-child]:border-b-0">
      <th scope="row" className="sticky left-0 z-1 max-w-64 bg-background max-sm:max-w-34 px-4 py-2 text-left font-normal group-hover/row:bg-surface">
        <span className="block truncate">{name}</span>
        <span className="block truncate font-mono text-[12px] text-muted-foreground">{model.id}</span>
      </th>
      {CAPABILITIES.map((capability) => (
        <td key={capability} className="px-1 py-1 text-center">
          <Mark model={name} capability={capability} evidence={evidence.get(capability) ?? null} busy={run.isPending} />
        </td>
      ))}
      <td className="px-4 py-1.5 text-right whitespace-nowrap">
        <span className="mr-3 text-meta text-muted-foreground max-lg:hidden">{matrix?.at && !run.isPending ? formatAgo(Math.min(matrix.at, Math.max(now, matrix.at)), Math.max(now, matrix.at), language) : null}</span>
        <Button size="small" icon={<FlaskConical />} busy={run.isPending} aria-label={`${t("matrix.test")}: ${name}`} onClick={() => run.mutate()}>
          {t(run.isPending ? "matrix.testing" : "matrix.test")}
        </Button>
      </td>
    </tr>
  );
}

function Legend() {
  const t = useT("engines");
  return (
    <ul className="mt-3 flex flex-wrap gap-x-6 gap-y-1.5 text-meta text-muted-foreground">
      {(["yes", "no", "unknown", "untested"] as const).map((answer) => (
        <li key={answer} className="flex items-center gap-2">
          <MarkIcon answer={answer} />
          {t(`mark.${answer}`)}
        </li>
      ))}
    </ul>
  );
}
