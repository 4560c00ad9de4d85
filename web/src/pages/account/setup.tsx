//! First run: whoever holds the link from the terminal becomes the owner.
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Me } from "@/api/types";
import { signedIn, useSession } from "@/app/session";
import { useLanguage, useT } from "@/lib/i18n";
import { Frame } from "@/pages/account/frame";
import { heldToken, tokenIn } from "@/pages/account/link-token";
import { PersonForm } from "@/pages/account/person-form";
import type { PersonFields } from "@/pages/account/person-schema";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/input";

export function SetupPage() {
  const t = useT("account");
  const language = useLanguage();
  const navigate = useNavigate();
  const needed = useSession((state) => state.portal.setup_needed);
  const brand = useSession((state) => state.portal.brand.name);
  const [token, setToken] = useState(() => heldToken("/setup"));

  const makeOwner = async (fields: PersonFields) => {
    await signedIn(await api.post<Me>("/api/setup", { token, ...fields, language }));
    await navigate({ to: "/" });
  };

  if (!needed) {
    return (
      <Frame title={t("setup.done")} text={t("setup.done_text")}>
        <p className="text-center">
          <Link to="/signin" className="text-brand underline underline-offset-4">
            {t("sign_in.link")}
          </Link>
        </p>
      </Frame>
    );
  }
  if (!token) return <NoToken onToken={setToken} />;
  return (
    <Frame title={t("setup.title", { brand })} text={t("setup.text")}>
      <PersonForm submit={t("setup.submit")} onSubmit={makeOwner} />
    </Frame>
  );
}

function NoToken({ onToken }: { onToken: (token: string) => void }) {
  const t = useT("account");
  const [pasted, setPasted] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (pasted.trim()) onToken(tokenIn(pasted));
  };
  return (
    <Frame title={t("setup.link_title")} text={t("setup.link_text")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t("setup.link_label")} hint={t("setup.link_hint")}>
          <Input value={pasted} onChange={(event) => setPasted(event.target.value)} autoComplete="off" spellCheck={false} autoFocus />
        </Field>
        <Button type="submit" variant="primary" disabled={!pasted.trim()} className="w-full">
          {t("continue")}
        </Button>
      </form>
    </Frame>
  );
}
