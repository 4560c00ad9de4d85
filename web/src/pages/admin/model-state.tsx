//! A model's state: a dot, words, the share that is loaded, and why it failed.
import type { Failure, ModelState } from "@/api/types";
import { stateWords } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { failureSentence } from "@/lib/problem";
import { StateDot } from "@/pages/chat/model-picker";
import { Meter } from "@/ui/meter";

export function StateLine({ state, enabled }: { state: ModelState; enabled: boolean }) {
  const t = useT("admin");
  if (!enabled) return <span className="text-meta text-muted-foreground">{t("models.off")}</span>;
  return (
    <span className="flex items-center gap-2 text-meta text-muted-foreground">
      <StateDot state={state} />
      <span className="tabular">{stateWords(state)}</span>
      {state.state === "loading" && state.percent !== null ? <Meter label={stateWords(state)} value={state.percent} max={100} calm className="w-20" /> : null}
    </span>
  );
}

/** The sentence with its way out, and what the other side said in its own words, which an administrator may need. */
export function FailureText({ failure }: { failure: Failure }) {
  const said = failureSentence(failure);
  return (
    <>
      <span className="block">{said}</span>
      {failure.message && failure.message !== said ? <span className="mt-0.5 block font-mono text-[12px] break-words">{failure.message}</span> : null}
    </>
  );
}
