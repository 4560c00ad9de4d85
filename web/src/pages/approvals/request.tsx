//! One call that waits: what would be done, with exactly which arguments, and the two buttons of whoever may decide.
import { Check, Clock, X } from "lucide-react";
import { useId, useState } from "react";
import type { Approval } from "@/api/approvals";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatDateTime } from "@/lib/time";
import { argumentsOf, decide, toolOf } from "@/pages/approvals/data";
import { Button } from "@/ui/button";
import { Badge } from "@/ui/page";
import { toast } from "@/ui/toast";

const TONES = { pending: "warn", approved: "good", refused: "bad", expired: "neutral" } as const;

export function Request({ call, asker = false }: { call: Approval; /** Says who asked. */ asker?: boolean }) {
  const t = useT("approvals");
  const language = useLanguage();
  const id = useId();
  const pending = call.state === "pending";
  return (
    <section aria-labelledby={id} className="flex min-w-0 flex-col gap-3 rounded-card border bg-background p-4">
      <header className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1">
        <h3 id={id} className="min-w-0 text-ui font-medium break-words">
          {call.title || call.plugin} · {toolOf(call)}
        </h3>
        <Badge tone={TONES[call.state]}>{t(`state.${call.state}`)}</Badge>
      </header>
      <Arguments call={call} />
      <p className="text-meta text-muted-foreground">
        {asker && !call.own ? `${t("asked_by", { name: call.asker })} ` : null}
        {pending ? t("until", { time: formatDateTime(call.expires_at, language) }) : said(call, t, formatDateTime(call.decided_at ?? call.expires_at, language))}
      </p>
      {call.reason ? <p className="text-ui break-words">{t("because", { reason: call.reason })}</p> : null}
      {pending && call.mine ? <Decide call={call} /> : null}
      {pending && !call.mine ? (
        <p className="flex items-center gap-2 text-ui">
          <Clock className="size-4 shrink-0 text-muted-foreground" aria-hidden="true" />
          {call.approver === "people" ? t("waits_for", { names: call.approvers.join(", ") }) : t(`waits_for_${call.approver}`)}
        </p>
      ) : null}
    </section>
  );
}

function said(call: Approval, t: ReturnType<typeof useT<"approvals">>, time: string): string {
  if (call.state === "expired") return t("expired_at", { time });
  return t(call.state === "approved" ? "approved_by" : "refused_by", { name: call.decided_by ?? "", time });
}

function Arguments({ call }: { call: Approval }) {
  const t = useT("approvals");
  const lines = argumentsOf(call);
  if (typeof lines === "string") return <pre className="max-h-60 overflow-auto rounded-control bg-surface p-3 text-meta whitespace-pre-wrap break-words">{lines}</pre>;
  if (lines.length === 0) return <p className="text-meta text-muted-foreground">{t("no_arguments")}</p>;
  return (
    <dl aria-label={t("arguments")} className="grid max-h-80 grid-cols-[minmax(0,auto)_minmax(0,1fr)] gap-x-4 gap-y-1.5 overflow-y-auto text-ui">
      {lines.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted-foreground break-words">{name}</dt>
          <dd className="tabular min-w-0 break-words whitespace-pre-wrap">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Decide({ call }: { call: Approval }) {
  const t = useT("approvals");
  const c = useT("common");
  const [busy, setBusy] = useState<"approve" | "refuse" | null>(null);
  const [refusing, setRefusing] = useState(false);
  const [reason, setReason] = useState("");
  const field = useId();
  const give = async (decision: "approve" | "refuse") => {
    setBusy(decision);
    try {
      await decide(call.id, { decision, reason: decision === "refuse" ? reason.trim() || null : null });
    } catch (error) {
      toast(sentence(error), { tone: "bad" });
    } finally {
      setBusy(null);
    }
  };
  if (refusing) {
    return (
      <form
        className="flex flex-col gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          void give("refuse");
        }}
      >
        <label htmlFor={field} className="text-ui">
          {t("reason")}
        </label>
        <textarea id={field} value={reason} maxLength={500} rows={2} onChange={(event) => setReason(event.target.value)} className="w-full rounded-control border bg-background px-3 py-2 text-ui coarse:text-[16px]" />
        <div className="flex flex-wrap gap-2">
          <Button type="submit" variant="danger" size="small" busy={busy === "refuse"}>
            {t("refuse")}
          </Button>
          <Button size="small" variant="ghost" onClick={() => setRefusing(false)}>
            {c("cancel")}
          </Button>
        </div>
      </form>
    );
  }
  return (
    <div className="flex flex-wrap gap-2">
      <Button variant="primary" size="small" icon={<Check />} busy={busy === "approve"} onClick={() => void give("approve")}>
        {t("approve")}
      </Button>
      <Button size="small" icon={<X />} disabled={busy !== null} onClick={() => setRefusing(true)}>
        {t("refuse_more")}
      </Button>
    </div>
  );
}
