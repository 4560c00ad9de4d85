//! The frame of the administration: the way back, the sections, the open one; and the live socket while it is open.
import { Link, Outlet } from "@tanstack/react-router";
import { Activity, ArrowLeft, BookOpenCheck, Boxes, Gauge, GraduationCap, Grid3x3, HardDrive, KeyRound, LibraryBig, MailPlus, Plug, Signpost, Users } from "lucide-react";
import { Suspense, useEffect } from "react";
import { openLive } from "@/api/live";
import { queries } from "@/app/queries";
import { signedOut, useMe, useSession } from "@/app/session";
import { modelsChanged } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { providersChanged, pullsChanged } from "@/pages/admin/data";
import { Logo } from "@/ui/logo";
import { NavRow } from "@/ui/nav-row";

export function AdminLayout() {
  const t = useT("admin");
  const e = useT("engines");
  const brand = useSession((state) => state.portal.brand.name);
  const person = useMe().id;

  useEffect(
    () =>
      openLive({
        onEvent: (event) => {
          if (event.type === "pulls") pullsChanged(event.pulls);
          if (event.type !== "models") return;
          modelsChanged(event.models);
          providersChanged(event.models);
        },
        onSessionEnd: () => signedOut(),
        onReturn: () => void queries.invalidateQueries(),
      }),
    [person],
  );

  return (
    <div className="scroll-thin h-dvh overflow-y-auto bg-background">
      <header className="mx-auto flex h-14 w-full max-w-[1200px] items-center justify-between gap-4 px-4 sm:px-8">
        <span className="flex min-w-0 items-center gap-2.5">
          <Logo className="size-6 shrink-0" />
          <span className="truncate text-[15px] font-semibold">{brand}</span>
          <span className="truncate text-muted-foreground max-sm:hidden">{t("title")}</span>
        </span>
        <Link to="/" className="touch-target flex h-9 shrink-0 items-center gap-2 rounded-control px-3 text-ui transition-colors duration-120 hover:bg-hover [&_svg]:size-4">
          <ArrowLeft aria-hidden="true" />
          {t("back")}
        </Link>
      </header>
      <main className="mx-auto w-full max-w-[1200px] px-4 pt-2 pb-16 sm:px-8">
        <NavRow
          label={t("title")}
          sections={[
            { to: "/admin", label: t("overview"), icon: <Gauge aria-hidden="true" /> },
            { to: "/admin/models", label: t("models"), icon: <Boxes aria-hidden="true" /> },
            { to: "/admin/library", label: e("library"), icon: <HardDrive aria-hidden="true" /> },
            { to: "/admin/aliases", label: e("aliases"), icon: <Signpost aria-hidden="true" /> },
            { to: "/admin/capabilities", label: e("matrix"), icon: <Grid3x3 aria-hidden="true" /> },
            { to: "/admin/catalogue", label: e("catalogue"), icon: <LibraryBig aria-hidden="true" /> },
            { to: "/admin/datasets", label: t("datasets"), icon: <BookOpenCheck aria-hidden="true" /> },
            { to: "/admin/training", label: t("training"), icon: <GraduationCap aria-hidden="true" /> },
            { to: "/admin/plugins", label: t("plugins"), icon: <Plug aria-hidden="true" /> },
            { to: "/admin/load", label: e("load"), icon: <Activity aria-hidden="true" /> },
            { to: "/admin/keys", label: t("keys"), icon: <KeyRound aria-hidden="true" /> },
            { to: "/admin/people", label: t("people"), icon: <Users aria-hidden="true" /> },
            { to: "/admin/invitations", label: t("invitations"), icon: <MailPlus aria-hidden="true" /> },
          ]}
        />
        <Suspense>
          <Outlet />
        </Suspense>
      </main>
    </div>
  );
}
