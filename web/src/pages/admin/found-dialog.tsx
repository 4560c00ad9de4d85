//! Servers that answer on this machine: each with its models, added by one click.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Check, Plus, Radar, RefreshCw, Server } from "lucide-react";
import type { ReactNode } from "react";
import { api } from "@/api/client";
import type { Found } from "@/api/types";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { adminKeys, refresh } from "@/pages/admin/data";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Badge, EmptyState, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

export function FoundDialog({ ways, onClose }: { ways: ReactNode; onClose: () => void }) {
  const t = useT("admin");
  const c = useT("common");
  const { data, isFetching, error, refetch } = useQuery({ queryKey: adminKeys.found, queryFn: async () => (await api.post<{ found: Found[] }>("/api/providers/discover")).found, staleTime: 0, gcTime: 0 });
  const add = useMutation({
    mutationFn: ({ name, kind, base_url }: Found) => api.post("/api/providers", { name, kind, base_url }),
    onSuccess: async (_, found) => {
      toast(t("provider.added", { name: found.name }));
      await Promise.all([refresh(adminKeys.providers), refetch()]);
    },
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("models.add")}
      description={t("found.text")}
      footer={
        <>
          <Button icon={<RefreshCw />} busy={isFetching} onClick={() => void refetch()}>
            {t(isFetching ? "found.looking" : "found.look")}
          </Button>
          <Button onClick={onClose}>{c("close")}</Button>
        </>
      }
    >
      <div className="flex flex-col gap-5">
        {ways}
        {error ? <Failed error={error} again={refetch} /> : null}
        {!data && !error ? (
          <div className="flex flex-col gap-2" aria-hidden="true">
            <Skeleton className="h-16" />
            <Skeleton className="h-16" />
          </div>
        ) : null}
        {data?.length === 0 ? (
          <EmptyState icon={<Radar />} title={t("found.none")}>
            {t("found.none_text")}
          </EmptyState>
        ) : null}
        {data && data.length > 0 ? (
          <ul className="rounded-[10px] border">
            {data.map((found) => (
              <li key={found.base_url} className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b px-3 py-3 last:border-b-0">
                <Server className="size-[18px] shrink-0 text-muted-foreground" aria-hidden="true" />
                <div className="min-w-0 flex-1 basis-48">
                  <p className="flex flex-wrap items-center gap-x-2.5">
                    <span className="font-medium">{found.name}</span>
                    <span className="tabular text-meta text-muted-foreground">{[found.version, `${found.latency_ms} ms`].filter(Boolean).join(" · ")}</span>
                  </p>
                  <p className="font-mono text-[12px] break-all text-muted-foreground">{found.base_url}</p>
                  <p className="truncate text-meta text-muted-foreground">{[t("found.models", { count: found.models.length }), found.models.join(", ")].filter(Boolean).join(": ")}</p>
                </div>
                {found.known ? (
                  <Badge tone="good">
                    <Check className="size-3.5" aria-hidden="true" />
                    {t("found.added")}
                  </Badge>
                ) : (
                  <Button size="small" icon={<Plus />} aria-label={t("found.add", { name: found.name })} busy={add.isPending && add.variables?.base_url === found.base_url} onClick={() => add.mutate(found)}>
                    {t("provider.add")}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        ) : null}
      </div>
    </Dialog>
  );
}
