//! One's own keys for programs that speak the OpenAI dialect: made here, shown once, revoked.
import { useMutation, useQuery } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import type { ApiKey } from "@/api/types";
import { queries } from "@/app/queries";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatAgo, formatDateTime } from "@/lib/time";
import { NewKeyDialog } from "@/pages/account/settings/new-key";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Badge, Card, EmptyState, Section, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const KEY = ["keys"];

export function KeySettings() {
  const t = useT("account");
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const { data, isPending, error, refetch } = useQuery({ queryKey: KEY, queryFn: ({ signal }) => api.get<ApiKey[]>("/api/keys", undefined, signal) });
  const refresh = () => queries.invalidateQueries({ queryKey: KEY });
  const revoke = useMutation({
    mutationFn: (id: string) => api.delete(`/api/keys/${id}`),
    onSuccess: () => {
      setRevoking(null);
      toast(t("keys.revoked"));
      return refresh();
    },
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
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
      {data && data.length > 0 ? (
        <Card>
          <ul>
            {data.map((key) => (
              <KeyRow key={key.id} item={key} onRevoke={() => setRevoking(key)} />
            ))}
          </ul>
        </Card>
      ) : null}
      {making ? <NewKeyDialog onClose={() => setMaking(false)} onMade={refresh} /> : null}
      <ConfirmDialog
        open={revoking !== null}
        onClose={() => setRevoking(null)}
        onConfirm={() => revoking && revoke.mutate(revoking.id)}
        busy={revoke.isPending}
        danger
        title={t("keys.revoke_title", { name: revoking?.name ?? "" })}
        description={t("keys.revoke_text")}
        confirm={t("keys.revoke")}
      />
    </Section>
  );
}

function KeyRow({ item, onRevoke }: { item: ApiKey; onRevoke: () => void }) {
  const t = useT("account");
  const language = useLanguage();
  const now = Date.now();
  const used = item.last_used_at === null ? t("keys.never_used") : t("keys.used", { ago: formatAgo(item.last_used_at, now, language) });
  const expired = item.expires_at !== null && item.expires_at <= now;
  const ends = item.expires_at === null ? t("keys.no_end") : t("keys.ends", { at: formatDateTime(item.expires_at, language) });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-56">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <span className="min-w-0 truncate">{item.name}</span>
          <code className="rounded-[5px] bg-muted px-1.5 py-0.5 font-mono text-[12px] text-muted-foreground">{item.prefix}…</code>
          {expired ? <Badge tone="warn">{t("keys.expired")}</Badge> : null}
        </p>
        <p className="text-meta text-muted-foreground">{[used, expired ? null : ends].filter(Boolean).join(" · ")}</p>
      </div>
      <Button size="small" onClick={onRevoke} aria-label={`${t("keys.revoke")}: ${item.name}`}>
        {t("keys.revoke")}
      </Button>
    </li>
  );
}
