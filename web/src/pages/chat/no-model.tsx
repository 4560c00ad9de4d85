//! On the start page as long as there is no model: what to do about it, for those who can.
import { Link } from "@tanstack/react-router";
import { Boxes } from "lucide-react";
import { useMe, useSession } from "@/app/session";
import { useT } from "@/lib/i18n";
import { buttonLook } from "@/ui/button";

export default function NoModel() {
  const t = useT("chat");
  const me = useMe();
  const engine = useSession((state) => state.portal.local_engine);
  const member = me.role === "member";
  const text = member ? "home.no_model.member" : engine ? "home.no_model.admin" : "home.no_model.admin_engineless";
  return (
    <div role="status" className="mb-4 flex flex-wrap items-center gap-x-4 gap-y-3 rounded-card border bg-surface px-5 py-4">
      <Boxes className="size-5 shrink-0 text-muted-foreground" aria-hidden="true" />
      <div className="min-w-0 flex-1 basis-64">
        <p className="font-medium">{t("home.no_model.title")}</p>
        <p className="text-meta text-muted-foreground">{t(text)}</p>
      </div>
      {member ? null : (
        <Link to={"/admin/models" as string} className={buttonLook("primary", "medium")}>
          {t("home.no_model.add")}
        </Link>
      )}
    </div>
  );
}
