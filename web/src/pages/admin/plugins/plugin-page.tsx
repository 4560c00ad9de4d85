//! One plugin: whether it acts and answers, its tools, what it may do, its settings, a console to try it, its calls; and its end.
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Activity, ArrowLeft, PlugZap, ScrollText, Settings2, ShieldCheck, Trash2, Wrench } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Plugin } from "@/api/plugins";
import { useT } from "@/lib/i18n";
import { bad, change, kindName, remove, usePlugins } from "@/pages/admin/plugins/data";
import { Health, useProbing } from "@/pages/admin/plugins/health";
import { PluginMark } from "@/pages/admin/plugins/mark";
import { Permissions } from "@/pages/admin/plugins/permissions";
import { Tools } from "@/pages/admin/plugins/tools";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Switch } from "@/ui/input";
import { Badge, Card, EmptyState, Section, Skeleton } from "@/ui/page";
import { Tabs } from "@/ui/tabs";
import { toast } from "@/ui/toast";

const Console = lazy(async () => ({ default: (await import("@/pages/admin/plugins/console")).Console }));
const Settings = lazy(async () => ({ default: (await import("@/pages/admin/plugins/settings")).Settings }));
const Calls = lazy(async () => ({ default: (await import("@/pages/admin/plugins/calls")).Calls }));

type Tab = "tools" | "permissions" | "settings" | "console" | "calls";

export function PluginPage() {
  const t = useT("plugins");
  const { plugin: name } = useParams({ from: "/admin/plugins/$plugin" });
  const { data, isPending, error, refetch } = usePlugins();
  const plugin = data?.plugins.find((one) => one.name === name);
  return (
    <>
      <Link to="/admin/plugins" className="touch-target mb-3 inline-flex items-center gap-1.5 text-meta text-muted-foreground hover:text-foreground">
        <ArrowLeft className="size-4" aria-hidden="true" />
        {t("all")}
      </Link>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-48" /> : null}
      {data && !plugin ? (
        <EmptyState title={t("gone")}>
          <span className="font-mono">{name}</span>
        </EmptyState>
      ) : null}
      {plugin ? <Open key={plugin.name} plugin={plugin} /> : null}
    </>
  );
}

function Open({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const [tab, setTab] = useState<Tab>("tools");
  const missing = plugin.permissions.filter((one) => !plugin.grants.includes(one)).length;
  return (
    <>
      <Head plugin={plugin} />
      <Tabs
        label={t("parts")}
        value={tab}
        onChange={setTab}
        tabs={[
          { id: "tools", label: t("tools"), icon: <Wrench aria-hidden="true" /> },
          { id: "permissions", label: missing > 0 ? t("permissions_missing", { count: missing }) : t("permissions"), icon: <ShieldCheck aria-hidden="true" /> },
          { id: "settings", label: t("settings"), icon: <Settings2 aria-hidden="true" /> },
          { id: "console", label: t("console"), icon: <PlugZap aria-hidden="true" /> },
          { id: "calls", label: t("calls"), icon: <ScrollText aria-hidden="true" /> },
        ]}
      >
        <Suspense fallback={<Skeleton className="h-48" />}>
          {tab === "tools" ? <Tools plugin={plugin} /> : null}
          {tab === "permissions" ? <Grants plugin={plugin} /> : null}
          {tab === "settings" ? <Settings plugin={plugin} /> : null}
          {tab === "console" ? <Console plugin={plugin} /> : null}
          {tab === "calls" ? <Calls plugin={plugin} /> : null}
        </Suspense>
      </Tabs>
    </>
  );
}

function Head({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const { name, title } = plugin;
  const turn = useMutation({ mutationFn: (enabled: boolean) => change(name, { enabled }), onError: bad });
  const probing = useProbing(name);
  return (
    <header className="mb-6 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="flex min-w-0 flex-1 basis-72 items-start gap-3">
        <PluginMark icon={plugin.icon} />
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <h1 className="text-[20px] leading-snug font-semibold break-words">{title}</h1>
            <Badge>{kindName(plugin.kind)}</Badge>
            {plugin.enabled ? <Badge tone="good">{t("on")}</Badge> : <Badge>{t("off")}</Badge>}
          </div>
          <p className="max-w-[60ch] text-ui break-words text-muted-foreground">{plugin.description}</p>
          <p className="font-mono text-[12px] break-all text-muted-foreground">{name}</p>
          <Health probing={probing} />
        </div>
      </div>
      <div className="flex flex-wrap items-center gap-3">
        <Switch label={t("enabled")} checked={plugin.enabled} disabled={turn.isPending} onChange={(on) => turn.mutate(on)} />
        <Button icon={<Activity />} busy={probing.busy} onClick={probing.look}>
          {t("probe")}
        </Button>
        <Remove plugin={plugin} />
      </div>
    </header>
  );
}

function Remove({ plugin: { name, title, secrets_set: secrets } }: { plugin: Plugin }) {
  const t = useT("plugins");
  const navigate = useNavigate();
  const [sure, setSure] = useState(false);
  const end = useMutation({
    mutationFn: () => remove(name),
    onSuccess: async () => {
      setSure(false);
      toast(t("removed", { title }));
      await navigate({ to: "/admin/plugins" });
    },
    onError: bad,
  });
  return (
    <>
      <Button icon={<Trash2 />} className="text-bad" onClick={() => setSure(true)}>
        {t("remove")}
      </Button>
      <ConfirmDialog
        open={sure}
        onClose={() => setSure(false)}
        onConfirm={() => end.mutate()}
        busy={end.isPending}
        danger
        title={t("remove_title", { title })}
        description={`${t("remove_text")} ${secrets.length > 0 ? t("remove_secrets", { count: secrets.length }) : ""}`.trim()}
        confirm={t("remove")}
      />
    </>
  );
}

/** What is taken back here is gone with the plugin's next call. */
function Grants({ plugin }: { plugin: Plugin }) {
  const t = useT("plugins");
  const put = useMutation({
    mutationFn: (grants: string[]) => change(plugin.name, { grants }),
    onSuccess: ({ grants }) => toast(t(grants.length < plugin.grants.length ? "taken_back" : "granted")),
    onError: bad,
  });
  return (
    <Section title={t("permissions")} description={t("permissions_text")}>
      <Card>
        <Permissions asked={plugin.permissions} granted={plugin.grants} busy={put.isPending} onChange={(granted) => put.mutate(granted)} />
      </Card>
    </Section>
  );
}
