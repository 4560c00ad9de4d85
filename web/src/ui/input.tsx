//! Text fields and choices. A `Field` joins label, control, hint and error for screen readers; controls never label themselves by placeholder.
import { type InputHTMLAttributes, type ReactElement, type ReactNode, type Ref, type SelectHTMLAttributes, type TextareaHTMLAttributes, cloneElement, useId } from "react";
import { ChevronDown } from "lucide-react";
import { cx } from "@/lib/cx";

const BOX =
  "w-full rounded-control border border-border bg-background px-3 text-ui coarse:text-[16px] transition-colors duration-120 hover:border-border-strong focus-visible:border-brand focus-visible:outline-1 focus-visible:outline-offset-0 disabled:opacity-50 aria-invalid:border-bad";

export function Input({ className, ...rest }: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input className={cx(BOX, "h-9 coarse:h-11", className)} {...rest} />;
}

export function Textarea({ className, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea className={cx(BOX, "scroll-thin min-h-20 resize-y py-2 leading-relaxed", className)} {...rest} />;
}

/** The browser's own list: the best one on a phone, and it needs no script. */
export function Select({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement> & { ref?: Ref<HTMLSelectElement> }) {
  return (
    <span className={cx("relative inline-block w-full", className)}>
      <select className={cx(BOX, "h-9 appearance-none pr-9 coarse:h-11")} {...rest}>
        {children}
      </select>
      <ChevronDown className="pointer-events-none absolute top-1/2 right-3 size-4 -translate-y-1/2 text-muted-foreground" aria-hidden="true" />
    </span>
  );
}

type FieldProps = {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  /** The one control; it receives id, aria-describedby and aria-invalid. */
  children: ReactElement<{ id?: string; "aria-describedby"?: string | undefined; "aria-invalid"?: boolean | undefined }>;
  /** Shown at the right end of the label row, e.g. a value. */
  aside?: ReactNode;
};

export function Field({ label, hint, error, children, aside }: FieldProps) {
  const id = useId();
  const described = [error ? `${id}-error` : null, hint ? `${id}-hint` : null].filter(Boolean).join(" ");
  return (
    <div className="flex flex-col gap-1.5">
      <div className="flex items-baseline justify-between gap-3">
        <label htmlFor={id} className="text-ui font-medium">
          {label}
        </label>
        {aside ? <span className="tabular text-meta text-muted-foreground">{aside}</span> : null}
      </div>
      {cloneElement(children, { id, "aria-describedby": described || undefined, "aria-invalid": error ? true : undefined })}
      {error ? (
        <p id={`${id}-error`} role="alert" className="text-meta text-bad">
          {error}
        </p>
      ) : null}
      {hint ? (
        <p id={`${id}-hint`} className="text-meta text-muted-foreground">
          {hint}
        </p>
      ) : null}
    </div>
  );
}

type SwitchProps = { checked: boolean; onChange: (checked: boolean) => void; label: string; disabled?: boolean; id?: string };

export function Switch({ checked, onChange, label, disabled, id }: SwitchProps) {
  return (
    <button
      id={id}
      type="button"
      role="switch"
      aria-checked={checked}
      aria-label={label}
      disabled={disabled}
      onClick={() => onChange(!checked)}
      className={cx(
        "touch-target inline-flex h-[22px] w-[38px] shrink-0 items-center rounded-full p-[3px] transition-colors duration-120 disabled:opacity-50",
        checked ? "bg-primary" : "bg-border-strong",
      )}
    >
      <span className={cx("size-4 rounded-full bg-background transition-transform duration-120", checked && "translate-x-4")} />
    </button>
  );
}
