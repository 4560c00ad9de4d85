//! A row of links to the sections of one place, the open one marked. On a phone it scrolls sideways.
import { Link, useLocation } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef } from "react";

export type Section = { to: string; label: string; icon: ReactNode };

export function NavRow({ label, sections }: { label: string; sections: Section[] }) {
  const row = useRef<HTMLElement>(null);
  const open = useLocation({ select: (location) => location.pathname });
  useEffect(() => {
    row.current?.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [open]);
  return (
    <nav ref={row} aria-label={label} className="-mx-4 mb-8 overflow-x-auto px-4 [scrollbar-width:none] sm:mx-0 sm:px-0">
      <div className="flex w-max min-w-full gap-1 border-b">
        {sections.map((section) => (
          <Link
            key={section.to}
            to={section.to}
            activeOptions={{ exact: sections.some((other) => other.to.startsWith(`${section.to}/`)), includeSearch: false }}
            className="-mb-px flex h-10 shrink-0 items-center gap-2 border-b-2 border-transparent px-3 text-ui whitespace-nowrap text-muted-foreground transition-colors duration-120 -outline-offset-2 first:pl-1 hover:text-foreground aria-[current=page]:border-foreground aria-[current=page]:font-medium aria-[current=page]:text-foreground coarse:h-11 [&_svg]:size-4 max-sm:[&_svg]:hidden"
          >
            {section.icon}
            {section.label}
          </Link>
        ))}
      </div>
    </nav>
  );
}
