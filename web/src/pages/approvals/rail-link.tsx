//! The way to what waits for the person's word; there only while something does.
import { Link } from "@tanstack/react-router";
import { BadgeCheck } from "lucide-react";
import { ui } from "@/app/ui";
import { useT } from "@/lib/i18n";
import { useApprovals } from "@/pages/approvals/data";

export default function RailLink({ className }: { className: string }) {
  const t = useT("approvals");
  const count = useApprovals().data?.pending.filter((call) => call.mine).length ?? 0;
  if (count === 0) return null;
  return (
    <Link to="/approvals" onClick={ui.closeDrawer} className={className}>
      <BadgeCheck aria-hidden="true" />
      <span className="flex-1">{t("rail")}</span>
      <span className="tabular rounded-full bg-warn/15 px-1.5 text-meta font-medium" aria-label={t("waiting", { count })}>
        {count}
      </span>
    </Link>
  );
}
