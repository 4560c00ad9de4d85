//! One's own keys for programs that speak the OpenAI dialect: made here, shown once, bound to what they may do, revoked.
import { useQuery } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import type { ApiKey } from "@/api/types";
import { useT } from "@/lib/i18n";
import { KeyDialog } from "@/pages/account/settings/key-dialog";
import { KeyList } from "@/pages/account/settings/key-list";
import { KEYS, keysChanged } from "@/pages/account/settings/key-queries";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Card, EmptyState, Section, Skeleton } from "@/ui/page";

export function KeySettings() {
  const t = useT("account");
  const [making, setMaking] = useState(false);
  const { data, isPending, error, refetch } = useQuery({ queryKey: [...KEYS, "own"], queryFn: ({ signal }) => api.get<ApiKey[]>("/api/keys", undefined, signal) });
  const make = (
    <Button variant="primary" size="small" icon={<Plus />} onClick={() => setMaking(true)}>
      {t("keys.make")}
    </Button>
  );
  return (
    <Section title={t("keys.title")} description={t("keys.text")} action={make}>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-24" /> : null}
      {data?.length === 0 ? (
        <Card>
          <EmptyState icon={<KeyRound />} title={t("keys.empty")}>
            {t("keys.empty_text")}
          </EmptyState>
        </Card>
      ) : null}
      {data ? <KeyList items={data} /> : null}
      {making ? <KeyDialog item={null} onClose={() => setMaking(false)} onDone={keysChanged} /> : null}
    </Section>
  );
}
