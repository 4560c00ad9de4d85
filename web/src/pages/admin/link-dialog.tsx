//! A one-time link, shown this once.
import type { OneTimeLink } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { formatDateTime } from "@/lib/time";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Once } from "@/ui/once";

export function LinkDialog({ title, text, made, onClose }: { title: string; text: string; made: OneTimeLink; onClose: () => void }) {
  const t = useT("admin");
  const language = useLanguage();
  return (
    <Dialog open onClose={onClose} title={title} description={text} footer={<Button onClick={onClose}>{t("link.done")}</Button>}>
      <Once value={made.link} label={t("link.label")} />
      <p className="mt-3 text-meta text-muted-foreground">{t("link.until", { at: formatDateTime(made.expires_at, language) })}</p>
    </Dialog>
  );
}
