//! A menu from data. The button is drawn at once; Radix (28 kB) is fetched when a pointer or the focus comes near it.
import { type ReactElement, type ReactNode, Suspense, cloneElement, lazy, useState } from "react";

export type MenuEntry =
  | "separator"
  | { heading: string }
  | {
      id: string;
      label: string;
      icon?: ReactNode;
      /** Smaller words below the label. */
      description?: ReactNode;
      shortcut?: string;
      danger?: boolean;
      disabled?: boolean;
      /** Present: the entry is a choice, and shows whether it holds. */
      checked?: boolean;
      onSelect: () => void;
    };

export type MenuProps = {
  trigger: ReactElement<Record<string, unknown>>;
  entries: MenuEntry[];
  align?: "start" | "center" | "end";
  side?: "top" | "bottom" | "right";
  /** At least as wide as the button. */
  wide?: boolean;
  onOpenChange?: (open: boolean) => void;
};

const load = () => import("@/ui/menu-body");
const Body = lazy(load);

/** Called when the page is idle, so that even the first menu opens without a wait. */
export function preloadMenus() {
  void load();
}

export function Menu(props: MenuProps) {
  const [wanted, setWanted] = useState(false);
  if (!wanted) {
    return cloneElement(props.trigger, {
      "aria-haspopup": "menu",
      "aria-expanded": false,
      onPointerEnter: preloadMenus,
      onFocus: preloadMenus,
      onClick: () => {
        setWanted(true);
        props.onOpenChange?.(true);
      },
    });
  }
  return (
    <Suspense fallback={props.trigger}>
      <Body {...props} />
    </Suspense>
  );
}
