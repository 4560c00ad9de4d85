//! Tokens used today against the day's limit, and what one's files take.
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { DayUsage } from "@/api/types";
import { keys } from "@/app/queries";
import { useLanguage, useT } from "@/lib/i18n";
import { formatTime } from "@/lib/time";
import { OwnFiles } from "@/pages/account/settings/files";
import { Failed } from "@/ui/failed";
import { Meter } from "@/ui/meter";
import { Card, Section, Skeleton } from "@/ui/page";

export function UsageSettings() {
  const t = useT("account");
  const language = useLanguage();
  const { data, isPending, error, refetch } = useQuery({ queryKey: keys.usage, queryFn: ({ signal }) => api.get<DayUsage>("/api/me/usage", undefined, signal), staleTime: 0 });
  return (
    <>
      <Section title={t("usage.title")} description={t("usage.text")}>
        {error ? <Failed error={error} again={refetch} /> : null}
        {isPending ? <Skeleton className="h-24" /> : null}
        {data ? (
          <Card className="p-4 sm:p-5">
            <p className="flex flex-wrap items-baseline justify-between gap-x-4">
              <span className="tabular text-[20px] font-semibold">{t("usage.used", { used: data.used })}</span>
              <span className="tabular text-meta text-muted-foreground">{data.limit === null ? t("usage.unlimited") : t("usage.of", { limit: data.limit })}</span>
            </p>
            {data.limit === null ? null : <Meter label={t("usage.title")} value={data.used} max={data.limit} className="mt-3" />}
            <p className="mt-3 text-meta text-muted-foreground">{t("usage.resets", { at: formatTime(data.resets_at, language) })}</p>
          </Card>
        ) : null}
      </Section>
      <OwnFiles />
    </>
  );
}
