//! "Leave for another site?" with the whole address, so that a look-alike can be seen.
import { useT } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Dialog } from "@/ui/dialog";

export default function LeaveDialog({ url, onClose }: { url: string; onClose: () => void }) {
  const t = useT("chat");
  const c = useT("common");
  const open = () => {
    window.open(url, "_blank", "noopener,noreferrer");
    onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("link.title")}
      description={t("link.text")}
      width="small"
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" onClick={open}>
            {t("link.open")}
          </Button>
        </>
      }
    >
      <div className="flex items-center gap-1 rounded-control bg-muted py-1.5 pr-1.5 pl-3">
        <span className="min-w-0 flex-1 font-mono text-meta break-all">{url}</span>
        <CopyButton text={url} label={t("link.copy")} />
      </div>
    </Dialog>
  );
}
