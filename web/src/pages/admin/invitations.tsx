//! Invitations: the open ones, what became of the others, and how to make one.
import { useMutation } from "@tanstack/react-query";
import { MailPlus, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import type { Invitation } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatAgo, formatDateTime } from "@/lib/time";
import { adminKeys, refresh, useInvitations } from "@/pages/admin/data";
import { InviteDialog } from "@/pages/admin/invite-dialog";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Badge, Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

type Fate = "open" | "used" | "expired";
const RANK: Record<Fate, number> = { open: 0, used: 1, expired: 2 };

export function fateOf(invitation: Invitation, now: number): Fate {
  if (invitation.used_by_name !== null) return "used";
  return invitation.expires_at <= now ? "expired" : "open";
}

export function InvitationsPage() {
  const t = useT("admin");
  const [making, setMaking] = useState(false);
  const [withdrawing, setWithdrawing] = useState<Invitation | null>(null);
  const { data, isPending, error, refetch } = useInvitations();
  const [now] = useState(() => Date.now());
  const withdraw = useMutation({
    mutationFn: (id: string) => api.delete(`/api/invitations/${id}`),
    onSuccess: () => {
      setWithdrawing(null);
      toast(t("invite.withdrawn"));
    },
    onSettled: () => refresh(adminKeys.invitations),
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  const invitations = [...(data ?? [])].sort((a, b) => RANK[fateOf(a, now)] - RANK[fateOf(b, now)] || b.created_at - a.created_at);
  return (
    <>
      <PageHeader
        title={t("invitations")}
        description={t("invite.text")}
        action={
          <Button variant="primary" icon={<Plus />} onClick={() => setMaking(true)}>
            {t("invite.make")}
          </Button>
        }
      />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {data?.length === 0 ? (
        <Card>
          <EmptyState icon={<MailPlus />} title={t("invite.empty")}>
            {t("invite.empty_text")}
          </EmptyState>
        </Card>
      ) : null}
      {invitations.length > 0 ? (
        <Card>
          <ul>
            {invitations.map((invitation) => (
              <InvitationRow key={invitation.id} invitation={invitation} fate={fateOf(invitation, now)} now={now} onWithdraw={() => setWithdrawing(invitation)} />
            ))}
          </ul>
        </Card>
      ) : null}
      {making ? <InviteDialog onClose={() => setMaking(false)} /> : null}
      <ConfirmDialog
        open={withdrawing !== null}
        onClose={() => setWithdrawing(null)}
        onConfirm={() => withdrawing && withdraw.mutate(withdrawing.id)}
        busy={withdraw.isPending}
        danger
        title={t("invite.withdraw_title")}
        description={t("invite.withdraw_text")}
        confirm={t("invite.withdraw")}
      />
    </>
  );
}

type RowProps = { invitation: Invitation; fate: Fate; now: number; onWithdraw: () => void };

function InvitationRow({ invitation, fate, now, onWithdraw }: RowProps) {
  const t = useT("admin");
  const c = useT("common");
  const language = useLanguage();
  const became = {
    open: t("invite.until", { at: formatDateTime(invitation.expires_at, language) }),
    used: t("invite.used_by", { name: invitation.used_by_name ?? "" }),
    expired: t("invite.expired_at", { at: formatDateTime(invitation.expires_at, language) }),
  }[fate];
  const made = t("invite.made_by", { name: invitation.created_by_name, ago: formatAgo(invitation.created_at, now, language) });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <span className="min-w-0 truncate">{invitation.note || c(`role.${invitation.role}`)}</span>
          {invitation.note ? <Badge>{c(`role.${invitation.role}`)}</Badge> : null}
          <Badge tone={fate === "open" ? "good" : "neutral"}>{t(`invite.${fate}`)}</Badge>
        </p>
        <p className="text-meta text-muted-foreground">{[became, made].join(" · ")}</p>
      </div>
      {fate === "open" ? (
        <Button size="small" onClick={onWithdraw} aria-label={`${t("invite.withdraw")}: ${invitation.note || c(`role.${invitation.role}`)}`}>
          {t("invite.withdraw")}
        </Button>
      ) : null}
    </li>
  );
}
