//! Which of a provider's models are offered: all it lists, also tomorrow's; or only those ticked.
import { useId, useState } from "react";
import { useT } from "@/lib/i18n";
import type { Offer } from "@/pages/admin/provider-schema";
import { Input } from "@/ui/input";

/** Lists longer than this get a filter. */
const LONG = 8;

export function ModelChoice({ names, offer, onChange }: { names: string[]; offer: Offer; onChange: (offer: Offer) => void }) {
  const t = useT("admin");
  const group = useId();
  const [filter, setFilter] = useState("");
  if (names.length === 0) return null;
  const shown = names.filter((name) => name.toLowerCase().includes(filter.trim().toLowerCase()));
  const chosen = offer === "all" ? [] : offer;
  const tick = (name: string, on: boolean) => onChange(on ? [...chosen, name] : chosen.filter((one) => one !== name));
  return (
    <fieldset className="flex flex-col gap-2.5">
      <legend className="mb-2 text-ui font-medium">{t("choice.title")}</legend>
      <label className="flex min-h-6 items-baseline gap-2.5 text-ui">
        <input type="radio" name={group} className="translate-y-0.5 accent-foreground" checked={offer === "all"} onChange={() => onChange("all")} />
        <span>
          {t("choice.all")}
          <span className="block text-meta text-muted-foreground">{t("choice.all_text")}</span>
        </span>
      </label>
      <label className="flex min-h-6 items-baseline gap-2.5 text-ui">
        <input type="radio" name={group} className="translate-y-0.5 accent-foreground" checked={offer !== "all"} onChange={() => onChange(chosen.length > 0 ? chosen : names)} />
        {t("choice.some")}
      </label>
      {offer === "all" ? null : (
        <div className="ml-6 flex flex-col gap-2">
          {names.length > LONG ? <Input aria-label={t("choice.filter")} placeholder={t("choice.filter")} value={filter} onChange={(event) => setFilter(event.target.value)} /> : null}
          <ul className="scroll-thin max-h-56 overflow-y-auto rounded-[10px] border py-1">
            {shown.map((name) => (
              <li key={name}>
                <label className="flex min-h-8 items-center gap-2.5 px-3 font-mono text-[13px] hover:bg-hover coarse:min-h-11">
                  <input type="checkbox" className="size-4 shrink-0 accent-foreground" checked={chosen.includes(name)} onChange={(event) => tick(name, event.target.checked)} />
                  <span className="min-w-0 break-all">{name}</span>
                </label>
              </li>
            ))}
          </ul>
          {offer.length === 0 ? (
            <p role="alert" className="text-meta text-bad">
              {t("choice.none")}
            </p>
          ) : null}
        </div>
      )}
    </fieldset>
  );
}
