//! Dialogs and sheets over Radix. Loaded with the feature that opens one, never by the first page.
import { Dialog as Radix } from "radix-ui";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { Button, IconButton } from "@/ui/button";

type DialogProps = {
  open: boolean;
  onClose: () => void;
  title: string;
  /** Said below the title; also the accessible description. */
  description?: ReactNode;
  children?: ReactNode;
  footer?: ReactNode;
  width?: "small" | "medium" | "large";
};

const WIDTHS = { small: "sm:max-w-[420px]", medium: "sm:max-w-[560px]", large: "sm:max-w-[760px]" };
const SCRIM = "fixed inset-0 z-40 bg-scrim data-[state=open]:animate-fade";

export function Dialog({ open, onClose, title, description, children, footer, width = "medium" }: DialogProps) {
  const t = useT("common");
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className={SCRIM} />
        <Radix.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          onOpenAutoFocus={focusPanel}
          className={cx(
            "fixed z-50 flex max-h-[min(86dvh,820px)] flex-col bg-popover shadow-popover outline-none",
            "inset-x-0 bottom-0 rounded-t-card pb-[env(safe-area-inset-bottom)] data-[state=open]:animate-slide-up",
            "sm:inset-x-auto sm:top-1/2 sm:bottom-auto sm:left-1/2 sm:w-[calc(100vw-48px)] sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-card sm:border sm:pb-0 sm:data-[state=open]:animate-fade",
            WIDTHS[width],
          )}
        >
          <div className="flex items-start justify-between gap-4 px-6 pt-5 pb-3">
            <div>
              <Radix.Title className="text-[16px] leading-snug font-semibold">{title}</Radix.Title>
              {description ? <Radix.Description className="mt-1 text-ui text-muted-foreground">{description}</Radix.Description> : null}
            </div>
            <Radix.Close asChild>
              <IconButton label={t("close")} size="small" className="-mr-2">
                <X />
              </IconButton>
            </Radix.Close>
          </div>
          {children ? <div className="scroll-thin min-h-0 flex-1 overflow-y-auto px-6 pt-1 pb-5">{children}</div> : null}
          {footer ? <div className="flex flex-wrap justify-end gap-2 px-6 pt-2 pb-5">{footer}</div> : null}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

type ConfirmProps = { open: boolean; onClose: () => void; onConfirm: () => void; title: string; description: ReactNode; confirm: string; danger?: boolean; busy?: boolean };

/** For what cannot be undone; whatever can be undone gets a toast instead. */
export function ConfirmDialog({ open, onClose, onConfirm, title, description, confirm, danger = false, busy = false }: ConfirmProps) {
  const t = useT("common");
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      description={description}
      width="small"
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button variant={danger ? "danger" : "primary"} onClick={onConfirm} busy={busy}>
            {confirm}
          </Button>
        </>
      }
    />
  );
}

/** The first field takes the focus, else the panel itself: a ring around its close button would be the first thing one sees. */
function focusPanel(event: Event) {
  event.preventDefault();
  const panel = event.currentTarget;
  if (!(panel instanceof HTMLElement)) return;
  (panel.querySelector<HTMLElement>("[data-autofocus], input:not([type=hidden], [type=range]), select") ?? panel).focus();
}

type SheetProps = { open: boolean; onClose: () => void; title: string; side: "left" | "right" | "bottom"; children: ReactNode; bare?: boolean };

const SIDES = {
  left: "inset-y-0 left-0 w-[min(300px,86vw)] border-r data-[state=open]:animate-slide-left",
  right: "inset-y-0 right-0 w-[min(400px,100vw)] border-l data-[state=open]:animate-slide-right",
  bottom: "inset-x-0 bottom-0 max-h-[86dvh] rounded-t-card border-t pb-[env(safe-area-inset-bottom)] data-[state=open]:animate-slide-up",
};

/** A panel from an edge. `bare` leaves the heading to the content (the title is still said). */
export function Sheet({ open, onClose, title, side, children, bare = false }: SheetProps) {
  const t = useT("common");
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className={SCRIM} />
        <Radix.Content aria-describedby={undefined} onOpenAutoFocus={focusPanel} className={cx("fixed z-50 flex flex-col bg-background shadow-popover outline-none", SIDES[side])}>
          {bare ? (
            <Radix.Title className="sr-only">{title}</Radix.Title>
          ) : (
            <div className="flex items-center justify-between gap-4 py-3 pr-3 pl-6">
              <Radix.Title className="text-[15px] font-semibold">{title}</Radix.Title>
              <Radix.Close asChild>
                <IconButton label={t("close")}>
                  <X />
                </IconButton>
              </Radix.Close>
            </div>
          )}
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
          <div tabIndex={0} className="scroll-thin min-h-0 flex-1 overflow-y-auto outline-offset-[-2px]">
            {children}
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
