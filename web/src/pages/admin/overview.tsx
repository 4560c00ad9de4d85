//! At a glance: does everything work, and how much was used today. Deliberately no charts yet.
import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import type { Person, Provider } from "@/api/types";
import { useSession } from "@/app/session";
import { useT } from "@/lib/i18n";
import { usePeople, useProviders } from "@/pages/admin/data";
import { StateDot } from "@/pages/chat/model-picker";
import { Failed } from "@/ui/failed";
import { Card, PageHeader, Row, Skeleton } from "@/ui/page";

export function OverviewPage() {
  const t = useT("admin");
  const portal = useSession((state) => state.portal);
  const providers = useProviders();
  const people = usePeople();
  const failed = providers.error ?? people.error;
  return (
    <>
      <PageHeader title={t("overview")} />
      {failed ? <Failed error={failed} again={() => Promise.all([providers.refetch(), people.refetch()])} /> : null}
      <Card className="mt-4 max-w-[760px]">
        <Line to="/admin/models" title={t("models")}>
          {providers.data ? <Models providers={providers.data} /> : <Waiting />}
        </Line>
        <Line to="/admin/people" title={t("people")}>
          {people.data ? t("overview.people", { count: people.data.filter((person) => !person.disabled).length }) : <Waiting />}
        </Line>
        <Row title={t("overview.usage")}>{people.data ? <Usage people={people.data} limit={portal.daily_token_limit} /> : <Waiting />}</Row>
        <Row title={t("overview.engine")}>
          <span className="text-muted-foreground">{t(portal.local_engine ? "overview.engine_in" : "overview.engine_out")}</span>
        </Row>
        <Row title={t("overview.version")}>
          <span className="tabular text-muted-foreground">{portal.version}</span>
        </Row>
      </Card>
    </>
  );
}

function Waiting() {
  return <Skeleton className="h-4 w-24" />;
}

function Line({ to, title, children }: { to: string; title: string; children: ReactNode }) {
  return (
    <Link to={to} className="flex flex-wrap items-center gap-x-6 gap-y-1 border-b px-4 py-3 -outline-offset-2 transition-colors duration-120 first:rounded-t-card hover:bg-hover">
      <span className="flex-1 basis-32 text-ui">{title}</span>
      <span className="flex items-center gap-2 text-muted-foreground">
        {children}
        <ChevronRight className="size-4" aria-hidden="true" />
      </span>
    </Link>
  );
}

/** Ready, on the way, failed: only the kinds there are. */
function Models({ providers }: { providers: Provider[] }) {
  const t = useT("admin");
  const states = providers.filter((provider) => provider.enabled).flatMap((provider) => provider.models.filter((model) => model.enabled).map((model) => model.state));
  const silent = providers.filter((provider) => provider.enabled && provider.problem !== null).length;
  const count = (...kinds: string[]) => states.filter((state) => kinds.includes(state.state)).length;
  const kinds = [
    { key: "overview.ready" as const, count: count("ready"), dot: { state: "ready" } as const },
    { key: "overview.coming" as const, count: count("loading", "warming"), dot: { state: "warming" } as const },
    { key: "overview.cold" as const, count: count("cold"), dot: { state: "cold" } as const },
    { key: "overview.failed" as const, count: count("failed"), dot: { state: "failed", code: "", message: "" } as const },
    { key: "overview.silent" as const, count: count("failed") > 0 ? 0 : silent, dot: { state: "failed", code: "", message: "" } as const },
  ].filter((kind) => kind.count > 0);
  if (kinds.length === 0) return t("overview.no_models");
  return (
    <span className="flex flex-wrap gap-x-4 gap-y-1">
      {kinds.map((kind) => (
        <span key={kind.key} className="tabular flex items-center gap-2">
          <StateDot state={kind.dot} />
          {t(kind.key, { count: kind.count })}
        </span>
      ))}
    </span>
  );
}

function Usage({ people, limit }: { people: Person[]; limit: number | null }) {
  const t = useT("admin");
  const used = people.reduce((sum, person) => sum + person.tokens_today, 0);
  return <span className="tabular text-muted-foreground">{limit === null ? t("overview.tokens", { used }) : t("overview.tokens_limit", { used, limit })}</span>;
}
