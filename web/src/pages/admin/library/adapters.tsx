//! The LoRA adapters of the portal's machine: taken in, given to models that run and taken from them again, without a restart.
import { useMutation } from "@tanstack/react-query";
import { Plus, Trash2, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "@/api/client";
import type { Adapter, Attachment } from "@/api/types";
import { useT } from "@/lib/i18n";
import { adapterAddress, again, attach, detach, librarySentence, useAdapters, useSize } from "@/pages/admin/library/data";
import { ByPath, ByUpload } from "@/pages/admin/library/own-files";
import { Button, IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Input } from "@/ui/input";
import { Badge, Card, Section } from "@/ui/page";
import { toast } from "@/ui/toast";

const bad = (problem: unknown) => toast(librarySentence(problem), { tone: "bad" });

export function Adapters() {
  const t = useT("library");
  const { data, error, refetch } = useAdapters();
  return (
    <Section title={t("adapters")} description={data ? `${t("adapters_text")} ${t("folder", { folder: data.folder })}` : t("adapters_text")}>
      {error ? <Failed error={error} again={refetch} /> : null}
      <Card>
        {data && data.adapters.length > 0 ? (
          <ul>
            {data.adapters.map((adapter) => (
              <Row key={adapter.name} adapter={adapter} models={data.models} />
            ))}
          </ul>
        ) : null}
        <div className="flex flex-col gap-4 p-4">
          <ByPath label={t("adapter_path")} act={t("adapter_take")} take={(path) => api.post<Adapter>("/api/adapters", { path })} />
          <ByUpload label={t("adapter_upload")} address={adapterAddress} />
        </div>
      </Card>
    </Section>
  );
}

function Row({ adapter, models }: { adapter: Adapter; models: string[] }) {
  const t = useT("library");
  const size = useSize();
  const [removing, setRemoving] = useState(false);
  const { name } = adapter;
  const remove = useMutation({
    mutationFn: () => api.delete(`/api/adapters/${encodeURIComponent(name)}`),
    onSuccess: () => {
      setRemoving(false);
      void again();
    },
    onError: bad,
  });
  const facts = [size(adapter.bytes), adapter.architecture, adapter.rank === null ? null : t("rank", { rank: adapter.rank }), adapter.matrices === null ? null : t("matrices", { count: adapter.matrices })].filter(Boolean).join(" · ");
  const free = models.filter((model) => !adapter.attached.some((one) => one.model === model));
  return (
    <li className="flex flex-col gap-2 border-b px-4 py-3" aria-label={name}>
      <div className="flex items-start gap-4">
        <div className="min-w-0 flex-1">
          <p className="font-mono text-[13px] break-all">{name}</p>
          <p className="tabular text-meta text-muted-foreground">{facts}</p>
          {adapter.problem ? <p className="text-meta text-bad">{adapter.problem}</p> : null}
        </div>
        {adapter.attached.length > 0 ? null : (
          <IconButton label={t("remove", { name })} onClick={() => setRemoving(true)}>
            <Trash2 />
          </IconButton>
        )}
      </div>
      {adapter.attached.map((one) => (
        <Given key={one.model} adapter={adapter} attachment={one} />
      ))}
      {free.length > 0 && adapter.problem === null ? <Give adapter={adapter} models={free} /> : null}
      {adapter.card ? (
        <details className="text-meta text-muted-foreground">
          <summary className="cursor-pointer">{t("card")}</summary>
          <pre className="scroll-thin mt-1 overflow-x-auto font-mono text-[13px]">{JSON.stringify(adapter.card, null, 2)}</pre>
        </details>
      ) : null}
      <ConfirmDialog open={removing} onClose={() => setRemoving(false)} onConfirm={() => remove.mutate()} busy={remove.isPending} danger title={t("remove_title", { name })} description={t("remove_text", { size: size(adapter.bytes) })} confirm={t("remove_confirm")} />
    </li>
  );
}

/** A model that has it: its name to ask for, where it stands, and the way back. */
function Given({ adapter, attachment }: { adapter: Adapter; attachment: Attachment }) {
  const t = useT("library");
  const { id, model, scale, state } = attachment;
  const take = useMutation({ mutationFn: () => detach(adapter, model), onSuccess: () => toast(t("detached", { name: adapter.name, model })), onError: bad });
  const [tone, word] = standing(attachment);
  return (
    <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1 pl-4">
      <span className="font-mono text-[13px] break-all">{id}</span>
      <span className="tabular text-meta text-muted-foreground">{t("scale_is", { scale })}</span>
      <Badge tone={tone}>{t(word)}</Badge>
      <IconButton label={t("detach", { name: adapter.name, model })} disabled={take.isPending} onClick={() => take.mutate()}>
        <X />
      </IconButton>
      {state?.state === "failed" ? <p className="basis-full text-meta text-bad">{state.message}</p> : null}
    </div>
  );
}

function standing({ state }: Attachment) {
  if (state === null) return ["neutral", "waits"] as const;
  if (state.state === "ready") return ["good", "running"] as const;
  if (state.state === "failed") return ["bad", "adapter_failed"] as const;
  return ["neutral", state.state === "cold" ? "resting" : "loading"] as const;
}

/** Gives it to one more model. */
function Give({ adapter, models }: { adapter: Adapter; models: string[] }) {
  const t = useT("library");
  const [chosen, setChosen] = useState("");
  const [scale, setScale] = useState("1");
  const model = models.includes(chosen) ? chosen : (models[0] ?? "");
  const give = useMutation({ mutationFn: () => attach(adapter, model, Number(scale)), onSuccess: () => toast(t("attached", { name: adapter.name, model })), onError: bad });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    give.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2 pl-4">
      <select aria-label={t("attach_to", { name: adapter.name })} className="h-9 rounded-control border bg-background px-2 text-ui" value={model} onChange={(event) => setChosen(event.target.value)}>
        {models.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <Input aria-label={t("scale")} title={t("scale_text")} type="number" step="any" min={-100} max={100} required className="w-24" value={scale} onChange={(event) => setScale(event.target.value)} />
      <Button type="submit" size="small" icon={<Plus />} busy={give.isPending} aria-label={`${t("attach")}: ${adapter.name}`}>
        {t("attach")}
      </Button>
    </form>
  );
}
