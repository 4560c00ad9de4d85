//! The frame of the gallery and the editor: the way to the rail, and a wide page below it.
import type { ReactNode } from "react";
import { RailButton } from "@/app/shell";
import { Page } from "@/ui/page";

export function Frame({ children }: { children: ReactNode }) {
  return (
    <div className="flex h-full flex-col">
      <header className="flex h-14 shrink-0 items-center px-2 sm:px-3">
        <RailButton />
      </header>
      <div className="min-h-0 flex-1">
        <Page wide>{children}</Page>
      </div>
    </div>
  );
}
