//! Where one is signed in, and how to end it there.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Monitor, Smartphone } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import type { Session } from "@/api/types";
import { queries } from "@/app/queries";
import { formatAgo } from "@/lib/time";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { describeBrowser } from "@/pages/account/settings/user-agent";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Badge, Card, Section, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const KEY = ["sessions"];
/** The portal notes a use at most once a minute, so "just now" is as near as it gets. */
const NOW_MS = 90_000;

export function SessionSettings() {
  const t = useT("account");
  const [ending, setEnding] = useState(false);
  const { data, isPending, error, refetch } = useQuery({ queryKey: KEY, queryFn: ({ signal }) => api.get<Session[]>("/api/sessions", undefined, signal) });
  const refresh = () => queries.invalidateQueries({ queryKey: KEY });
  const said = (problem: unknown) => toast(sentence(problem), { tone: "bad" });
  const endOne = useMutation({ mutationFn: (id: string) => api.delete(`/api/sessions/${id}`), onSuccess: refresh, onError: said });
  const endOthers = useMutation({
    mutationFn: () => api.delete("/api/sessions"),
    onSuccess: () => {
      setEnding(false);
      toast(t("sessions.others_done"));
      return refresh();
    },
    onError: said,
  });
  const sessions = [...(data ?? [])].sort((a, b) => Number(b.current) - Number(a.current) || b.seen_at - a.seen_at);

  return (
    <Section
      title={t("sessions.title")}
      description={t("sessions.text")}
      action={
        sessions.length > 1 ? (
          <Button size="small" onClick={() => setEnding(true)}>
            {t("sessions.end_others")}
          </Button>
        ) : null
      }
    >
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-32" /> : null}
      {sessions.length > 0 ? (
        <Card>
          <ul>
            {sessions.map((session) => (
              <SessionRow key={session.id} session={session} busy={endOne.isPending && endOne.variables === session.id} onEnd={() => endOne.mutate(session.id)} />
            ))}
          </ul>
        </Card>
      ) : null}
      <ConfirmDialog
        open={ending}
        onClose={() => setEnding(false)}
        onConfirm={() => endOthers.mutate()}
        busy={endOthers.isPending}
        title={t("sessions.end_others")}
        description={t("sessions.end_others_text")}
        confirm={t("sessions.end_others_confirm")}
      />
    </Section>
  );
}

function SessionRow({ session, busy, onEnd }: { session: Session; busy: boolean; onEnd: () => void }) {
  const t = useT("account");
  const language = useLanguage();
  const browser = describeBrowser(session.user_agent);
  const now = Date.now();
  const seen = session.current || now - session.seen_at < NOW_MS ? t("sessions.now") : formatAgo(session.seen_at, now, language);
  const name = browser.name ?? t("sessions.unknown");
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <span className="text-muted-foreground [&_svg]:size-5">{browser.phone ? <Smartphone aria-hidden="true" /> : <Monitor aria-hidden="true" />}</span>
      <div className="min-w-0 flex-1 basis-48">
        <p className="flex flex-wrap items-center gap-2">
          {name}
          {session.current ? <Badge tone="good">{t("sessions.this")}</Badge> : null}
        </p>
        <p className="text-meta text-muted-foreground">{[seen, session.address].filter(Boolean).join(" · ")}</p>
      </div>
      {session.current ? null : (
        <Button size="small" busy={busy} onClick={onEnd} aria-label={`${t("sessions.end")}: ${name}`}>
          {t("sessions.end")}
        </Button>
      )}
    </li>
  );
}
