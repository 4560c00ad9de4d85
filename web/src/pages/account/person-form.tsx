//! The form that makes a person: the owner at setup, a member at an invitation. What is sent where is the page's.
import { zodResolver } from "@hookform/resolvers/zod";
import { useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { type PersonFields, person, refusedField } from "@/pages/account/person-schema";
import { PasswordInput, StrengthHint } from "@/pages/account/password-input";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";
import { Notice } from "@/ui/page";

export function PersonForm({ submit, onSubmit }: { submit: string; onSubmit: (fields: PersonFields) => Promise<void> }) {
  const t = useT("account");
  const { register, handleSubmit, control, setError, formState } = useForm<PersonFields>({ resolver: zodResolver(person), defaultValues: { display_name: "", name: "", password: "" } });
  const [refused, setRefused] = useState<unknown>(null);
  const typed = useWatch({ control });
  const says = (field: keyof PersonFields) => {
    const key = formState.errors[field]?.message;
    return key ? t(key as Key<"account">) : undefined;
  };
  const send = handleSubmit(async (fields) => {
    setRefused(null);
    try {
      await onSubmit(fields);
    } catch (error) {
      const found = refusedField(error);
      if (found) setError(found.field as keyof PersonFields, { message: found.key }, { shouldFocus: true });
      else setRefused(error);
    }
  });
  return (
    <form noValidate onSubmit={(event) => void send(event)} className="flex flex-col gap-4">
      {refused ? (
        <Notice tone="bad" role="alert">
          {sentence(refused)}
        </Notice>
      ) : null}
      <Field label={t("display_name")} error={says("display_name")}>
        <Input autoComplete="name" autoFocus {...register("display_name")} />
      </Field>
      <Field label={t("name")} hint={t("name.hint")} error={says("name")}>
        <Input autoComplete="username" autoCapitalize="none" spellCheck={false} {...register("name")} />
      </Field>
      <Field label={t("password")} hint={<StrengthHint password={typed.password ?? ""} known={[typed.name ?? "", typed.display_name ?? ""]} />} error={says("password")}>
        <PasswordInput autoComplete="new-password" {...register("password")} />
      </Field>
      <Button type="submit" variant="primary" busy={formState.isSubmitting} className="mt-2 w-full">
        {submit}
      </Button>
    </form>
  );
}
