//! Name and password in, the portal out: to where the person was going.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useForm } from "react-hook-form";
import { Problem, api } from "@/api/client";
import type { Me } from "@/api/types";
import { signedIn, useSession } from "@/app/session";
import { useCountdown } from "@/lib/countdown";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Frame } from "@/pages/account/frame";
import { PasswordInput } from "@/pages/account/password-input";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";
import { Notice } from "@/ui/page";

type Fields = { name: string; password: string };

export function SignInPage() {
  const t = useT("account");
  const { to, reset } = useSearch({ from: "/signin" });
  const brand = useSession((state) => state.portal.brand.name);
  const left = useSession((state) => state.left);
  const navigate = useNavigate();
  const { register, handleSubmit, resetField, setFocus, formState } = useForm<Fields>({ defaultValues: { name: "", password: "" } });
  const [refused, setRefused] = useState<unknown>(null);
  const [wait, startWait] = useCountdown();
  const throttled = refused instanceof Problem && refused.code === "throttled";

  const send = handleSubmit(async (fields) => {
    setRefused(null);
    try {
      await signedIn(await api.post<Me>("/api/session", fields));
      await navigate({ to: to ?? "/" });
    } catch (error) {
      setRefused(error);
      if (!(error instanceof Problem)) return;
      if (error.code === "throttled") startWait(error.retryAfter ?? 1);
      if (error.code !== "wrong_credentials") return;
      resetField("password");
      setFocus("password");
    }
  });

  return (
    <Frame title={t("sign_in.title", { brand })}>
      <form noValidate onSubmit={(event) => void send(event)} className="flex flex-col gap-4">
        {message()}
        <Field label={t("name")} error={formState.errors.name ? t("invalid.name_empty") : undefined}>
          <Input autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus {...register("name", { required: true })} />
        </Field>
        <Field label={t("password")} error={formState.errors.password ? t("invalid.password_empty") : undefined}>
          <PasswordInput autoComplete="current-password" {...register("password", { required: true })} />
        </Field>
        <Button type="submit" variant="primary" busy={formState.isSubmitting} disabled={wait > 0} className="tabular mt-2 w-full">
          {wait > 0 ? t("sign_in.wait", { seconds: wait }) : t("sign_in.submit")}
        </Button>
        <p className="text-center text-meta text-muted-foreground">{t("sign_in.forgot")}</p>
      </form>
    </Frame>
  );

  function message() {
    if (throttled) {
      return wait > 0 ? (
        <Notice tone="warn" role="alert">
          {t("sign_in.throttled")}
        </Notice>
      ) : null;
    }
    if (refused) {
      return (
        <Notice tone="bad" role="alert">
          {sentence(refused)}
        </Notice>
      );
    }
    if (reset) {
      return (
        <Notice tone="good" role="status">
          {t("reset.done")}
        </Notice>
      );
    }
    if (left === "elsewhere") return <Notice role="status">{t("sign_in.ended")}</Notice>;
    return null;
  }
}
