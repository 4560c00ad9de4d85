//! Whether a plugin's service answers: looked at when a person asks, and told in words.
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { useLanguage } from "@/lib/i18n";
import { useProbe } from "@/pages/admin/plugins/data";
import { formatMs } from "@/results/duration";

export function useProbing(name: string) {
  const { data, error, isFetching, refetch } = useProbe(name);
  return { data, error, busy: isFetching, look: () => void refetch() };
}

export function Health({ probing: { data, error, busy } }: { probing: ReturnType<typeof useProbing> }) {
  const t = useT("plugins");
  const language = useLanguage();
  return (
    <p role="status" className="text-meta break-words empty:hidden">
      {busy ? <span className="text-muted-foreground">{t("probing")}</span> : null}
      {!busy && error ? <span className="text-bad">{sentence(error)}</span> : null}
      {!busy && !error && data ? (
        data.unreachable ? (
          <span className="text-bad">{t("unreachable", { message: data.unreachable.message })}</span>
        ) : (
          <span className="tabular text-good">{t("reachable", { time: formatMs(data.ms, language) })}</span>
        )
      ) : null}
    </p>
  );
}
