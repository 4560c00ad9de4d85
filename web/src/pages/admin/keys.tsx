//! Everybody's API keys: whose, for what, how much was used; an administrator may narrow or revoke any of them.
import { useQuery } from "@tanstack/react-query";
import { KeyRound, Search } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import type { ApiKey } from "@/api/types";
import { useT } from "@/lib/i18n";
import { KeyList } from "@/pages/account/settings/key-list";
import { KEYS } from "@/pages/account/settings/key-queries";
import { Failed } from "@/ui/failed";
import { Input } from "@/ui/input";
import { Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";

/** Lists longer than this get a filter. */
const LONG = 6;

export function KeysPage() {
  const t = useT("admin");
  const [filter, setFilter] = useState("");
  const { data, isPending, error, refetch } = useQuery({ queryKey: [...KEYS, "everybody"], queryFn: ({ signal }) => api.get<ApiKey[]>("/api/keys", { of: "everybody" }, signal), staleTime: 5_000 });
  const wanted = filter.trim().toLowerCase();
  const found = (data ?? []).filter((key) => `${key.name} ${key.person_name} ${key.prefix} ${key.scope.models.join(" ")}`.toLowerCase().includes(wanted));
  return (
    <>
      <PageHeader title={t("keys")} description={t("keys.text")} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-40" /> : null}
      {data && data.length > LONG ? (
        <div className="relative mb-4 max-w-sm">
          <Search className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted-foreground" aria-hidden="true" />
          <Input aria-label={t("keys.filter")} placeholder={t("keys.filter")} className="pl-9" value={filter} onChange={(event) => setFilter(event.target.value)} />
        </div>
      ) : null}
      {data && found.length === 0 ? (
        <Card>
          <EmptyState icon={<KeyRound />} title={t(data.length === 0 ? "keys.empty" : "keys.none_found")}>
            {data.length === 0 ? t("keys.empty_text") : null}
          </EmptyState>
        </Card>
      ) : null}
      <KeyList items={found} owner />
    </>
  );
}
