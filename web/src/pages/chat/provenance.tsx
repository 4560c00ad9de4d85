//! How an answer came about: who was asked and gave none, who answered, how long it waited, and what never reached the model.
import { Check, X } from "lucide-react";
import type { ReactNode } from "react";
import type { Provenance as Told, ToolStep } from "@/api/types";
import { type Key, type Translate, useLanguage, useT } from "@/lib/i18n";
import { formatSeconds } from "@/lib/time";
import { Waterfall } from "@/pages/chat/waterfall";

/** Waits shorter than this, in milliseconds, are nobody's concern. */
const NOTICED = 100;

export function Provenance({ told }: { told: Told }) {
  const t = useT("chat");
  const language = useLanguage();
  return (
    <>
      {told.spent ? <Waterfall spent={told.spent} /> : null}
      {told.steps && told.steps.length > 0 ? <ToolSteps steps={told.steps} /> : null}
      <section aria-labelledby="route" className="px-6 pb-6">
        <h3 id="route" className="mb-2.5 text-ui font-semibold">
          {t("route.title")}
        </h3>
        <ol className="flex flex-col gap-2.5">
          {told.tried.map((one, at) => (
            // The same deployment may be asked twice: its place is what tells the two apart.
            <Step key={at} icon={<X className="text-bad" />} name={one.model} said={reason(one.code, t)} />
          ))}
          {told.model === "" ? null : <Step icon={<Check className="text-good" />} name={told.model} said={t("route.answered")} />}
        </ol>
        {told.queued_ms >= NOTICED ? <p className="tabular mt-3 text-meta text-muted-foreground">{t("route.queued", { time: formatSeconds(told.queued_ms, language) })}</p> : null}
      </section>
      {told.dropped.length > 0 ? (
        <section aria-labelledby="dropped" className="px-6 pb-8">
          <h3 id="dropped" className="mb-1 text-ui font-semibold">
            {t("dropped.title")}
          </h3>
          <p className="mb-2.5 text-meta text-muted-foreground">{t("dropped.text")}</p>
          <ul className="flex flex-wrap gap-1.5">
            {told.dropped.map((name) => (
              <li key={name} className="rounded-[6px] border bg-surface px-1.5 py-0.5 font-mono text-[12px] break-all">
                {name}
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </>
  );
}

/** Plugins come before the model, as they did. */
function ToolSteps({ steps }: { steps: ToolStep[] }) {
  const t = useT("chat");
  const language = useLanguage();
  return (
    <section aria-labelledby="tools" className="px-6 pb-6">
      <h3 id="tools" className="mb-2.5 text-ui font-semibold">
        {t("tools.title")}
      </h3>
      <ol className="flex flex-col gap-2.5">
        {steps.map((one, at) => (
          <Step
            key={at}
            icon={one.error ? <X className="text-bad" /> : <Check className="text-good" />}
            name={one.plugin === "" ? one.tool : `${one.plugin} · ${one.tool.replace(`${one.plugin}__`, "")}`}
            said={one.error ? t("tools.failed", { code: one.error, time: formatSeconds(one.ms, language) }) : formatSeconds(one.ms, language)}
          />
        ))}
      </ol>
    </section>
  );
}

function Step({ icon, name, said }: { icon: ReactNode; name: string; said: string }) {
  return (
    <li className="flex gap-2.5 [&_svg]:mt-0.5 [&_svg]:size-4 [&_svg]:shrink-0">
      <span aria-hidden="true">{icon}</span>
      <span className="min-w-0">
        <span className="block font-mono text-[13px] break-all">{name}</span>
        <span className="text-meta text-muted-foreground">{said}</span>
      </span>
    </li>
  );
}

const REASONS = new Set([
  "unreachable",
  "model_loading",
  "timed_out",
  "upstream_over_limit",
  "upstream_refused",
  "model_not_found",
  "request_rejected",
  "model_failed",
  "model_busy",
  "upstream_failed",
  "cut",
  "garbled",
  "egress_forbidden",
]);

function reason(code: string, t: Translate<"chat">): string {
  return REASONS.has(code) ? t(`route.${code}` as Key<"chat">) : code;
}
