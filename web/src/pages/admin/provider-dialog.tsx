//! "Add a model": where it is, a key, a test that says what was found or why not, and which of its models to offer.
import { zodResolver } from "@hookform/resolvers/zod";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { api } from "@/api/client";
import type { Preset, Provider, ProviderTest } from "@/api/types";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { adminKeys, refresh, usePresets } from "@/pages/admin/data";
import { kindName } from "@/pages/admin/kind-name";
import { ModelChoice } from "@/pages/admin/model-choice";
import { Presets } from "@/pages/admin/presets";
import { TestResult } from "@/pages/admin/test-result";
import { type Offer, type ProviderFields, bodyOf, candidates, fieldsOf, offerOf, providerSchema } from "@/pages/admin/provider-schema";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/input";
import { Notice } from "@/ui/page";
import { toast } from "@/ui/toast";

type Props = { provider: Provider | null; onClose: () => void; /** Other ways to add one, above the form. */ ways?: ReactNode };

export function ProviderDialog({ provider, onClose, ways }: Props) {
  const t = useT("admin");
  const c = useT("common");
  const { register, handleSubmit, control, setValue, trigger, getValues, formState } = useForm<ProviderFields>({ resolver: zodResolver(providerSchema), defaultValues: fieldsOf(provider) });
  const presets = usePresets();
  const kinds = [...new Set(["openai", ...(provider ? [provider.kind] : []), ...(presets.data?.presets ?? []).map((one) => one.kind)])];
  const [preset, setPreset] = useState<Preset | null>(null);
  const [offer, setOffer] = useState<Offer>(() => offerOf(provider));
  const typed = useWatch({ control });
  const address = JSON.stringify([typed.kind, typed.base_url, typed.api_key, typed.forget_key]);

  const test = useMutation({
    mutationFn: async ({ kind, base_url, api_key, forget_key }: ProviderFields & { address: string }) =>
      api.post<ProviderTest>("/api/providers/test", { kind, base_url, ...(api_key ? { api_key } : {}), ...(provider && !forget_key ? { id: provider.id } : {}) }),
  });
  const save = useMutation({
    mutationFn: (body: object) => (provider ? api.patch(`/api/providers/${provider.id}`, body) : api.post("/api/providers", body)),
    onSuccess: async () => {
      await refresh(adminKeys.providers);
      toast(t(provider ? "provider.saved" : "provider.added", { name: getValues("name") }));
      onClose();
    },
  });
  // A result holds for the address and key it was made with.
  const current = test.variables?.address === address;
  const result = current && test.data ? test.data : null;
  const untested = !result && provider?.base_url !== typed.base_url;

  const runTest = async () => {
    if (!(await trigger("base_url"))) return;
    await test.mutateAsync({ ...getValues(), address }).catch(() => {});
  };
  const submit = handleSubmit(async (fields) => {
    if (untested && !(current && test.isError)) {
      const tested = await test.mutateAsync({ ...fields, address }).catch(() => null);
      if (!tested?.ok) return;
    }
    await save.mutateAsync(bodyOf(fields, offer, provider)).catch(() => {});
  });
  const choose = (next: Preset) => {
    setPreset(next);
    setValue("kind", next.kind);
    setValue("name", next.name, { shouldValidate: false });
    setValue("base_url", next.base_url, { shouldValidate: formState.isSubmitted });
  };
  const says = (field: "name" | "base_url") => {
    const key = formState.errors[field]?.message;
    return key ? t(key as Key<"admin">) : undefined;
  };
  const failed = current && (test.isError || result?.ok === false);
  const label = provider ? c("save") : t(failed ? "provider.add_anyway" : "provider.add");

  return (
    <Dialog
      open
      onClose={onClose}
      title={provider ? t("provider.edit_title", { name: provider.name }) : t("models.add")}
      description={provider ? undefined : t("provider.add_text")}
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" type="submit" form="provider" busy={save.isPending} disabled={test.isPending || (offer !== "all" && offer.length === 0)}>
            {label}
          </Button>
        </>
      }
    >
      <form id="provider" noValidate onSubmit={(event) => void submit(event)} className="flex flex-col gap-5">
        {ways}
        {provider ? null : <Presets chosen={preset?.slug ?? null} onChoose={choose} />}
        {save.error ? (
          <Notice tone="bad" role="alert">
            {sentence(save.error)}
          </Notice>
        ) : null}
        <Field label={t("provider.kind")} hint={t("provider.kind_hint")}>
          <Select {...register("kind")}>
            {kinds.map((kind) => (
              <option key={kind} value={kind}>
                {kindName(kind)}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t("provider.url")} hint={t("provider.url_hint")} error={says("base_url")}>
          <Input inputMode="url" data-autofocus autoComplete="off" spellCheck={false} placeholder="http://127.0.0.1:11434" className="font-mono text-[13px]" {...register("base_url")} />
        </Field>
        <Field label={t("provider.name")} error={says("name")}>
          <Input autoComplete="off" {...register("name")} />
        </Field>
        <Field label={t("provider.key")} hint={t(preset?.needs_key ? "provider.key_needed" : "provider.key_hint")} aside={preset?.needs_key ? undefined : c("optional")}>
          <Input
            type="password"
            autoComplete="off"
            spellCheck={false}
            disabled={typed.forget_key}
            placeholder={provider?.has_key ? t("provider.key_kept") : ""}
            className="font-mono text-[13px]"
            {...register("api_key")}
          />
        </Field>
        {provider?.has_key ? (
          <label className="-mt-3 flex items-center gap-2 text-meta">
            <input type="checkbox" className="size-4 accent-foreground" {...register("forget_key")} />
            {t("provider.key_forget")}
          </label>
        ) : null}
        <div className="flex flex-col gap-3">
          <Button busy={test.isPending} onClick={() => void runTest()} className="self-start">
            {t(test.isPending ? "provider.testing" : "provider.test")}
          </Button>
          <TestResult result={result} error={current ? test.error : null} />
        </div>
        <ModelChoice names={candidates(provider, result)} offer={offer} onChange={setOffer} />
      </form>
    </Dialog>
  );
}
