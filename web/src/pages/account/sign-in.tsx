//! Name and password in, the portal out.
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Me } from "@/api/types";
import { signedIn, useSession } from "@/app/session";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";

export function SignInPage() {
  const t = useT("account");
  const { to } = useSearch({ from: "/signin" });
  const brand = useSession((state) => state.portal.brand.name);
  const navigate = useNavigate();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError(undefined);
    try {
      await signedIn(await api.post<Me>("/api/session", { name: form.get("name"), password: form.get("password") }));
      await navigate({ to: to ?? "/" });
    } catch (cause) {
      setError(sentence(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="flex h-full items-center justify-center px-6">
      <form onSubmit={(event) => void submit(event)} className="flex w-full max-w-[340px] flex-col gap-4">
        <h1 className="mb-2 text-center text-[20px] font-semibold">{t("sign_in.title", { brand })}</h1>
        <Field label={t("name")}>
          <Input name="name" autoComplete="username" required autoFocus autoCapitalize="none" />
        </Field>
        <Field label={t("password")} error={error}>
          <Input name="password" type="password" autoComplete="current-password" required />
        </Field>
        <Button type="submit" variant="primary" busy={busy}>
          {t("sign_in.submit")}
        </Button>
      </form>
    </main>
  );
}
