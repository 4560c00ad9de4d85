//! What an Ollama has on its disk and in memory: fetched by name with its progress, loaded, sent away, removed.
import { useMutation, useQuery } from "@tanstack/react-query";
import { ChevronRight, Download, MemoryStick, Trash2, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Installed, Provider, Pull } from "@/api/types";
import { queries } from "@/app/queries";
import { useLanguage, useT } from "@/lib/i18n";
import { failureSentence, sentence } from "@/lib/problem";
import { adminKeys, refresh, usePulls } from "@/pages/admin/data";
import { Button, IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Input } from "@/ui/input";
import { Badge, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

export function InstalledModels({ provider }: { provider: Provider }) {
  const t = useT("engines");
  const [open, setOpen] = useState(false);
  return (
    <details className="group/disk border-t" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="flex min-h-11 list-none items-center gap-2 px-4 text-ui select-none hover:bg-hover [&::-webkit-details-marker]:hidden">
        <ChevronRight className="size-4 text-muted-foreground transition-transform duration-120 group-open/disk:rotate-90" aria-hidden="true" />
        {t("disk")}
      </summary>
      {open ? <Disk provider={provider} /> : null}
    </details>
  );
}

function Disk({ provider }: { provider: Provider }) {
  const t = useT("engines");
  const key = adminKeys.installed(provider.id);
  const { data, isPending, error, refetch } = useQuery({ queryKey: key, queryFn: ({ signal }) => api.get<{ models: Installed[] }>(`/api/providers/${provider.id}/installed`, undefined, signal), staleTime: 5_000 });
  const pulls = usePulls();
  // Model ids begin with the provider's slug; a provider without models has no pull that can be told from another's.
  const slug = provider.models[0]?.id.slice(0, provider.models[0].id.indexOf("/"));
  const mine = (pulls.data ?? []).filter((pull) => pull.state !== "done" && (pull.provider === slug || pull.provider === provider.id));
  return (
    <div className="border-t px-4 py-4">
      <Fetch provider={provider} />
      {mine.length > 0 ? (
        <ul className="mt-3 flex flex-col gap-2">
          {mine.map((pull) => (
            <PullRow key={pull.id} pull={pull} provider={provider} />
          ))}
        </ul>
      ) : null}
      <div className="mt-4">
        {error ? <Failed error={error} again={refetch} /> : null}
        {isPending ? <Skeleton className="h-16" /> : null}
        {data?.models.length === 0 ? <p className="text-meta text-muted-foreground">{t("disk.empty")}</p> : null}
        <ul className="rounded-[10px] border empty:hidden">
          {data?.models.map((model) => (
            <InstalledRow key={model.name} model={model} provider={provider} />
          ))}
        </ul>
      </div>
    </div>
  );
}

function Fetch({ provider }: { provider: Provider }) {
  const t = useT("engines");
  const [name, setName] = useState("");
  const pull = useMutation({
    mutationFn: (model: string) => beginPull(provider.id, model),
    onSuccess: () => setName(""),
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") pull.mutate(name.trim());
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2">
      <Input aria-label={t("disk.name")} placeholder={t("disk.placeholder")} autoComplete="off" spellCheck={false} className="min-w-0 flex-1 basis-48 font-mono text-[13px]" value={name} onChange={(event) => setName(event.target.value)} />
      <Button type="submit" icon={<Download />} busy={pull.isPending} disabled={name.trim() === ""}>
        {t("disk.fetch")}
      </Button>
    </form>
  );
}

async function beginPull(provider: string, model: string) {
  const begun = await api.post<Pull>(`/api/providers/${provider}/pull`, { model });
  queries.setQueryData<Pull[]>(adminKeys.pulls, (list) => [...(list ?? []).filter((one) => one.id !== begun.id), begun]);
}

function PullRow({ pull, provider }: { pull: Pull; provider: Provider }) {
  const t = useT("engines");
  const size = useSize();
  const running = pull.state === "running";
  const known = pull.total > 0;
  const stop = useMutation({
    mutationFn: () => api.delete(`/api/pulls/${encodeURIComponent(pull.id)}`),
    onSuccess: () => refresh(adminKeys.pulls),
    onError: (problem) => toast(sentence(problem), { tone: "bad" }),
  });
  const again = useMutation({ mutationFn: () => beginPull(provider.id, pull.model), onError: (problem) => toast(sentence(problem), { tone: "bad" }) });
  return (
    <li className="rounded-[10px] border px-3 py-2.5">
      <div className="flex items-center gap-3">
        <p className="min-w-0 flex-1 truncate font-mono text-[13px]">{pull.model}</p>
        <p className="tabular text-meta text-muted-foreground">{known ? `${size(pull.completed)} / ${size(pull.total)}` : null}</p>
        {running ? null : (
          <Button size="small" busy={again.isPending} onClick={() => again.mutate()}>
            {t("disk.go_on")}
          </Button>
        )}
        <IconButton label={t(running ? "disk.stop" : "disk.forget", { name: pull.model })} size="small" onClick={() => stop.mutate()}>
          <X />
        </IconButton>
      </div>
      {running ? (
        <div
          role="progressbar"
          aria-label={t("disk.fetching", { name: pull.model })}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={known ? Math.round((pull.completed / pull.total) * 100) : undefined}
          className="mt-2 h-1.5 overflow-hidden rounded-full bg-muted"
        >
          <div className={known ? "h-full rounded-full bg-brand transition-[width] duration-240" : "h-full w-1/3 animate-sweep rounded-full bg-brand"} style={known ? { width: `${(pull.completed / pull.total) * 100}%` } : undefined} />
        </div>
      ) : (
        <p className="mt-1 text-meta text-muted-foreground">{pull.failure ? failureSentence(pull.failure) : t("disk.stopped")}</p>
      )}
    </li>
  );
}

function InstalledRow({ model, provider }: { model: Installed; provider: Provider }) {
  const t = useT("engines");
  const size = useSize();
  const [removing, setRemoving] = useState(false);
  const ask = async (act: "load" | "unload" | "uninstall") => {
    await api.post(`/api/providers/${provider.id}/${act}`, { model: model.name });
    await refresh(adminKeys.installed(provider.id));
    if (act === "uninstall") await refresh(adminKeys.providers);
  };
  const act = useMutation({ mutationFn: ask, onError: (problem) => toast(sentence(problem), { tone: "bad" }) });
  const facts = [size(model.size), model.parameter_size, model.quantization].filter(Boolean).join(" · ");
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-3 py-2.5 last:border-b-0">
      <div className="min-w-0 flex-1 basis-48">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <span className="font-mono text-[13px] break-all">{model.name}</span>
          {model.loaded ? (
            <Badge tone="good">
              <MemoryStick className="size-3.5" aria-hidden="true" />
              {t("disk.loaded", { size: size(model.loaded.size) })}
            </Badge>
          ) : null}
        </p>
        <p className="tabular text-meta text-muted-foreground">{facts}</p>
      </div>
      <div className="flex items-center gap-1">
        <Button size="small" busy={act.isPending} aria-label={`${t(model.loaded ? "disk.unload" : "disk.load")}: ${model.name}`} onClick={() => act.mutate(model.loaded ? "unload" : "load")}>
          {t(model.loaded ? "disk.unload" : "disk.load")}
        </Button>
        <IconButton label={t("disk.remove", { name: model.name })} onClick={() => setRemoving(true)}>
          <Trash2 />
        </IconButton>
      </div>
      <ConfirmDialog
        open={removing}
        onClose={() => setRemoving(false)}
        onConfirm={() => act.mutate("uninstall", { onSuccess: () => setRemoving(false) })}
        busy={act.isPending}
        danger
        title={t("disk.remove_title", { name: model.name })}
        description={t("disk.remove_text", { size: size(model.size) })}
        confirm={t("disk.remove_confirm")}
      />
    </li>
  );
}

/** Bytes as a person says them: 4.7 GB. */
function useSize() {
  const language = useLanguage();
  return (bytes: number) => {
    const [value, unit] = bytes >= 1e9 ? [bytes / 1e9, "gigabyte"] : [bytes / 1e6, "megabyte"];
    return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 100 ? 1 : 0 }).format(value);
  };
}
