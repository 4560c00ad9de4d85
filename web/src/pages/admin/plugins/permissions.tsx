//! What a plugin asks for, in plain words, each with a switch.
import { Database, FileInput, FileOutput, Globe, LibraryBig, ShieldQuestion, SquareTerminal } from "lucide-react";
import type { ReactNode } from "react";
import { type Translate, useT } from "@/lib/i18n";
import { Switch } from "@/ui/input";
import { Badge } from "@/ui/page";

type Words = { icon: ReactNode; title: string; text: string; /** It hands out what people wrote, or does something. */ grave: boolean };

const KNOWN: Record<string, { icon: ReactNode; key: "read_files" | "write_files" | "read_knowledge" | "db_read" | "exec_code"; grave: boolean }> = {
  "read:files": { icon: <FileInput />, key: "read_files", grave: true },
  "write:files": { icon: <FileOutput />, key: "write_files", grave: false },
  "read:knowledge": { icon: <LibraryBig />, key: "read_knowledge", grave: true },
  "db:read": { icon: <Database />, key: "db_read", grave: true },
  "exec:code": { icon: <SquareTerminal />, key: "exec_code", grave: true },
};

export function permissionWords(permission: string, t: Translate<"plugins">): Words {
  const known = KNOWN[permission];
  if (known) return { icon: known.icon, title: t(`may.${known.key}`), text: t(`may.${known.key}_text`), grave: known.grave };
  if (permission === "net:*") return { icon: <Globe />, title: t("may.anywhere"), text: t("may.anywhere_text"), grave: true };
  if (permission.startsWith("net:")) return { icon: <Globe />, title: t("may.net", { host: permission.slice(4) }), text: t("may.net_text"), grave: false };
  return { icon: <ShieldQuestion />, title: permission, text: t("may.other_text"), grave: true };
}

type Props = { asked: string[]; granted: string[]; busy?: boolean; onChange: (granted: string[]) => void };

export function Permissions({ asked, granted, busy = false, onChange }: Props) {
  const t = useT("plugins");
  if (asked.length === 0) return <p className="px-4 py-3 text-meta text-muted-foreground">{t("may.nothing")}</p>;
  return (
    <ul>
      {asked.map((permission) => {
        const { icon, title, text, grave } = permissionWords(permission, t);
        const has = granted.includes(permission);
        return (
          <li key={permission} className="flex items-start gap-3 border-b px-4 py-3 last:border-b-0">
            <span className="mt-0.5 shrink-0 text-muted-foreground [&_svg]:size-[18px]" aria-hidden="true">
              {icon}
            </span>
            <div className="min-w-0 flex-1">
              <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-ui">
                <span className="min-w-0 break-words">{title}</span>
                {grave ? <Badge tone="warn">{t("may.grave")}</Badge> : null}
              </p>
              <p className="text-meta text-muted-foreground">{text}</p>
              <p className="font-mono text-[12px] break-all text-muted-foreground">{permission}</p>
            </div>
            <Switch label={title} checked={has} disabled={busy} onChange={(on) => onChange(asked.filter((one) => (one === permission ? on : granted.includes(one))))} />
          </li>
        );
      })}
    </ul>
  );
}
