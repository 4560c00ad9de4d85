//! What the right panel holds, whichever frame it stands in.
import type { Panel } from "@/app/ui";
import type { Thread } from "@/chat/thread";
import { DetailsPanel } from "@/pages/chat/details-panel";
import { FilePanel } from "@/pages/chat/file-panel";
import { NewParametersPanel, ThreadParametersPanel } from "@/pages/chat/parameters-panel";

export function PanelBody({ panel, thread }: { panel: Panel; thread: Thread | null }) {
  if (panel.kind === "file") return <FilePanel key={panel.file.id} file={panel.file} />;
  if (panel.kind === "details") return thread ? <DetailsPanel thread={thread} id={panel.message} /> : null;
  return thread ? <ThreadParametersPanel thread={thread} /> : <NewParametersPanel />;
}
