//! One person in the list, and the acts on them.
import { useMutation } from "@tanstack/react-query";
import { EllipsisVertical, KeyRound, Pencil, UserRoundCheck, UserRoundX } from "lucide-react";
import { useState } from "react";
import { Problem, api } from "@/api/client";
import type { OneTimeLink, Person } from "@/api/types";
import { useMe } from "@/app/session";
import { translate, useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatAgo } from "@/lib/time";
import { adminKeys, refresh } from "@/pages/admin/data";
import { LinkDialog } from "@/pages/admin/link-dialog";
import { PersonDialog } from "@/pages/admin/person-dialog";
import { IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Menu, type MenuEntry } from "@/ui/menu";
import { Meter } from "@/ui/meter";
import { Badge } from "@/ui/page";
import { toast } from "@/ui/toast";

/** What a refusal means here: the only conflict in changing a person is that the last owner would be lost. */
export function personSentence(error: unknown): string {
  return error instanceof Problem && error.code === "conflict" ? translate("admin", "people.last_owner") : sentence(error);
}

type Open = "edit" | "disable" | { link: OneTimeLink } | null;

export function PersonRow({ person }: { person: Person }) {
  const t = useT("admin");
  const c = useT("common");
  const language = useLanguage();
  const me = useMe();
  const [open, setOpen] = useState<Open>(null);
  const said = (error: unknown) => toast(personSentence(error), { tone: "bad" });
  const close = () => setOpen(null);
  const change = useMutation({
    mutationFn: (body: Partial<Person>) => api.patch<Person>(`/api/people/${person.id}`, body),
    onSuccess: close,
    onSettled: () => refresh(adminKeys.people),
    onError: said,
  });
  const reset = useMutation({ mutationFn: () => api.post<OneTimeLink>(`/api/people/${person.id}/reset`), onSuccess: (link) => setOpen({ link }), onError: said });
  const name = person.display_name || person.name;
  const self = person.id === me.id;
  // The portal lets only an owner touch an owner; a control that would be refused is not shown.
  const mayChange = me.role === "owner" || person.role !== "owner";
  const entries: MenuEntry[] = [
    { id: "edit", label: t("people.edit"), icon: <Pencil />, onSelect: () => setOpen("edit") },
    { id: "reset", label: t("people.reset"), icon: <KeyRound />, onSelect: () => reset.mutate() },
    ...(self
      ? []
      : [
          "separator" as const,
          person.disabled
            ? { id: "enable", label: t("people.enable"), icon: <UserRoundCheck />, onSelect: () => change.mutate({ disabled: false }) }
            : { id: "disable", label: t("people.disable"), icon: <UserRoundX />, danger: true, onSelect: () => setOpen("disable") },
        ]),
  ];

  return (
    <li className="grid grid-cols-[minmax(0,1fr)_2.25rem] items-center gap-x-4 gap-y-1 border-b px-4 py-3 last:border-b-0 md:grid-cols-[minmax(0,2.2fr)_1fr_1fr_1.3fr_2.25rem]">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="min-w-0 truncate">{name}</span>
          {self ? <Badge>{t("people.you")}</Badge> : null}
          {person.disabled ? <Badge tone="warn">{t("people.disabled")}</Badge> : null}
        </p>
        <p className="truncate text-meta text-muted-foreground">{person.name}</p>
      </div>
      <span className="col-start-1 text-meta md:col-start-auto md:text-ui">{c(`role.${person.role}`)}</span>
      <span className="col-start-1 text-meta text-muted-foreground md:col-start-auto">
        <span className="md:sr-only">{`${t("people.seen")}: `}</span>
        {person.last_seen_at === null ? t("people.never") : formatAgo(person.last_seen_at, Date.now(), language)}
      </span>
      <Tokens person={person} />
      <span className="col-start-2 row-start-1 flex justify-end md:col-start-auto md:row-start-auto">
        {mayChange ? (
          <Menu
            align="end"
            entries={entries}
            trigger={
              <IconButton label={t("people.menu", { name })}>
                <EllipsisVertical />
              </IconButton>
            }
          />
        ) : null}
      </span>
      {open === "edit" ? <PersonDialog person={person} busy={change.isPending} onClose={close} onSave={(body) => change.mutate(body)} /> : null}
      <ConfirmDialog
        open={open === "disable"}
        onClose={close}
        onConfirm={() => change.mutate({ disabled: true })}
        busy={change.isPending}
        danger
        title={t("people.disable_title", { name })}
        description={t("people.disable_text")}
        confirm={t("people.disable")}
      />
      {open !== null && typeof open === "object" ? <LinkDialog title={t("people.reset_title", { name })} text={t("people.reset_text")} made={open.link} onClose={close} /> : null}
    </li>
  );
}

function Tokens({ person }: { person: Person }) {
  const t = useT("admin");
  const limit = person.daily_token_limit;
  return (
    <span className="tabular col-start-1 text-meta text-muted-foreground md:col-start-auto">
      <span className="md:sr-only">{`${t("people.tokens")}: `}</span>
      {limit === null ? t("people.used", { used: person.tokens_today }) : t("people.used_of", { used: person.tokens_today, limit })}
      {limit === null ? null : <Meter label={t("people.tokens")} value={person.tokens_today} max={limit} className="mt-1 max-w-32" />}
    </span>
  );
}
