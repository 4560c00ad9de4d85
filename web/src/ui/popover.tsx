//! A small panel beside the button that opens it, over Radix: for what explains and is not worth a dialog.
import { Popover as Radix } from "radix-ui";
import type { ReactElement, ReactNode } from "react";

type Props = { /** The button; it says what it opens. */ trigger: ReactElement; /** Said when it opens. */ label: string; children: ReactNode };

export function Popover({ trigger, label, children }: Props) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          aria-label={label}
          sideOffset={6}
          collisionPadding={12}
          className="z-50 w-[min(340px,calc(100vw-24px))] rounded-[12px] border bg-popover p-4 text-ui shadow-popover outline-none data-[state=open]:animate-rise"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
