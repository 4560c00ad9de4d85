//! A list of keys with its dialogs: one's own in the settings, everybody's in the administration.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import type { ApiKey } from "@/api/types";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { KeyDialog } from "@/pages/account/settings/key-dialog";
import { keysChanged } from "@/pages/account/settings/key-queries";
import { KeyRow } from "@/pages/account/settings/key-row";
import { ConfirmDialog } from "@/ui/dialog";
import { Card } from "@/ui/page";
import { toast } from "@/ui/toast";

export function KeyList({ items, owner = false }: { items: ApiKey[]; owner?: boolean }) {
  const t = useT("account");
  const [now] = useState(() => Date.now());
  const [editing, setEditing] = useState<ApiKey | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const revoke = useMutation({
    mutationFn: (id: string) => api.delete(`/api/keys/${id}`),
    onSuccess: () => {
      setRevoking(null);
      toast(t("keys.revoked"));
      return keysChanged();
    },
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  return (
    <>
      {items.length > 0 ? (
        <Card>
          <ul>
            {items.map((key) => (
              <KeyRow key={key.id} item={key} owner={owner} now={now} onEdit={() => setEditing(key)} onRevoke={() => setRevoking(key)} />
            ))}
          </ul>
        </Card>
      ) : null}
      {editing ? <KeyDialog item={editing} onClose={() => setEditing(null)} onDone={keysChanged} /> : null}
      <ConfirmDialog
        open={revoking !== null}
        onClose={() => setRevoking(null)}
        onConfirm={() => revoking && revoke.mutate(revoking.id)}
        busy={revoke.isPending}
        danger
        title={t("keys.revoke_title", { name: revoking?.name ?? "" })}
        description={t("keys.revoke_text")}
        confirm={t("keys.revoke")}
      />
    </>
  );
}
