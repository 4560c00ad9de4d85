//! All calls that wait for the person's word, those of their own that wait for somebody else's, and what was decided.
import { Link } from "@tanstack/react-router";
import { BadgeCheck } from "lucide-react";
import type { Approval } from "@/api/approvals";
import { useT } from "@/lib/i18n";
import { useApprovals } from "@/pages/approvals/data";
import { Request } from "@/pages/approvals/request";
import { Frame } from "@/pages/assistants/frame";
import { Failed } from "@/ui/failed";
import { Card, EmptyState, PageHeader, Skeleton } from "@/ui/page";

export function ApprovalsPage() {
  const t = useT("approvals");
  const { data, error, isPending, refetch } = useApprovals();
  const mine = data?.pending.filter((call) => call.mine) ?? [];
  const others = data?.pending.filter((call) => !call.mine) ?? [];
  return (
    <Frame>
      <PageHeader title={t("title")} description={t("text")} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-40 rounded-card" /> : null}
      {data && data.pending.length + data.decided.length === 0 ? (
        <Card>
          <EmptyState icon={<BadgeCheck />} title={t("none")}>
            {t("none_text")}
          </EmptyState>
        </Card>
      ) : null}
      <Part title={t("mine")} calls={mine} />
      <Part title={t("others")} calls={others} />
      <Part title={t("decided")} calls={data?.decided ?? []} />
    </Frame>
  );
}

function Part({ title, calls }: { title: string; calls: Approval[] }) {
  const t = useT("approvals");
  if (calls.length === 0) return null;
  return (
    <section className="mt-6 first:mt-0">
      <h2 className="mb-3 text-[15px] font-semibold">{title}</h2>
      <ul className="flex flex-col gap-3">
        {calls.map((call) => (
          <li key={call.id}>
            <Request call={call} asker />
            {call.conversation ? (
              <Link to="/c/$conversation" params={{ conversation: call.conversation }} className="touch-target mt-1 inline-block text-meta text-muted-foreground underline underline-offset-4">
                {t("conversation")}
              </Link>
            ) : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
