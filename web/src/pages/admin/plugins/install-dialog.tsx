//! Installing: where the manifest comes from, then what it would be and may do, then it is there.
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Document } from "@/api/plugins";
import { useT } from "@/lib/i18n";
import { entriesOf } from "@/pages/admin/plugins/data";
import { InstallForm } from "@/pages/admin/plugins/install-form";
import { SourceForm } from "@/pages/admin/plugins/source-form";
import { Dialog } from "@/ui/dialog";

export function InstallDialog({ preset, onClose }: { preset: Document | null; onClose: () => void }) {
  const t = useT("plugins");
  const navigate = useNavigate();
  const [waiting, setWaiting] = useState<Document[]>(preset ? [preset] : []);
  const [of, setOf] = useState(1);
  const [next] = waiting;
  // Several plugins in one file are looked at one after the other: each has its own permissions.
  const done = (name: string) => {
    if (waiting.length > 1) return setWaiting(waiting.slice(1));
    onClose();
    void navigate({ to: "/admin/plugins/$plugin", params: { plugin: name } });
  };
  const read = (document: unknown) => {
    const entries = entriesOf(document);
    setWaiting(entries);
    setOf(entries.length);
  };
  const back = preset ? onClose : () => setWaiting([]);
  return (
    <Dialog open onClose={onClose} title={t("install")} description={next ? (of > 1 ? t("one_of", { at: of - waiting.length + 1, of }) : undefined) : t("install_text")} width="large">
      {next ? <InstallForm key={waiting.length} document={next} onBack={back} onDone={done} /> : <SourceForm onRead={read} />}
    </Dialog>
  );
}
