//! All of something, or those that are ticked: the frame of what a key is bound to. What there is to tick is its children's.
import { type ReactNode, useId } from "react";
import { useT } from "@/lib/i18n";

type Choice = { chosen: string[]; tick: (name: string, on: boolean) => void };
type Props = {
  legend: string;
  all: string;
  some: string;
  /** null: all. */
  value: string[] | null;
  onChange: (value: string[] | null) => void;
  children: (choice: Choice) => ReactNode;
};

const RADIO = "flex min-h-6 items-center gap-2.5 text-ui coarse:min-h-11";

export function KeyChoice({ legend, all, some, value, onChange, children }: Props) {
  const t = useT("account");
  const group = useId();
  const chosen = value ?? [];
  const tick = (name: string, on: boolean) => onChange(on ? [...chosen, name] : chosen.filter((one) => one !== name));
  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1.5 text-ui font-medium">{legend}</legend>
      <label className={RADIO}>
        <input type="radio" name={group} className="size-4 accent-foreground" checked={value === null} onChange={() => onChange(null)} />
        {all}
      </label>
      <label className={RADIO}>
        <input type="radio" name={group} className="size-4 accent-foreground" checked={value !== null} onChange={() => onChange(chosen)} />
        {some}
      </label>
      {value === null ? null : (
        <div className="ml-6 flex flex-col gap-2">
          {children({ chosen, tick })}
          {chosen.length === 0 ? (
            <p role="alert" className="text-meta text-bad">
              {t("keys.models_none")}
            </p>
          ) : null}
        </div>
      )}
    </fieldset>
  );
}
