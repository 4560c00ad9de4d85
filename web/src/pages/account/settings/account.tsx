//! Who one is here: the name others see, the password, the way out.
import { zodResolver } from "@hookform/resolvers/zod";
import { useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { z } from "zod";
import { Problem, api } from "@/api/client";
import { changeMe, signOut, useMe } from "@/app/session";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { PasswordInput, StrengthHint } from "@/pages/account/password-input";
import { displayName, newPassword, refusedField } from "@/pages/account/person-schema";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";
import { Badge, Card, Notice, Row, Section } from "@/ui/page";
import { toast } from "@/ui/toast";

export function AccountSettings() {
  const t = useT("account");
  const c = useT("common");
  const me = useMe();
  return (
    <>
      <Section title={t("account.you")}>
        <Card>
          <Row title={t("name")} description={me.name} />
          <Row title={t("account.role")}>
            <Badge>{c(`role.${me.role}`)}</Badge>
          </Row>
          <DisplayName />
        </Card>
      </Section>
      <Section title={t("account.password")} description={t("account.password_text")}>
        <PasswordForm />
      </Section>
      <Button onClick={() => void signOut().catch((error: unknown) => toast(sentence(error), { tone: "bad" }))}>{t("account.sign_out")}</Button>
    </>
  );
}

const nameSchema = z.object({ display_name: displayName });

function DisplayName() {
  const t = useT("account");
  const c = useT("common");
  const me = useMe();
  const { register, handleSubmit, reset, setError, formState } = useForm({ resolver: zodResolver(nameSchema), defaultValues: { display_name: me.display_name } });
  const key = formState.errors.display_name?.message;
  const save = handleSubmit(async ({ display_name }) => {
    try {
      await changeMe({ display_name });
      reset({ display_name });
      toast(c("saved"));
    } catch (error) {
      const found = refusedField(error);
      if (found) setError("display_name", { message: found.key });
      else toast(sentence(error), { tone: "bad" });
    }
  });
  return (
    <form noValidate onSubmit={(event) => void save(event)} className="flex flex-wrap items-end gap-x-3 gap-y-3 px-4 py-4">
      <div className="min-w-0 flex-1 basis-60">
        <Field label={t("display_name")} error={key ? t(key as Key<"account">) : undefined}>
          <Input autoComplete="name" {...register("display_name")} />
        </Field>
      </div>
      <Button type="submit" busy={formState.isSubmitting} disabled={!formState.isDirty}>
        {c("save")}
      </Button>
    </form>
  );
}

const passwordSchema = z.object({ current: z.string().min(1, "invalid.password_empty" satisfies Key<"account">), password: newPassword });
type PasswordFields = z.infer<typeof passwordSchema>;

function PasswordForm() {
  const t = useT("account");
  const me = useMe();
  const { register, handleSubmit, reset, control, setError, formState } = useForm<PasswordFields>({ resolver: zodResolver(passwordSchema), defaultValues: { current: "", password: "" } });
  const typed = useWatch({ control, name: "password" });
  const [refused, setRefused] = useState<unknown>(null);
  const says = (field: keyof PasswordFields) => {
    const key = formState.errors[field]?.message;
    return key ? t(key as Key<"account">) : undefined;
  };
  const save = handleSubmit(async ({ current, password }) => {
    setRefused(null);
    try {
      await api.put("/api/me/password", { current, new: password });
      reset();
      toast(t("account.password_done"));
    } catch (error) {
      const found = refusedField(error);
      if (found?.field === "password") setError("password", { message: found.key }, { shouldFocus: true });
      else if (error instanceof Problem && error.code === "wrong_credentials") setError("current", { message: "invalid.current" satisfies Key<"account"> }, { shouldFocus: true });
      else setRefused(error);
    }
  });
  return (
    <form noValidate onSubmit={(event) => void save(event)}>
      <Card className="flex flex-col gap-4 p-4 sm:p-5">
        {refused ? (
          <Notice tone="bad" role="alert">
            {sentence(refused)}
          </Notice>
        ) : null}
        <input type="text" autoComplete="username" value={me.name} readOnly hidden aria-hidden="true" tabIndex={-1} />
        <Field label={t("password.current")} error={says("current")}>
          <PasswordInput autoComplete="current-password" {...register("current")} />
        </Field>
        <Field label={t("password.new")} hint={<StrengthHint password={typed} known={[me.name, me.display_name]} />} error={says("password")}>
          <PasswordInput autoComplete="new-password" {...register("password")} />
        </Field>
        <Button type="submit" busy={formState.isSubmitting} disabled={!formState.isDirty} className="self-end">
          {t("account.password_save")}
        </Button>
      </Card>
    </form>
  );
}
