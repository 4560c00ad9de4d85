//! A key's name, end and scope: made or changed. A new one is then shown, this once, with a first request to try it.
import { zodResolver } from "@hookform/resolvers/zod";
import { useMutation } from "@tanstack/react-query";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { api } from "@/api/client";
import type { ApiKey, NewApiKey } from "@/api/types";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { type KeyFields, LIVES, bodyOf, dayOf, fieldsOf, keySchema } from "@/pages/account/settings/key-fields";
import { KeyModels } from "@/pages/account/settings/key-models";
import { KeyTasks } from "@/pages/account/settings/key-tasks";
import { MadeKey } from "@/pages/account/settings/made-key";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select, Textarea } from "@/ui/input";
import { Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

type Props = { /** null: a new one. */ item: ApiKey | null; onClose: () => void; onDone: () => unknown };

export function KeyDialog({ item, onClose, onDone }: Props) {
  const t = useT("account");
  const c = useT("common");
  const [made, setMade] = useState<NewApiKey | null>(null);
  const [models, setModels] = useState<string[] | null>(item && item.scope.models.length > 0 ? item.scope.models : null);
  const [tasks, setTasks] = useState<string[] | null>(item && item.scope.tasks.length > 0 ? item.scope.tasks : null);
  const { register, handleSubmit, control, formState } = useForm<KeyFields>({ resolver: zodResolver(keySchema), defaultValues: fieldsOf(item) });
  const life = useWatch({ control, name: "life" });
  const save = useMutation({
    mutationFn: (fields: KeyFields) => (item ? api.patch(`/api/keys/${item.id}`, bodyOf(fields, { models, tasks }, item)) : api.post<NewApiKey>("/api/keys", bodyOf(fields, { models, tasks }, null))),
    onSuccess: async (answer) => {
      await onDone();
      if (!item) return setMade(answer as NewApiKey);
      toast(t("keys.saved"));
      onClose();
    },
  });
  const says = (field: keyof KeyFields) => {
    const key = formState.errors[field]?.message;
    return key ? t(key as Key<"account">) : undefined;
  };

  if (made) return <MadeKey made={made} onClose={onClose} />;
  return (
    <Dialog
      open
      onClose={onClose}
      title={item ? t("keys.edit_title", { name: item.name }) : t("keys.make")}
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" type="submit" form="key" busy={save.isPending} disabled={models?.length === 0 || tasks?.length === 0}>
            {item ? c("save") : t("keys.make")}
          </Button>
        </>
      }
    >
      <form id="key" noValidate onSubmit={(event) => void handleSubmit((fields) => save.mutate(fields))(event)} className="flex flex-col gap-5">
        {save.error ? (
          <Notice tone="bad" role="alert">
            {sentence(save.error)}
          </Notice>
        ) : null}
        <Field label={t("keys.name")} hint={t("keys.name_hint")} error={says("name")}>
          <Input autoComplete="off" data-autofocus {...register("name")} />
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t("keys.life")}>
            <Select {...register("life")}>
              {LIVES.map((days) => (
                <option key={days} value={days}>
                  {t(`keys.life_${days}`)}
                </option>
              ))}
            </Select>
          </Field>
          {life === "date" ? (
            <Field label={t("keys.last_day")} error={says("date")}>
              <Input type="date" min={dayOf(Date.now())} {...register("date")} />
            </Field>
          ) : null}
        </div>
        <KeyModels value={models} onChange={setModels} />
        <KeyTasks value={tasks} onChange={setTasks} />
        <Limits open={item !== null && limited(item)} invalid={["tokens_per_day", "tokens_total", "requests_per_minute", "addresses"].some((field) => field in formState.errors)}>
          <div className="grid gap-4 sm:grid-cols-3">
            {(["tokens_per_day", "tokens_total", "requests_per_minute"] as const).map((field) => (
              <Field key={field} label={t(`keys.${field}`)} error={says(field)}>
                <Input inputMode="numeric" autoComplete="off" placeholder={t("keys.no_limit")} className="tabular" {...register(field)} />
              </Field>
            ))}
          </div>
          <Field label={t("keys.addresses")} hint={t("keys.addresses_hint")} error={says("addresses")}>
            <Textarea rows={2} spellCheck={false} placeholder={t("keys.addresses_any")} className="min-h-16 font-mono text-[13px]" {...register("addresses")} />
          </Field>
        </Limits>
      </form>
    </Dialog>
  );
}

export function limited({ scope }: ApiKey): boolean {
  return scope.addresses.length > 0 || [scope.tokens_per_day, scope.tokens_total, scope.requests_per_minute].some((limit) => limit !== null);
}

/** Closed until wanted; a fault inside opens it. */
function Limits({ open, invalid, children }: { open: boolean; invalid: boolean; children: React.ReactNode }) {
  const t = useT("account");
  const [opened, setOpened] = useState(open);
  return (
    <details open={opened || invalid} onToggle={(event) => setOpened(event.currentTarget.open)} className="group/limits rounded-[10px] border">
      <summary className="flex min-h-11 list-none items-center gap-2 px-3 text-ui font-medium select-none [&::-webkit-details-marker]:hidden">
        <ChevronRight className="size-4 text-muted-foreground transition-transform duration-120 group-open/limits:rotate-90" aria-hidden="true" />
        {t("keys.limits")}
        <span className="truncate text-meta font-normal text-muted-foreground group-open/limits:hidden">{t("keys.limits_text")}</span>
      </summary>
      <div className="flex flex-col gap-4 border-t px-3 py-4">{children}</div>
    </details>
  );
}
