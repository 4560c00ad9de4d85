//! The panel as a sheet: from below on a phone, from the right on a tablet.
import type { Panel } from "@/app/ui";
import type { Thread } from "@/chat/thread";
import { useT } from "@/lib/i18n";
import { useMedia } from "@/lib/media";
import { PanelBody } from "@/pages/chat/panel-body";
import { Sheet } from "@/ui/dialog";

export default function PanelSheet({ panel, thread, onClose }: { panel: Panel; thread: Thread | null; onClose: () => void }) {
  const t = useT("chat");
  const phone = useMedia("(max-width: 640px)");
  return (
    <Sheet open side={phone ? "bottom" : "right"} title={t(`${panel.kind}.title`)} onClose={onClose}>
      <PanelBody panel={panel} thread={thread} />
    </Sheet>
  );
}
