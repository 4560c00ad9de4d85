//! What a test of an address found: how quickly it answered and with how many models, or why not, in words.
import { CircleAlert, CircleCheck } from "lucide-react";
import { useEffect, useRef } from "react";
import type { ProviderTest } from "@/api/types";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { FailureText } from "@/pages/admin/model-state";
import { Notice } from "@/ui/page";

type Props = { result: ProviderTest | null; error: unknown };

export function TestResult({ result, error }: Props) {
  const place = useRef<HTMLDivElement>(null);
  // In a tall dialog the answer must not come below the fold.
  useEffect(() => {
    if (result || error) place.current?.scrollIntoView?.({ block: "nearest" });
  }, [result, error]);
  return (
    <div ref={place} className="scroll-mb-2 empty:hidden">
      <Said result={result} error={error} />
    </div>
  );
}

function Said({ result, error }: Props) {
  const t = useT("admin");
  if (error) {
    return (
      <Notice tone="bad" role="alert" icon={<CircleAlert />}>
        {sentence(error)}
      </Notice>
    );
  }
  if (!result) return null;
  if (!result.ok) {
    return (
      <Notice tone="bad" role="alert" icon={<CircleAlert />}>
        <FailureText failure={result.failure} />
      </Notice>
    );
  }
  return (
    <Notice tone="good" role="status" icon={<CircleCheck />}>
      <span className="block">{t("provider.found", { count: result.models.length, ms: result.latency_ms })}</span>
      <span className="mt-0.5 block font-mono text-[12px] break-all">{result.base_url}</span>
    </Notice>
  );
}
