//! One provider: where it is, whether it answers, and its models with the state each is in.
import { useMutation } from "@tanstack/react-query";
import { EllipsisVertical, KeyRound, Pencil, Server, Trash2 } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import type { Provider, ProviderModel } from "@/api/types";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { adminKeys, refresh } from "@/pages/admin/data";
import { InstalledModels } from "@/pages/admin/installed";
import { FailureText, StateLine } from "@/pages/admin/model-state";
import { IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Switch } from "@/ui/input";
import { Menu } from "@/ui/menu";
import { Badge, Card, Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

export function ProviderCard({ provider, onEdit }: { provider: Provider; onEdit: () => void }) {
  const t = useT("admin");
  const [removing, setRemoving] = useState(false);
  const said = (error: unknown) => toast(sentence(error), { tone: "bad" });
  const ours = provider.source === "settings";
  const change = useMutation({ mutationFn: (body: object) => api.patch(`/api/providers/${provider.id}`, body), onSettled: () => refresh(adminKeys.providers), onError: said });
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/providers/${provider.id}`),
    onSuccess: () => {
      setRemoving(false);
      toast(t("provider.removed", { name: provider.name }));
      return refresh(adminKeys.providers);
    },
    onError: said,
  });
  const offer = (model: ProviderModel, enabled: boolean) =>
    change.mutate({ models: provider.models.map((one) => ({ name: one.name, display_name: one.display_name, enabled: one.id === model.id ? enabled : one.enabled })) });

  return (
    <Card>
      <div className="flex items-center gap-x-3 border-b px-4 py-3 last:border-b-0">
        <Server className="size-[18px] shrink-0 self-start text-muted-foreground max-sm:hidden" aria-hidden="true" />
        <div className="min-w-0 flex-1">
          <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <h2 className="text-[15px] font-semibold">{provider.name}</h2>
            {ours ? null : <Badge>{t("source.file")}</Badge>}
            {provider.has_key ? (
              <span className="flex items-center gap-1 text-meta text-muted-foreground">
                <KeyRound className="size-3.5" aria-hidden="true" />
                {t("provider.has_key")}
              </span>
            ) : null}
          </div>
          <p className="font-mono text-[12px] break-all text-muted-foreground">{provider.base_url}</p>
        </div>
        {ours ? (
          <>
            <Switch label={t("provider.enabled", { name: provider.name })} checked={provider.enabled} disabled={change.isPending} onChange={(enabled) => change.mutate({ enabled })} />
            <Menu
              align="end"
              entries={[
                { id: "edit", label: t("edit"), icon: <Pencil />, onSelect: onEdit },
                { id: "remove", label: t("provider.remove"), icon: <Trash2 />, danger: true, onSelect: () => setRemoving(true) },
              ]}
              trigger={
                <IconButton label={t("provider.menu", { name: provider.name })} className="-mr-1.5">
                  <EllipsisVertical />
                </IconButton>
              }
            />
          </>
        ) : null}
      </div>
      {provider.enabled ? null : <p className="px-4 py-3 text-meta text-muted-foreground">{t("provider.off")}</p>}
      {provider.enabled && provider.problem ? (
        <div className="px-4 py-3">
          <Notice tone="bad">
            <FailureText failure={provider.problem} />
          </Notice>
        </div>
      ) : null}
      {provider.enabled ? (
        <ul>
          {provider.models.map((model) => (
            <ModelRow key={model.id} model={model} told={provider.problem !== null} onOffer={ours ? (enabled) => offer(model, enabled) : null} busy={change.isPending} />
          ))}
        </ul>
      ) : null}
      {provider.enabled && provider.models.length === 0 && !provider.problem ? <p className="px-4 py-3 text-meta text-muted-foreground">{t("provider.no_models")}</p> : null}
      {provider.enabled && provider.kind === "ollama" && !provider.problem ? <InstalledModels provider={provider} /> : null}
      {ours ? null : <p className="border-t px-4 py-2.5 text-meta text-muted-foreground">{t("provider.file")}</p>}
      <ConfirmDialog
        open={removing}
        onClose={() => setRemoving(false)}
        onConfirm={() => remove.mutate()}
        busy={remove.isPending}
        danger
        title={t("provider.remove_title", { name: provider.name })}
        description={t("provider.remove_text")}
        confirm={t("provider.remove")}
      />
    </Card>
  );
}

type RowProps = { model: ProviderModel; /** The provider's own notice says already why nothing answers. */ told: boolean; onOffer: ((enabled: boolean) => void) | null; busy: boolean };

function ModelRow({ model, told, onOffer, busy }: RowProps) {
  const t = useT("admin");
  const failure = model.enabled && !told && model.state.state === "failed" ? model.state : null;
  return (
    <li className="border-b px-4 py-2.5 last:border-b-0">
      <div className="flex items-center gap-x-4">
        <div className="flex min-w-0 flex-1 flex-wrap items-center justify-between gap-x-6 gap-y-0.5">
          <div className="min-w-0">
            <p className="truncate">{model.display_name ?? model.name}</p>
            <p className="font-mono text-[12px] break-all text-muted-foreground">{model.id}</p>
          </div>
          <StateLine state={model.state} enabled={model.enabled} />
        </div>
        {onOffer ? <Switch label={t("models.offer", { name: model.display_name ?? model.name })} checked={model.enabled} disabled={busy} onChange={onOffer} /> : null}
      </div>
      {failure ? (
        <p className="mt-1.5 text-meta text-bad">
          <FailureText failure={failure} />
        </p>
      ) : null}
    </li>
  );
}
