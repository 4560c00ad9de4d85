//! What the right panel holds, whichever frame it stands in.
import type { Panel } from "@/app/ui";
import type { Thread } from "@/chat/thread";
import { DetailsPanel } from "@/pages/chat/details-panel";
import { NewParametersPanel, ThreadParametersPanel } from "@/pages/chat/parameters-panel";

export function PanelBody({ panel, thread }: { panel: Panel; thread: Thread | null }) {
  if (panel.kind === "details") return thread ? <DetailsPanel thread={thread} id={panel.message} /> : null;
  return thread ? <ThreadParametersPanel thread={thread} /> : <NewParametersPanel />;
}
