//! An invitation: who invites, to what, and the form that makes the person.
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api } from "@/api/client";
import type { JoinCheck, Me } from "@/api/types";
import { signedIn, useSession } from "@/app/session";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Frame } from "@/pages/account/frame";
import { heldToken } from "@/pages/account/link-token";
import { PersonForm } from "@/pages/account/person-form";
import type { PersonFields } from "@/pages/account/person-schema";
import { Button } from "@/ui/button";
import { Notice, Skeleton } from "@/ui/page";

export function JoinPage() {
  const t = useT("account");
  const c = useT("common");
  const language = useLanguage();
  const navigate = useNavigate();
  const signedInAs = useSession((state) => state.me);
  const token = heldToken("/join");
  const { data, isPending, error, refetch } = useQuery({
    queryKey: ["join", token],
    queryFn: () => api.post<JoinCheck>("/api/join/check", { token }),
    enabled: token !== null,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });

  const join = async (fields: PersonFields) => {
    await signedIn(await api.post<Me>("/api/join", { token, ...fields, language }));
    await navigate({ to: "/" });
  };

  if (!token) return <Frame title={t("join.no_link")} text={t("join.no_link_text")} />;
  if (error) {
    return (
      <Frame title={t("join.failed")} text={sentence(error)}>
        <div className="flex justify-center">
          <Button onClick={() => void refetch()}>{c("retry")}</Button>
        </div>
      </Frame>
    );
  }
  if (isPending) {
    return (
      <Frame title={t("join.checking")}>
        <Skeleton className="h-64" />
      </Frame>
    );
  }
  return (
    <Frame title={t("join.title", { brand: data.brand.name })} text={t("join.text", { name: data.invited_by, role: c(`role.${data.role}`) })}>
      {signedInAs ? (
        <div className="mb-4">
          <Notice tone="warn">{t("join.signed_in", { name: signedInAs.display_name || signedInAs.name })}</Notice>
        </div>
      ) : null}
      <PersonForm submit={t("join.submit")} onSubmit={join} />
    </Frame>
  );
}
