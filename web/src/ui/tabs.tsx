//! A row of choices where exactly one holds: as tabs over panels, or as a small segmented control.
import { type KeyboardEvent, useId, useRef } from "react";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

type Tab<T extends string> = { id: T; label: string; icon?: ReactNode };

function moved<T extends string>(tabs: Tab<T>[], value: T, key: string): T | null {
  const at = tabs.findIndex((tab) => tab.id === value);
  if (key === "ArrowRight" || key === "ArrowDown") return tabs[(at + 1) % tabs.length]?.id ?? null;
  if (key === "ArrowLeft" || key === "ArrowUp") return tabs[(at - 1 + tabs.length) % tabs.length]?.id ?? null;
  if (key === "Home") return tabs[0]?.id ?? null;
  if (key === "End") return tabs.at(-1)?.id ?? null;
  return null;
}

type TabsProps<T extends string> = { label: string; tabs: Tab<T>[]; value: T; onChange: (value: T) => void; children: ReactNode };

export function Tabs<T extends string>({ label, tabs, value, onChange, children }: TabsProps<T>) {
  const id = useId();
  const row = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(tabs, value, event.key);
    if (next === null) return;
    event.preventDefault();
    onChange(next);
    row.current?.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus();
  };
  return (
    <div>
      <div ref={row} role="tablist" tabIndex={-1} aria-label={label} onKeyDown={onKeyDown} className="flex gap-1 overflow-x-auto border-b">
        {tabs.map((tab) => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={`${id}-${tab.id}`}
            data-tab={tab.id}
            aria-selected={tab.id === value}
            aria-controls={`${id}-panel`}
            tabIndex={tab.id === value ? 0 : -1}
            onClick={() => onChange(tab.id)}
            className={cx(
              "-mb-px flex h-10 items-center gap-2 border-b-2 px-3 text-ui whitespace-nowrap transition-colors duration-120 coarse:h-11 [&_svg]:size-4",
              tab.id === value ? "border-foreground font-medium" : "border-transparent text-muted-foreground hover:text-foreground",
            )}
          >
            {tab.icon}
            {tab.label}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`} className="pt-6">
        {children}
      </div>
    </div>
  );
}

type SegmentedProps<T extends string> = { label: string; options: Tab<T>[]; value: T; onChange: (value: T) => void };

export function Segmented<T extends string>({ label, options, value, onChange }: SegmentedProps<T>) {
  const row = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(options, value, event.key);
    if (next === null) return;
    event.preventDefault();
    onChange(next);
    row.current?.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus();
  };
  return (
    <div ref={row} role="radiogroup" tabIndex={-1} aria-label={label} onKeyDown={onKeyDown} className="inline-flex rounded-control bg-muted p-0.5">
      {options.map((option) => (
        // oxlint-disable-next-line jsx-a11y/role-has-required-aria-props
        <button
          key={option.id}
          type="button"
          role="radio"
          data-tab={option.id}
          aria-checked={option.id === value}
          tabIndex={option.id === value ? 0 : -1}
          onClick={() => onChange(option.id)}
          className={cx(
            "touch-target flex h-8 items-center gap-2 rounded-[6px] px-3 text-meta transition-colors duration-120 [&_svg]:size-4",
            option.id === value ? "bg-background font-medium shadow-[0_1px_2px_oklch(0_0_0/0.12)]" : "text-muted-foreground hover:text-foreground",
          )}
        >
          {option.icon}
          {option.label}
        </button>
      ))}
    </div>
  );
}
