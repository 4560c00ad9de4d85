//! Short words at the top of the window, one line each, with an undo where there is one. Also the page's polite announcer.
import { X } from "lucide-react";
import { useEffect } from "react";
import { create } from "zustand";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { IconButton } from "@/ui/button";

type Toast = { id: number; text: string; tone: "neutral" | "bad"; action?: { label: string; act: () => void }; ms: number };
type Toasts = { toasts: Toast[]; announcement: string };

const useToasts = create<Toasts>(() => ({ toasts: [], announcement: "" }));
let next = 0;

type Options = { tone?: Toast["tone"]; action?: Toast["action"]; ms?: number };

export function toast(text: string, options: Options = {}) {
  next += 1;
  const made: Toast = { id: next, text, tone: options.tone ?? "neutral", ms: options.ms ?? (options.action ? 8000 : 4000), ...(options.action ? { action: options.action } : {}) };
  useToasts.setState((state) => ({ toasts: [...state.toasts.slice(-2), made] }));
}

/** Said by screen readers, not shown: "answer complete". */
export function announce(text: string) {
  useToasts.setState({ announcement: "" });
  // The region must change for the same words to be said twice.
  setTimeout(() => useToasts.setState({ announcement: text }), 50);
}

function dismiss(id: number) {
  useToasts.setState((state) => ({ toasts: state.toasts.filter((toast) => toast.id !== id) }));
}

export function Toaster() {
  const { toasts, announcement } = useToasts();
  return (
    <>
      <div aria-live="polite" className="sr-only">
        {announcement}
      </div>
      <div role="status" className="pointer-events-none fixed inset-x-0 top-0 z-60 flex flex-col items-center gap-2 px-4 pt-[max(12px,env(safe-area-inset-top))]">
        {toasts.map((one) => (
          <ToastLine key={one.id} toast={one} />
        ))}
      </div>
    </>
  );
}

function ToastLine({ toast }: { toast: Toast }) {
  const t = useT("common");
  useEffect(() => {
    const timer = setTimeout(() => dismiss(toast.id), toast.ms);
    return () => clearTimeout(timer);
  }, [toast]);
  return (
    <div
      className={cx(
        "pointer-events-auto flex max-w-[min(560px,100%)] animate-rise items-center gap-1 rounded-[12px] py-1.5 pr-1.5 pl-4 text-ui shadow-popover",
        toast.tone === "bad" ? "bg-bad text-background" : "bg-primary text-primary-foreground",
      )}
    >
      <span className="min-w-0 py-1 pr-2">{toast.text}</span>
      {toast.action ? (
        <button
          type="button"
          className="touch-target h-8 shrink-0 rounded-control px-3 font-medium underline decoration-current/40 underline-offset-4 hover:decoration-current"
          onClick={() => {
            toast.action?.act();
            dismiss(toast.id);
          }}
        >
          {toast.action.label}
        </button>
      ) : null}
      <IconButton label={t("dismiss")} size="small" className="text-current opacity-70 hover:bg-transparent hover:text-current hover:opacity-100" onClick={() => dismiss(toast.id)}>
        <X />
      </IconButton>
    </div>
  );
}
