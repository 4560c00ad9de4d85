//! One key in a list: what it is for, how long it works, what it may do, and what was used with it.
import { ChartColumn, Clock, Layers, ListChecks, Network, Pencil } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { ApiKey } from "@/api/types";
import { useModelName } from "@/chat/models";
import { useLanguage, useT } from "@/lib/i18n";
import { formatAgo, formatDateTime } from "@/lib/time";
import { taskKey } from "@/pages/account/settings/key-tasks";
import { KeyUsageChart } from "@/pages/account/settings/key-usage";
import { Button, IconButton } from "@/ui/button";
import { Meter } from "@/ui/meter";
import { Badge } from "@/ui/page";

const DAY_MS = 86_400_000;
const SOON_MS = 7 * DAY_MS;

type Props = { item: ApiKey; /** Says also whose it is. */ owner?: boolean; now: number; onEdit: () => void; onRevoke: () => void };

export function KeyRow({ item, owner = false, now, onEdit, onRevoke }: Props) {
  const t = useT("account");
  const language = useLanguage();
  const [charted, setCharted] = useState(false);
  const used = item.last_used_at === null ? t("keys.never_used") : t("keys.used", { ago: formatAgo(item.last_used_at, now, language) });
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-3 border-b px-4 py-3.5 last:border-b-0">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <span className="min-w-0 truncate font-medium">{item.name}</span>
          <code className="rounded-[5px] bg-muted px-1.5 py-0.5 font-mono text-[12px] text-muted-foreground">{item.prefix}…</code>
          <Expiry at={item.expires_at} now={now} />
        </p>
        <p className="mt-0.5 text-meta text-muted-foreground">{[owner ? item.person_name : null, used].filter(Boolean).join(" · ")}</p>
        <Scope item={item} />
      </div>
      <Usage item={item} />
      <div className="flex shrink-0 items-center gap-1 max-sm:ml-auto">
        <IconButton label={t("keys.use", { name: item.name })} aria-expanded={charted} className="aria-expanded:bg-hover" onClick={() => setCharted(!charted)}>
          <ChartColumn />
        </IconButton>
        <IconButton label={t("keys.edit_title", { name: item.name })} onClick={onEdit}>
          <Pencil />
        </IconButton>
        <Button size="small" onClick={onRevoke} aria-label={`${t("keys.revoke")}: ${item.name}`}>
          {t("keys.revoke")}
        </Button>
      </div>
      {charted ? (
        <div className="w-full pt-2 pb-1">
          <KeyUsageChart item={item} now={now} />
        </div>
      ) : null}
    </li>
  );
}

function Expiry({ at, now }: { at: number | null; now: number }) {
  const t = useT("account");
  const language = useLanguage();
  if (at === null) return null;
  if (at <= now) return <Badge tone="bad">{t("keys.expired")}</Badge>;
  if (at - now < SOON_MS) return <Badge tone="warn">{t("keys.days_left", { count: Math.ceil((at - now) / DAY_MS) })}</Badge>;
  return <Badge>{t("keys.ends", { at: formatDateTime(at, language) })}</Badge>;
}

/** Only what narrows it; a key that may do everything says nothing. */
function Scope({ item }: { item: ApiKey }) {
  const t = useT("account");
  const language = useLanguage();
  const { models, tasks, addresses, requests_per_minute } = item.scope;
  if (models.length === 0 && tasks.length === 0 && addresses.length === 0 && requests_per_minute === null) return null;
  return (
    <ul className="mt-2 flex flex-wrap gap-1.5">
      {models.map((name) => (
        <Chip key={name} icon={<Layers />}>
          <ModelName id={name} />
        </Chip>
      ))}
      {tasks.length === 0 ? null : <Chip icon={<ListChecks />}>{new Intl.ListFormat(language, { type: "unit" }).format(tasks.map((task) => t(taskKey(task))))}</Chip>}
      {addresses.map((address) => (
        <Chip key={address} icon={<Network />}>
          <span className="font-mono">{address}</span>
        </Chip>
      ))}
      {requests_per_minute === null ? null : <Chip icon={<Clock />}>{t("keys.rate", { count: requests_per_minute })}</Chip>}
    </ul>
  );
}

function ModelName({ id }: { id: string }) {
  const name = useModelName(id);
  return id.endsWith("/*") ? id : name;
}

function Chip({ icon, children }: { icon: ReactNode; children: ReactNode }) {
  return (
    <li className="inline-flex h-6 max-w-full items-center gap-1.5 rounded-[6px] border px-2 text-[12px] [&_svg]:size-3.5 [&_svg]:shrink-0 [&_svg]:text-muted-foreground">
      <span aria-hidden="true">{icon}</span>
      <span className="truncate">{children}</span>
    </li>
  );
}

function Usage({ item }: { item: ApiKey }) {
  const t = useT("account");
  const language = useLanguage();
  const { tokens_per_day, tokens_total } = item.scope;
  const short = (count: number) => new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 2 }).format(count);
  const lines = [
    { id: "day", label: t("keys.today"), used: item.tokens_today, limit: tokens_per_day },
    { id: "total", label: t("keys.altogether"), used: item.tokens_total, limit: tokens_total },
  ];
  return (
    <dl className="tabular grid w-full grid-cols-2 gap-x-6 gap-y-1 text-meta sm:w-64">
      {lines.map((line) => (
        <div key={line.id} className="min-w-0">
          <dt className="text-muted-foreground">{line.label}</dt>
          <dd>
            {line.limit === null ? t("keys.tokens", { used: line.used }) : t("keys.tokens_of", { used: line.used, limit: short(line.limit) })}
            {line.limit === null ? null : <Meter label={line.label} value={line.used} max={line.limit} className="mt-1" />}
          </dd>
        </div>
      ))}
    </dl>
  );
}
