//! A button that copies and says so for a moment.
import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { copyText } from "@/lib/clipboard";
import { useT } from "@/lib/i18n";
import { IconButton } from "@/ui/button";
import { toast } from "@/ui/toast";

type Props = { text: string | (() => string); label?: string; size?: "small" | "medium"; className?: string };

export function CopyButton({ text, label, size = "small", className }: Props) {
  const t = useT("common");
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    if (await copyText(typeof text === "string" ? text : text())) setCopied(true);
    else toast(t("copy_failed"), { tone: "bad" });
  };
  return (
    <IconButton label={copied ? t("copied") : (label ?? t("copy"))} size={size} className={className} onClick={() => void copy()}>
      {copied ? <Check /> : <Copy />}
    </IconButton>
  );
}
