//! First run: whoever holds the link from the terminal becomes the owner.
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Me } from "@/api/types";
import { signedIn } from "@/app/session";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";

export function SetupPage() {
  const t = useT("account");
  const language = useLanguage();
  const navigate = useNavigate();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const token = new URLSearchParams(location.hash.slice(1)).get("token");

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(undefined);
    try {
      const me = await api.post<Me>("/api/setup", { token, name: form.get("name"), password: form.get("password"), display_name: form.get("display_name"), language });
      await signedIn(me);
      await navigate({ to: "/" });
    } catch (cause) {
      setError(sentence(cause));
    } finally {
      setBusy(false);
    }
  };

  if (!token) return <main className="flex h-full items-center justify-center px-6 text-center">{t("setup.no_token")}</main>;
  return (
    <main className="flex h-full items-center justify-center px-6">
      <form onSubmit={(event) => void submit(event)} className="flex w-full max-w-[340px] flex-col gap-4">
        <h1 className="mb-2 text-center text-[20px] font-semibold">{t("setup.title")}</h1>
        <Field label={t("display_name")}>
          <Input name="display_name" autoComplete="name" required autoFocus />
        </Field>
        <Field label={t("name")}>
          <Input name="name" autoComplete="username" required autoCapitalize="none" />
        </Field>
        <Field label={t("password")} error={error}>
          <Input name="password" type="password" autoComplete="new-password" minLength={8} required />
        </Field>
        <Button type="submit" variant="primary" busy={busy}>
          {t("setup.submit")}
        </Button>
      </form>
    </main>
  );
}
