//! Making an invitation: role, a note for oneself, how long it works; then the link, this once.
import { zodResolver } from "@hookform/resolvers/zod";
import { useMutation } from "@tanstack/react-query";
import { useForm } from "react-hook-form";
import { z } from "zod";
import { api } from "@/api/client";
import type { OneTimeLink, Role } from "@/api/types";
import { useMe } from "@/app/session";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { adminKeys, refresh } from "@/pages/admin/data";
import { LinkDialog } from "@/pages/admin/link-dialog";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/input";
import { Notice } from "@/ui/page";

const DAYS = ["1", "3", "7", "14", "30"] as const;
const schema = z.object({ role: z.enum(["member", "admin", "owner"]), note: z.string().trim().max(200), days: z.enum(DAYS) });
type Fields = z.infer<typeof schema>;

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const t = useT("admin");
  const c = useT("common");
  const me = useMe();
  const roles: Role[] = me.role === "owner" ? ["member", "admin", "owner"] : ["member", "admin"];
  const { register, handleSubmit, formState } = useForm<Fields>({ resolver: zodResolver(schema), defaultValues: { role: "member", note: "", days: "7" } });
  const make = useMutation({
    mutationFn: ({ role, note, days }: Fields) => api.post<OneTimeLink>("/api/invitations", { role, days: Number(days), ...(note ? { note } : {}) }),
    onSuccess: () => refresh(adminKeys.invitations),
  });
  if (make.data) return <LinkDialog title={t("invite.link_title")} text={t("invite.link_text")} made={make.data} onClose={onClose} />;
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("invite.make")}
      width="small"
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" type="submit" form="invite" busy={make.isPending}>
            {t("invite.submit")}
          </Button>
        </>
      }
    >
      <form id="invite" noValidate onSubmit={(event) => void handleSubmit((fields) => make.mutate(fields))(event)} className="flex flex-col gap-4">
        {make.error ? (
          <Notice tone="bad" role="alert">
            {sentence(make.error)}
          </Notice>
        ) : null}
        <Field label={t("people.role")} hint={t("people.role_hint")}>
          <Select {...register("role")}>
            {roles.map((role) => (
              <option key={role} value={role}>
                {c(`role.${role}`)}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("invite.note")} hint={t("invite.note_hint")} aside={c("optional")} error={formState.errors.note ? t("invite.note_long") : undefined}>
          <Input autoComplete="off" {...register("note")} />
        </Field>
        <Field label={t("invite.days")}>
          <Select {...register("days")}>
            {DAYS.map((days) => (
              <option key={days} value={days}>
                {t("invite.days_count", { count: Number(days) })}
              </option>
            ))}
          </Select>
        </Field>
      </form>
    </Dialog>
  );
}
