//! Models that run on this machine: their files, how far they are loaded, why one failed.
import { Cpu } from "lucide-react";
import type { Provider } from "@/api/types";
import { useT } from "@/lib/i18n";
import { FailureText, StateLine } from "@/pages/admin/model-state";
import { Card, Notice } from "@/ui/page";

export function LocalModels({ locals }: { locals: Provider[] }) {
  const t = useT("admin");
  return (
    <Card>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-3">
        <Cpu className="size-[18px] text-muted-foreground" aria-hidden="true" />
        <h2 className="text-[15px] font-semibold">{t("local.title")}</h2>
      </div>
      <ul>
        {locals.map((local) => (
          <LocalRow key={local.id} local={local} />
        ))}
      </ul>
    </Card>
  );
}

function LocalRow({ local }: { local: Provider }) {
  const model = local.models[0];
  const failure = model?.state.state === "failed" ? model.state : local.problem;
  return (
    <li className="border-b px-4 py-3 last:border-b-0">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-1">
        <div className="min-w-0 flex-1 basis-64">
          <p className="truncate">{model?.display_name ?? local.name}</p>
          <p className="font-mono text-[12px] break-all text-muted-foreground">{local.base_url}</p>
        </div>
        {model ? <StateLine state={model.state} enabled /> : null}
      </div>
      {failure ? (
        <div className="mt-2.5">
          <Notice tone="bad">
            <FailureText failure={failure} />
          </Notice>
        </div>
      ) : null}
    </li>
  );
}
