//! What is wrong with a manifest or an order, field by field.
import { TriangleAlert } from "lucide-react";
import type { Flaw } from "@/api/plugins";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { flawsOf } from "@/pages/admin/plugins/data";
import { Notice } from "@/ui/page";

/** `beside`: fields whose flaws stand at their own control already. */
export function Flaws({ error, beside = [] }: { error: unknown; beside?: string[] }) {
  const t = useT("plugins");
  const all = flawsOf(error);
  const flaws = all.filter((flaw) => !beside.includes(flaw.field));
  if (all.length > 0 && flaws.length === 0) return null;
  return (
    <Notice tone="bad" role="alert" icon={<TriangleAlert />}>
      {flaws.length === 0 ? (
        sentence(error)
      ) : (
        <>
          <p className="font-medium">{t("flaws", { count: flaws.length })}</p>
          <ul className="mt-1 flex flex-col gap-1">
            {flaws.map((flaw) => (
              <li key={`${flaw.field} ${flaw.message}`} className="break-words">
                {flaw.field === "" ? null : <code className="mr-1.5 font-mono text-[13px]">{flaw.field}</code>}
                {flaw.message}
              </li>
            ))}
          </ul>
        </>
      )}
    </Notice>
  );
}

/** The flaw of one control. */
export function flawAt(flaws: Flaw[], ...fields: string[]): string | undefined {
  return flaws.find((flaw) => fields.includes(flaw.field))?.message;
}
