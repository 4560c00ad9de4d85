//! A person's role and daily limit.
import { useForm, useWatch } from "react-hook-form";
import type { Person, Role } from "@/api/types";
import { useMe, useSession } from "@/app/session";
import { useT } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/input";

type Fields = { role: Role; limited: "portal" | "own"; limit: string };

type Props = { person: Person; busy: boolean; onClose: () => void; onSave: (change: Partial<Person>) => void };

export function PersonDialog({ person, busy, onClose, onSave }: Props) {
  const t = useT("admin");
  const c = useT("common");
  const me = useMe();
  const portalLimit = useSession((state) => state.portal.daily_token_limit);
  const { register, handleSubmit, control, formState } = useForm<Fields>({
    defaultValues: { role: person.role, limited: person.daily_token_limit === null ? "portal" : "own", limit: person.daily_token_limit?.toString() ?? "" },
  });
  const limited = useWatch({ control, name: "limited" });
  const roles: Role[] = me.role === "owner" ? ["member", "admin", "owner"] : ["member", "admin"];
  const save = handleSubmit(({ role, limited: whose, limit }) => {
    const daily_token_limit = whose === "portal" ? null : Number(limit);
    onSave({ ...(role === person.role ? {} : { role }), ...(daily_token_limit === person.daily_token_limit ? {} : { daily_token_limit }) });
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={person.display_name || person.name}
      width="small"
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" type="submit" form="person" busy={busy} disabled={!formState.isDirty}>
            {c("save")}
          </Button>
        </>
      }
    >
      <form id="person" noValidate onSubmit={(event) => void save(event)} className="flex flex-col gap-4">
        <Field label={t("people.role")} hint={t("people.role_hint")}>
          <Select {...register("role")}>
            {roles.map((role) => (
              <option key={role} value={role}>
                {c(`role.${role}`)}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("people.limit")} hint={limited === "portal" ? (portalLimit === null ? t("people.limit_none") : undefined) : undefined}>
          <Select {...register("limited")}>
            <option value="portal">{t("people.limit_portal")}</option>
            <option value="own">{t("people.limit_own")}</option>
          </Select>
        </Field>
        {limited === "own" ? (
          <Field label={t("people.limit_tokens")} error={formState.errors.limit ? t("people.limit_wrong") : undefined}>
            <Input inputMode="numeric" autoComplete="off" className="tabular" {...register("limit", { validate: (text) => /^[1-9]\d{0,14}$/.test(text.trim()) })} />
          </Field>
        ) : null}
      </form>
    </Dialog>
  );
}
