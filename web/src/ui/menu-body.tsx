//! The open menu. Only ui/menu.tsx imports this, lazily.
import { DropdownMenu as Radix } from "radix-ui";
import { Check } from "lucide-react";
import { useState } from "react";
import { cx } from "@/lib/cx";
import type { MenuEntry, MenuProps } from "@/ui/menu";

const ITEM =
  "flex min-h-9 cursor-default items-center gap-2.5 rounded-[7px] px-2.5 py-1.5 text-ui outline-none select-none data-highlighted:bg-hover data-disabled:opacity-45 coarse:min-h-11 [&_svg]:size-4 [&_svg]:shrink-0";

export default function MenuBody({ trigger, entries, align = "start", side = "bottom", wide = false, onOpenChange }: MenuProps) {
  const [open, setOpen] = useState(true);
  const change = (next: boolean) => {
    setOpen(next);
    onOpenChange?.(next);
  };
  return (
    <Radix.Root open={open} onOpenChange={change} modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          side={side}
          sideOffset={6}
          collisionPadding={8}
          className={cx(
            "scroll-thin z-50 max-h-[min(70dvh,var(--radix-dropdown-menu-content-available-height))] min-w-[200px] overflow-y-auto rounded-[12px] border bg-popover p-1.5 shadow-popover data-[state=open]:animate-rise",
            wide && "w-[var(--radix-dropdown-menu-trigger-width)]",
          )}
        >
          {entries.map((entry, at) => (
            <Entry key={typeof entry === "object" && "id" in entry ? entry.id : at} entry={entry} />
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Entry({ entry }: { entry: MenuEntry }) {
  if (entry === "separator") return <Radix.Separator className="mx-1.5 my-1.5 h-px bg-border" />;
  if ("heading" in entry) return <Radix.Label className="px-2.5 pt-2 pb-1 text-meta text-muted-foreground">{entry.heading}</Radix.Label>;
  const inner = (
    <>
      {entry.icon}
      <span className="min-w-0 flex-1">
        <span className="block truncate">{entry.label}</span>
        {entry.description ? <span className="block text-meta text-muted-foreground">{entry.description}</span> : null}
      </span>
      {entry.shortcut ? <kbd className="font-sans text-meta text-muted-foreground">{entry.shortcut}</kbd> : null}
      {entry.checked ? <Check aria-hidden="true" /> : null}
    </>
  );
  if (entry.checked === undefined) {
    return (
      <Radix.Item className={cx(ITEM, entry.danger && "text-bad")} disabled={entry.disabled ?? false} onSelect={entry.onSelect}>
        {inner}
      </Radix.Item>
    );
  }
  return (
    <Radix.CheckboxItem className={ITEM} checked={entry.checked} disabled={entry.disabled ?? false} onSelect={entry.onSelect}>
      {inner}
    </Radix.CheckboxItem>
  );
}
