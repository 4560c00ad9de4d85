//! The furniture of a page that is not a conversation: a title, one primary action, content; and what stands where content is not yet.
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

/** A scrolling page of at most `wide` (1200 px) or a reading width (736 px). */
export function Page({ children, wide = false }: { children: ReactNode; wide?: boolean }) {
  return (
    <div className="scroll-thin h-full overflow-y-auto">
      <div className={cx("mx-auto w-full px-4 pt-6 pb-16 sm:px-8 sm:pt-10", wide ? "max-w-[1200px]" : "max-w-[800px]")}>{children}</div>
    </div>
  );
}

export function PageHeader({ title, description, action }: { title: string; description?: ReactNode; action?: ReactNode }) {
  return (
    <header className="mb-6 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        <h1 className="text-[20px] leading-snug font-semibold">{title}</h1>
        {description ? <p className="mt-1 max-w-[60ch] text-ui text-muted-foreground">{description}</p> : null}
      </div>
      {action}
    </header>
  );
}

export function Section({ title, description, children, action }: { title: string; description?: ReactNode; children: ReactNode; action?: ReactNode }) {
  return (
    <section className="mb-10">
      <div className="mb-3 flex flex-wrap items-end justify-between gap-x-6 gap-y-2">
        <div className="min-w-0">
          <h2 className="text-[16px] font-semibold">{title}</h2>
          {description ? <p className="mt-0.5 max-w-[64ch] text-meta text-muted-foreground">{description}</p> : null}
        </div>
        {action}
      </div>
      {children}
    </section>
  );
}

export function Card({ children, className }: { children: ReactNode; className?: string }) {
  return <div className={cx("rounded-card border bg-background", className)}>{children}</div>;
}

/** One line of a settings card: what it is at the left, its control at the right. */
export function Row({ title, description, children }: { title: ReactNode; description?: ReactNode; children?: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-52">
        <div className="text-ui">{title}</div>
        {description ? <div className="text-meta text-muted-foreground">{description}</div> : null}
      </div>
      {children}
    </div>
  );
}

export function EmptyState({ icon, title, children, action }: { icon?: ReactNode; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-14 text-center">
      {icon ? <div className="mb-1 text-muted-foreground [&_svg]:size-6">{icon}</div> : null}
      <p className="font-medium">{title}</p>
      {children ? <div className="max-w-[46ch] text-meta text-muted-foreground">{children}</div> : null}
      {action ? <div className="mt-3">{action}</div> : null}
    </div>
  );
}

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden="true" className={cx("animate-breathe rounded-control bg-muted", className)} />;
}

type Tone = "neutral" | "good" | "warn" | "bad" | "brand";
const TONES: Record<Tone, string> = {
  neutral: "bg-muted text-muted-foreground",
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  brand: "bg-brand-soft text-brand",
};

export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={cx("inline-flex h-[22px] items-center gap-1 rounded-full px-2 text-[12px] font-medium whitespace-nowrap", TONES[tone])}>{children}</span>;
}

/** A sentence that matters, in a quiet frame: a warning, a failure with its way out. */
export function Notice({ tone = "neutral", icon, children, action, role }: { tone?: Tone; icon?: ReactNode; children: ReactNode; action?: ReactNode; role?: "status" | "alert" }) {
  return (
    <div role={role} className={cx("flex flex-wrap items-center gap-x-3 gap-y-2 rounded-card px-4 py-3 text-ui", TONES[tone])}>
      {icon ? <span className="shrink-0 [&_svg]:size-[18px]">{icon}</span> : null}
      <div className={cx("min-w-0 flex-1 basis-52", tone === "neutral" && "text-foreground")}>{children}</div>
      {action}
    </div>
  );
}
