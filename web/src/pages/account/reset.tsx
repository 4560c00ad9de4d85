//! A new password by a one-time link from an administrator.
import { zodResolver } from "@hookform/resolvers/zod";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { z } from "zod";
import { api } from "@/api/client";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Frame } from "@/pages/account/frame";
import { heldToken } from "@/pages/account/link-token";
import { PasswordInput, StrengthHint } from "@/pages/account/password-input";
import { newPassword, refusedField } from "@/pages/account/person-schema";
import { Button } from "@/ui/button";
import { Field } from "@/ui/input";
import { Notice } from "@/ui/page";

const schema = z.object({ password: newPassword });

export function ResetPage() {
  const t = useT("account");
  const navigate = useNavigate();
  const token = heldToken("/reset");
  const { register, handleSubmit, control, setError, formState } = useForm({ resolver: zodResolver(schema), defaultValues: { password: "" } });
  const typed = useWatch({ control, name: "password" });
  const [refused, setRefused] = useState<unknown>(null);
  const key = formState.errors.password?.message;

  const send = handleSubmit(async ({ password }) => {
    setRefused(null);
    try {
      await api.post("/api/reset", { token, password });
      await navigate({ to: "/signin", search: { reset: true } });
    } catch (error) {
      const found = refusedField(error);
      if (found?.field === "password") setError("password", { message: found.key }, { shouldFocus: true });
      else setRefused(error);
    }
  });

  if (!token) return <Frame title={t("reset.no_link")} text={t("reset.no_link_text")} />;
  return (
    <Frame title={t("reset.title")} text={t("reset.text")}>
      <form noValidate onSubmit={(event) => void send(event)} className="flex flex-col gap-4">
        {refused ? (
          <Notice tone="bad" role="alert">
            {sentence(refused)}
          </Notice>
        ) : null}
        <Field label={t("password.new")} hint={<StrengthHint password={typed} known={[]} />} error={key ? t(key as Key<"account">) : undefined}>
          <PasswordInput autoComplete="new-password" autoFocus {...register("password")} />
        </Field>
        <Button type="submit" variant="primary" busy={formState.isSubmitting} className="mt-2 w-full">
          {t("reset.submit")}
        </Button>
      </form>
    </Frame>
  );
}
