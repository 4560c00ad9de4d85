//! The figures of one answer: model, tokens, TTFT, TPOT, how it ended; and the way to it.
import type { ReactNode } from "react";
import type { Message } from "@/api/types";
import { useModelName } from "@/chat/models";
import { type Thread, useThread } from "@/chat/thread";
import { useLanguage, useT } from "@/lib/i18n";
import { failureSentence } from "@/lib/problem";
import { formatDateTime } from "@/lib/time";
import { Confidence } from "@/pages/chat/confidence";
import { Provenance } from "@/pages/chat/provenance";

export function DetailsPanel({ thread, id }: { thread: Thread; id: string }) {
  const message = useThread(thread).messages.get(id);
  return message ? <Details message={message} /> : null;
}

function Details({ message }: { message: Message }) {
  const t = useT("chat");
  const language = useLanguage();
  const model = useModelName(message.model);
  const number = (value: number, digits = 0) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  const { usage, ttft_ms, tpot_ms, trimmed, finish, failure, provenance } = message;
  return (
    <>
      <dl className="px-6 pb-8">
        {model ? <Line label={t("details.model")}>{model}</Line> : null}
        <Line label={t("details.time")}>{formatDateTime(message.at, language)}</Line>
        {usage ? <Line label={t("details.prompt")}>{number(usage.prompt)}</Line> : null}
        {usage && usage.cached > 0 ? <Line label={t("details.cached")}>{number(usage.cached)}</Line> : null}
        {usage ? (
          <Line label={t("details.completion")}>
            {number(usage.completion)}
            {usage.reported ? null : <span className="block text-meta text-muted-foreground">{t("details.counted")}</span>}
          </Line>
        ) : null}
        {usage && usage.reasoning > 0 ? <Line label={t("details.reasoning")}>{number(usage.reasoning)}</Line> : null}
        {ttft_ms !== null ? <Line label={t("details.ttft")}>{number(ttft_ms)} ms</Line> : null}
        {tpot_ms !== null ? <Line label={t("details.tpot")}>{number(tpot_ms, 1)} ms</Line> : null}
        {tpot_ms !== null && tpot_ms > 0 ? <Line label={t("details.speed")}>{t("details.speed_value", { value: number(1000 / tpot_ms, 1) })}</Line> : null}
        {finish ? <Line label={t("details.finish")}>{t(`finish.${finish}`)}</Line> : null}
        {failure ? <p className="pt-3 text-meta text-bad">{failureSentence(failure)}</p> : null}
        {trimmed && trimmed.messages > 0 ? <p className="pt-3 text-meta text-muted-foreground">{t("message.trimmed", { count: trimmed.messages, tokens: trimmed.tokens })}</p> : null}
      </dl>
      {usage?.confidence ? <Confidence told={usage.confidence} /> : null}
      {provenance ? <Provenance told={provenance} /> : null}
    </>
  );
}

function Line({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex justify-between gap-6 border-b py-2.5 last-of-type:border-b-0">
      <dt className="text-muted-foreground">{label}</dt>
      <dd className="tabular min-w-0 text-right break-words">{children}</dd>
    </div>
  );
}
