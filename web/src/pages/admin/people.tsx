//! The people here: role, last seen, tokens today, and what an administrator can change in them.
import { Link } from "@tanstack/react-router";
import { MailPlus } from "lucide-react";
import { useT } from "@/lib/i18n";
import { usePeople } from "@/pages/admin/data";
import { PersonRow } from "@/pages/admin/person-row";
import { buttonLook } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Card, PageHeader, Skeleton } from "@/ui/page";

const RANK = { owner: 0, admin: 1, member: 2 };

export function PeoplePage() {
  const t = useT("admin");
  const { data, isPending, error, refetch } = usePeople();
  const people = [...(data ?? [])].sort((a, b) => Number(a.disabled) - Number(b.disabled) || RANK[a.role] - RANK[b.role] || a.created_at - b.created_at);
  const invite = (
    <Link to="/admin/invitations" className={buttonLook("primary", "medium")}>
      <MailPlus aria-hidden="true" />
      {t("invite.make")}
    </Link>
  );
  return (
    <>
      <PageHeader title={t("people")} description={t("people.text")} action={invite} />
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-48" /> : null}
      {people.length > 0 ? (
        <Card>
          <div aria-hidden="true" className="hidden border-b px-4 py-2 text-meta text-muted-foreground md:grid md:grid-cols-[minmax(0,2.2fr)_1fr_1fr_1.3fr_2.25rem] md:gap-4">
            <span>{t("people.person")}</span>
            <span>{t("people.role")}</span>
            <span>{t("people.seen")}</span>
            <span>{t("people.tokens")}</span>
          </div>
          <ul>
            {people.map((person) => (
              <PersonRow key={person.id} person={person} />
            ))}
          </ul>
        </Card>
      ) : null}
      {people.length === 1 ? <p className="mt-4 text-meta text-muted-foreground">{t("people.alone")}</p> : null}
    </>
  );
}
