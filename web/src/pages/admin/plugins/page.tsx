//! The plugins that are installed, each with its state; and those that come with the portal.
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Activity, Plug, Plus } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Document, Plugin } from "@/api/plugins";
import { useOnline } from "@/lib/online";
import { useT } from "@/lib/i18n";
import { bad, change, kindName, usePlugins } from "@/pages/admin/plugins/data";
import { Health, useProbing } from "@/pages/admin/plugins/health";
import { PluginMark } from "@/pages/admin/plugins/mark";
import { Button } from "@/ui/button";
import { Failed } from "@/ui/failed";
import { Switch } from "@/ui/input";
import { Badge, Card, EmptyState, Notice, PageHeader, Section, Skeleton } from "@/ui/page";

const InstallDialog = lazy(async () => ({ default: (await import("@/pages/admin/plugins/install-dialog")).InstallDialog }));

export function PluginsPage() {
  const t = useT("plugins");
  const c = useT("common");
  const online = useOnline();
  const { data, isPending, error, refetch } = usePlugins();
  const [adding, setAdding] = useState<{ preset: Document | null } | null>(null);
  const add = (
    <Button variant="primary" icon={<Plus />} onClick={() => setAdding({ preset: null })}>
      {t("install")}
    </Button>
  );
  return (
    <>
      <PageHeader title={t("title")} description={t("text")} action={add} />
      {online ? null : (
        <div className="mb-4">
          <Notice tone="warn" role="status">
            {c("offline")}
          </Notice>
        </div>
      )}
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? (
        <div className="flex flex-col gap-3">
          <Skeleton className="h-20" />
          <Skeleton className="h-20" />
        </div>
      ) : null}
      {data ? (
        <>
          <Section title={t("installed")}>
            <Card>
              {data.plugins.length === 0 ? (
                <EmptyState icon={<Plug />} title={t("empty")}>
                  {t("empty_text")}
                </EmptyState>
              ) : (
                <ul>
                  {data.plugins.map((plugin) => (
                    <PluginRow key={plugin.name} plugin={plugin} />
                  ))}
                </ul>
              )}
            </Card>
          </Section>
          {data.presets.length > 0 ? (
            <Section title={t("catalogue")} description={t("catalogue_text")}>
              <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
                {data.presets.map((preset) => (
                  <PresetCard key={String(preset.id)} preset={preset} onInstall={() => setAdding({ preset })} />
                ))}
              </ul>
            </Section>
          ) : null}
        </>
      ) : null}
      <Suspense>{adding ? <InstallDialog preset={adding.preset} onClose={() => setAdding(null)} /> : null}</Suspense>
    </>
  );
}

function PluginRow({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const { name, title, enabled } = plugin;
  const turn = useMutation({ mutationFn: (on: boolean) => change(name, { enabled: on }), onError: bad });
  const probing = useProbing(name);
  const missing = plugin.permissions.filter((one) => !plugin.grants.includes(one)).length;
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-3 last:border-b-0" aria-label={title}>
      <PluginMark icon={plugin.icon} />
      <div className="min-w-0 flex-1 basis-56">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <Link to="/admin/plugins/$plugin" params={{ plugin: name }} className="min-w-0 truncate font-medium underline-offset-4 hover:underline">
            {title}
          </Link>
          <Badge>{kindName(plugin.kind)}</Badge>
          {enabled ? null : <Badge>{t("off")}</Badge>}
          {missing > 0 ? <Badge tone="warn">{t("not_granted", { count: missing })}</Badge> : null}
        </p>
        <p className="line-clamp-2 text-meta text-muted-foreground">{plugin.description || name}</p>
        <Health probing={probing} />
      </div>
      <div className="ml-auto flex items-center gap-3">
        <Button size="small" icon={<Activity />} busy={probing.busy} onClick={probing.look} aria-label={t("probe_named", { title })}>
          {t("probe")}
        </Button>
        <Switch label={t("enabled_named", { title })} checked={enabled} disabled={turn.isPending} onChange={(on) => turn.mutate(on)} />
      </div>
    </li>
  );
}

function PresetCard({ preset, onInstall }: { preset: Document; onInstall: () => void }) {
  const t = useT("plugins");
  const text = (name: string) => (typeof preset[name] === "string" ? preset[name] : "");
  const title = text("name") || text("id");
  return (
    <li className="flex flex-col gap-3 rounded-card border p-4">
      <div className="flex items-start gap-3">
        <PluginMark icon={text("icon")} />
        <div className="min-w-0">
          <h3 className="text-ui font-medium break-words">{title}</h3>
          <p className="line-clamp-3 text-meta text-muted-foreground">{text("description")}</p>
        </div>
      </div>
      <div className="mt-auto flex justify-end">
        <Button size="small" icon={<Plus />} onClick={onInstall} aria-label={t("install_named", { title })}>
          {t("install_this")}
        </Button>
      </div>
    </li>
  );
}
