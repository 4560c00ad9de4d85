//! A secret that is shown this once: the whole of it, selected by a click, with a copy that needs no clipboard API.
import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { copyText } from "@/lib/clipboard";
import { useT } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { toast } from "@/ui/toast";

export function Once({ value, label }: { value: string; label: string }) {
  const t = useT("common");
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (await copyText(value)) setCopied(true);
    else toast(t("copy_failed"), { tone: "bad" });
  };
  return (
    <div className="flex flex-wrap gap-2">
      <textarea
        aria-label={label}
        readOnly
        rows={2}
        value={value}
        onFocus={(event) => event.currentTarget.select()}
        className="min-w-0 flex-1 basis-64 resize-none rounded-control border bg-surface px-3 py-2 font-mono text-[13px] leading-snug break-all"
      />
      <Button variant="primary" icon={copied ? <Check /> : <Copy />} onClick={() => void copy()} className="self-start">
        {t(copied ? "copied" : "copy")}
      </Button>
    </div>
  );
}
