//! Buttons: one near-black primary per screen, the rest quiet. An icon button always has a name.
import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { cx } from "@/lib/cx";
import { Spinner } from "@/ui/spinner";

type Variant = "primary" | "secondary" | "ghost" | "danger";

const VARIANTS: Record<Variant, string> = {
  primary: "bg-primary text-primary-foreground hover:opacity-88",
  secondary: "border bg-background hover:bg-hover",
  ghost: "hover:bg-hover",
  danger: "bg-bad text-background hover:opacity-88",
};

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  variant?: Variant;
  size?: "small" | "medium";
  icon?: ReactNode;
  /** Shows a spinner and refuses clicks while the act is under way. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
};

/** How a button looks, also where it is a link. */
export function buttonLook(variant: Variant, size: "small" | "medium", className?: string): string {
  return cx(
    "touch-target inline-flex shrink-0 items-center justify-center gap-2 rounded-control text-ui font-medium whitespace-nowrap transition-[background-color,opacity] duration-120 disabled:opacity-45 [&_svg]:size-4",
    size === "small" ? "h-8 px-3" : "h-9 px-4 coarse:h-11",
    VARIANTS[variant],
    className,
  );
}

export function Button({ variant = "secondary", size = "medium", icon, busy = false, className, children, disabled, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={buttonLook(variant, size, className)}
      {...rest}
    >
      {busy ? <Spinner /> : icon}
      {children}
    </button>
  );
}

type IconButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> & {
  /** Said by screen readers and shown as the tooltip. */
  label: string;
  /** A key combination shown beside the label in the tooltip. */
  shortcut?: string;
  children: ReactNode;
  size?: "small" | "medium";
  ref?: Ref<HTMLButtonElement>;
};

export function IconButton({ label, shortcut, size = "medium", className, children, type = "button", ...rest }: IconButtonProps) {
  return (
    <button
      type={type}
      aria-label={label}
      data-tip={shortcut ? `${label}  ${shortcut}` : label}
      className={cx(
        "inline-flex shrink-0 items-center justify-center rounded-control text-muted-foreground transition-colors duration-120 hover:bg-hover hover:text-foreground disabled:pointer-events-none disabled:opacity-40",
        size === "small" ? "size-7 [&_svg]:size-[15px] coarse:[&_svg]:size-[17px]" : "size-9 [&_svg]:size-[18px]",
        "coarse:size-11",
        className,
      )}
      {...rest}
    >
      {children}
    </button>
  );
}
