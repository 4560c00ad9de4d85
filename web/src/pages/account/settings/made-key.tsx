//! The key itself, this once, and a first request to try it with.
import type { NewApiKey } from "@/api/types";
import { useModels } from "@/chat/models";
import { useT } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Dialog } from "@/ui/dialog";
import { Once } from "@/ui/once";

export function MadeKey({ made, onClose }: { made: NewApiKey; onClose: () => void }) {
  const t = useT("account");
  return (
    <Dialog open onClose={onClose} title={t("keys.made_title")} description={t("keys.made_text")} footer={<Button onClick={onClose}>{t("keys.kept")}</Button>}>
      <Once value={made.key} label={t("keys.key")} />
      <FirstRequest made={made} />
    </Dialog>
  );
}

/** What the key is for, ready to paste: with a model that it may ask. */
function FirstRequest({ made }: { made: NewApiKey }) {
  const t = useT("account");
  const { data } = useModels();
  const allowed = made.scope.models.find((name) => !name.endsWith("/*"));
  const within = data?.models.find((one) => made.scope.models.some((name) => name.endsWith("/*") && one.id.startsWith(name.slice(0, -1))))?.id;
  const model = allowed ?? within ?? data?.default ?? data?.models[0]?.id ?? "MODEL";
  const request = `curl ${location.origin}/v1/chat/completions \\
  -H "Authorization: Bearer ${made.key}" \\
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
