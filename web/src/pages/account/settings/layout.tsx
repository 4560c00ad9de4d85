//! The frame of the settings: title, sections, the open section.
import { Outlet } from "@tanstack/react-router";
import { Gauge, KeyRound, MessageSquare, MonitorSmartphone, SlidersHorizontal, UserRound } from "lucide-react";
import { Suspense } from "react";
import { RailButton } from "@/app/shell";
import { useT } from "@/lib/i18n";
import { NavRow } from "@/ui/nav-row";
import { Page, PageHeader } from "@/ui/page";

export function SettingsLayout() {
  const t = useT("account");
  return (
    <div className="flex h-full flex-col">
      <header className="flex h-14 shrink-0 items-center px-2 sm:px-3">
        <RailButton />
      </header>
      <div className="min-h-0 flex-1">
        <Page>
          <PageHeader title={t("settings.title")} />
          <NavRow
            label={t("settings.title")}
            sections={[
              { to: "/settings", label: t("settings.general"), icon: <SlidersHorizontal aria-hidden="true" /> },
              { to: "/settings/chat", label: t("settings.chat"), icon: <MessageSquare aria-hidden="true" /> },
              { to: "/settings/account", label: t("settings.account"), icon: <UserRound aria-hidden="true" /> },
              { to: "/settings/sessions", label: t("settings.sessions"), icon: <MonitorSmartphone aria-hidden="true" /> },
              { to: "/settings/keys", label: t("settings.keys"), icon: <KeyRound aria-hidden="true" /> },
              { to: "/settings/usage", label: t("settings.usage"), icon: <Gauge aria-hidden="true" /> },
            ]}
          />
          <Suspense>
            <Outlet />
          </Suspense>
        </Page>
      </div>
    </div>
  );
}
