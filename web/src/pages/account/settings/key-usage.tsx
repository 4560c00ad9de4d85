//! What was used with a key on each of the last thirty days, as bars.
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { ApiKey, KeyUsage } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { KEYS } from "@/pages/account/settings/key-queries";
import { type Bar, Bars } from "@/ui/bars";
import { Failed } from "@/ui/failed";
import { Skeleton } from "@/ui/page";

const DAY_MS = 86_400_000;
const DAYS = 30;

export function KeyUsageChart({ item, now }: { item: ApiKey; now: number }) {
  const t = useT("account");
  const language = useLanguage();
  const { data, isPending, error, refetch } = useQuery({
    queryKey: [...KEYS, "usage", item.id],
    queryFn: ({ signal }) => api.get<KeyUsage>(`/api/keys/${item.id}/usage`, { days: String(DAYS) }, signal),
    staleTime: 10_000,
  });
  if (error) return <Failed error={error} again={refetch} />;
  if (isPending) return <Skeleton className="h-44" />;
  const bars = daysOf(data, now, {
    name: (at) => new Intl.DateTimeFormat(language, { month: "short", day: "numeric", timeZone: "UTC" }).format(at),
    note: (count) => t("keys.requests", { count }),
  });
  const short = (value: number) => new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }).format(value);
  if (data.days.length === 0) return <p className="text-meta text-muted-foreground">{t("keys.chart_empty", { days: DAYS })}</p>;
  return (
    <Bars
      label={t("keys.chart", { name: item.name })}
      bars={bars}
      format={short}
      series={[
        { name: t("keys.read"), className: "bg-brand" },
        { name: t("keys.written"), className: "bg-foreground" },
      ]}
      line={item.scope.tokens_per_day === null ? null : { value: item.scope.tokens_per_day, name: t("keys.day_limit", { limit: short(item.scope.tokens_per_day) }) }}
    />
  );
}

/** Every day up to today (UTC, as the portal counts), those without a request too. */
export function daysOf(usage: KeyUsage, now: number, say: { name: (at: number) => string; note: (count: number) => string }): Bar[] {
  const used = new Map(usage.days.map((day) => [day.day, day]));
  const today = Math.floor(now / DAY_MS);
  return Array.from({ length: DAYS }, (_, back) => {
    const at = (today - DAYS + 1 + back) * DAY_MS;
    const id = new Date(at).toISOString().slice(0, 10);
    const day = used.get(id);
    return { id, name: say.name(at), parts: [day?.prompt ?? 0, day?.completion ?? 0], note: say.note(day?.turns ?? 0) };
  });
}
