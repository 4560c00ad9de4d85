//! What is open on the page. State of the interface only; nothing here is worth a reload's survival except the rail.
import { create } from "zustand";
import type { FileRef } from "@/api/files";
import { keep, kept } from "@/lib/storage";

export type Panel = { kind: "parameters" } | { kind: "details"; message: string } | { kind: "file"; file: FileRef };

type Ui = {
  /** The rail on a wide window. */
  rail: boolean;
  /** The rail as a drawer on a narrow one. */
  drawer: boolean;
  palette: boolean;
  shortcuts: boolean;
  panel: Panel | null;
};

export const useUi = create<Ui>(() => ({ rail: kept("portico.rail") !== "closed", drawer: false, palette: false, shortcuts: false, panel: null }));

export const ui = {
  toggleRail: () => {
    const wide = window.matchMedia("(min-width: 768px)").matches;
    useUi.setState((state) => (wide ? { rail: !state.rail } : { drawer: !state.drawer }));
    keep("portico.rail", useUi.getState().rail ? null : "closed");
  },
  closeDrawer: () => useUi.setState({ drawer: false }),
  setPalette: (palette: boolean) => useUi.setState({ palette }),
  setShortcuts: (shortcuts: boolean) => useUi.setState({ shortcuts }),
  togglePanel: (panel: Panel) => useUi.setState((state) => ({ panel: same(state.panel, panel) ? null : panel })),
  closePanel: () => useUi.setState({ panel: null }),
};

function same(a: Panel | null, b: Panel): boolean {
  const which = (panel: Panel | null) => (panel?.kind === "details" ? panel.message : panel?.kind === "file" ? panel.file.id : "");
  return a?.kind === b.kind && which(a) === which(b);
}
