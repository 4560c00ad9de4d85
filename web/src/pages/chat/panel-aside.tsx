//! The panel beside the conversation on a wide window.
import { X } from "lucide-react";
import type { Panel } from "@/app/ui";
import type { Thread } from "@/chat/thread";
import { useT } from "@/lib/i18n";
import { PanelBody } from "@/pages/chat/panel-body";
import { IconButton } from "@/ui/button";

export default function PanelAside({ panel, thread, onClose }: { panel: Panel; thread: Thread | null; onClose: () => void }) {
  const t = useT("chat");
  const c = useT("common");
  const title = t(`${panel.kind}.title`);
  return (
    <aside aria-label={title} className="flex w-[400px] shrink-0 animate-fade flex-col border-l">
      <div className="flex h-14 shrink-0 items-center justify-between pr-3 pl-6">
        <h2 className="text-[15px] font-semibold">{title}</h2>
        <IconButton label={c("close")} onClick={onClose}>
          <X />
        </IconButton>
      </div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <div tabIndex={0} className="scroll-thin min-h-0 flex-1 overflow-y-auto outline-offset-[-2px]">
        <PanelBody panel={panel} thread={thread} />
      </div>
    </aside>
  );
}
