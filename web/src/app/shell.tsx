//! The frame around every signed-in page: rail, content, the live socket, keyboard shortcuts, palette.
import { Outlet, useNavigate } from "@tanstack/react-router";
import { PanelLeft } from "lucide-react";
import { Suspense, lazy, useEffect } from "react";
import { openLive, useLive } from "@/api/live";
import type { LiveEvent } from "@/api/types";
import { queries } from "@/app/queries";
import { Rail } from "@/app/rail";
import { signedOut, useMe } from "@/app/session";
import { ui, useUi } from "@/app/ui";
import { refreshConversations } from "@/chat/conversations";
import { modelsChanged } from "@/chat/models";
import { useOnline } from "@/lib/online";
import { useT } from "@/lib/i18n";
import { matches, shown } from "@/lib/keyboard";
import { IconButton } from "@/ui/button";

const Drawer = lazy(() => import("@/app/drawer"));
const Palette = lazy(() => import("@/app/palette"));
const Shortcuts = lazy(() => import("@/app/shortcuts"));

/** The runtime of conversations comes with the first one that is opened. */
const threads = () => import("@/chat/thread");

export function Shell() {
  const t = useT("chat");
  const rail = useUi((state) => state.rail);
  const drawer = useUi((state) => state.drawer);
  const palette = useUi((state) => state.palette);
  const shortcuts = useUi((state) => state.shortcuts);
  const person = useMe().id;

  useEffect(() => {
    const close = openLive({ onEvent: onLive, onSessionEnd: () => signedOut(), onReturn: catchUp });
    return () => {
      close();
      void threads().then((all) => all.closeThreads());
    };
  }, [person]);
  useShortcuts();

  return (
    <div className="flex h-dvh overflow-hidden bg-background">
      <a href="#content" className="fixed top-2 left-2 z-70 -translate-y-20 rounded-control bg-primary px-3 py-2 text-primary-foreground focus:translate-y-0">
        {t("skip")}
      </a>
      {rail ? (
        <aside className="hidden w-[264px] shrink-0 border-r bg-surface md:block">
          <Rail />
        </aside>
      ) : null}
      <main id="content" tabIndex={-1} className="relative flex min-w-0 flex-1 flex-col outline-none">
        <ConnectionLine />
        <div className="min-h-0 flex-1">
          <Suspense>
            <Outlet />
          </Suspense>
        </div>
      </main>
      <Suspense>
        {drawer ? <Drawer /> : null}
        {palette ? <Palette /> : null}
        {shortcuts ? <Shortcuts /> : null}
      </Suspense>
    </div>
  );
}

/** Opens the rail: as a drawer on a phone, in its place on a wide window. Every page's header starts with it. */
export function RailButton() {
  const t = useT("chat");
  const rail = useUi((state) => state.rail);
  return (
    <IconButton label={t("rail.open")} shortcut={shown("mod+shift+s")} onClick={ui.toggleRail} className={rail ? "md:hidden" : ""}>
      <PanelLeft />
    </IconButton>
  );
}

function ConnectionLine() {
  const t = useT("common");
  const lost = useLive((state) => state.lost);
  const online = useOnline();
  if (online && !lost) return null;
  return (
    <div role="status" className="bg-warn-soft px-4 py-1.5 text-center text-meta text-warn">
      {online ? t("live_lost") : t("offline")}
    </div>
  );
}

function onLive(event: LiveEvent) {
  if (event.type === "models") return modelsChanged(event.models);
  if (event.type === "approvals") return void queries.invalidateQueries({ queryKey: ["approvals"] });
  if (event.type === "turn") return void threads().then((all) => all.reloadThread(event.conversation));
  if (event.type !== "conversation") return;
  refreshConversations();
  void threads().then((all) => (event.change === "deleted" ? all.forgetThread(event.id) : all.reloadThread(event.id)));
}

function catchUp() {
  void queries.invalidateQueries();
  void threads().then((all) => all.reloadThreads());
}

function useShortcuts() {
  const navigate = useNavigate();
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const acts: [string, () => void][] = [
        ["mod+k", () => ui.setPalette(true)],
        ["mod+/", () => ui.setShortcuts(true)],
        ["mod+shift+o", () => void navigate({ to: "/" })],
        ["mod+shift+s", ui.toggleRail],
        ["mod+.", () => ui.togglePanel({ kind: "parameters" })],
      ];
      const found = acts.find(([combination]) => matches(event, combination));
      if (!found) return;
      event.preventDefault();
      found[1]();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [navigate]);
}
