//! Making a key: a name and an end, then the key itself, this once, with a first request to try it.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useForm } from "react-hook-form";
import { api } from "@/api/client";
import type { NewApiKey } from "@/api/types";
import { useModels } from "@/chat/models";
import { type Key, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/input";
import { Once } from "@/ui/once";
import { Notice } from "@/ui/page";

const DAY_MS = 86_400_000;
const LIVES = ["0", "30", "90", "365"] as const;

export function NewKeyDialog({ onClose, onMade }: { onClose: () => void; onMade: () => unknown }) {
  const t = useT("account");
  const c = useT("common");
  const [made, setMade] = useState<NewApiKey | null>(null);
  const { register, handleSubmit, formState } = useForm({ defaultValues: { name: "", days: "0" } });
  const make = useMutation({
    mutationFn: ({ name, days }: { name: string; days: string }) =>
      api.post<NewApiKey>("/api/keys", { name: name.trim(), ...(days === "0" ? {} : { expires_at: Date.now() + Number(days) * DAY_MS }) }),
    onSuccess: (key) => {
      setMade(key);
      void onMade();
    },
  });

  if (made) {
    return (
      <Dialog open onClose={onClose} title={t("keys.made_title")} description={t("keys.made_text")} footer={<Button onClick={onClose}>{t("keys.kept")}</Button>}>
        <Once value={made.key} label={t("keys.key")} />
        <FirstRequest secret={made.key} />
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("keys.make")}
      width="small"
      footer={
        <>
          <Button onClick={onClose}>{c("cancel")}</Button>
          <Button variant="primary" type="submit" form="new-key" busy={make.isPending}>
            {t("keys.make")}
          </Button>
        </>
      }
    >
      <form id="new-key" noValidate onSubmit={(event) => void handleSubmit((fields) => make.mutate(fields))(event)} className="flex flex-col gap-4">
        {make.error ? (
          <Notice tone="bad" role="alert">
            {sentence(make.error)}
          </Notice>
        ) : null}
        <Field label={t("keys.name")} hint={t("keys.name_hint")} error={formState.errors.name ? t("invalid.key_name") : undefined}>
          <Input autoComplete="off" autoFocus {...register("name", { validate: (name) => name.trim().length >= 1 && name.trim().length <= 100 })} />
        </Field>
        <Field label={t("keys.life")}>
          <Select {...register("days")}>
            {LIVES.map((days) => (
              <option key={days} value={days}>
                {t(`keys.life_${days}` as Key<"account">)}
              </option>
            ))}
          </Select>
        </Field>
      </form>
    </Dialog>
  );
}

/** What the key is for, ready to paste. */
function FirstRequest({ secret }: { secret: string }) {
  const t = useT("account");
  const { data } = useModels();
  const model = data?.default ?? data?.models[0]?.id ?? "MODEL";
  const request = `curl ${location.origin}/v1/chat/completions \\
  -H "Authorization: Bearer ${secret}" \\
  -H "Content-Type: application/json" \\
  -d '${JSON.stringify({ model, messages: [{ role: "user", content: t("keys.example_question") }] })}'`;
  return (
    <section className="mt-6">
      <div className="mb-1.5 flex items-center justify-between">
        <h3 className="text-ui font-medium">{t("keys.example")}</h3>
        <CopyButton text={request} label={t("keys.copy_example")} />
      </div>
      {/* A scrolling region must take the focus, or a keyboard cannot scroll it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} aria-label={t("keys.example")} role="region" className="scroll-thin overflow-x-auto rounded-[10px] border bg-surface p-3 font-mono text-[12px] leading-relaxed">
        {request}
      </pre>
    </section>
  );
}
