//! The optional panel at the right: parameters of the conversation, or the details of one answer. A sheet where the window is narrow.
import { Suspense, lazy } from "react";
import { ui, useUi } from "@/app/ui";
import type { Thread } from "@/chat/thread";
import { useMedia } from "@/lib/media";

const PanelAside = lazy(() => import("@/pages/chat/panel-aside"));
const PanelSheet = lazy(() => import("@/pages/chat/panel-sheet"));

export function RightPanel({ thread }: { thread: Thread | null }) {
  const panel = useUi((state) => state.panel);
  const wide = useMedia("(min-width: 1180px)");
  if (panel === null || (panel.kind === "details" && thread === null)) return null;
  return <Suspense>{wide ? <PanelAside panel={panel} thread={thread} onClose={ui.closePanel} /> : <PanelSheet panel={panel} thread={thread} onClose={ui.closePanel} />}</Suspense>;
}
