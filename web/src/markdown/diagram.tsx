//! A Mermaid diagram, drawn here and never fetched; its source one press away, and shown at once when it cannot be drawn.
import mermaid from "mermaid";
import { useEffect, useId, useState } from "react";
import { useT } from "@/lib/i18n";
import { useTheme } from "@/lib/theme";
import { CodeFrame } from "@/markdown/code-frame";
import { CopyButton } from "@/ui/copy-button";
import { Segmented } from "@/ui/tabs";

type Drawn = { svg: string } | { failed: true } | null;

export default function Diagram({ code }: { code: string }) {
  const t = useT("chat");
  const dark = useTheme((state) => state.dark);
  const id = `diagram${useId().replace(/\W/g, "")}`;
  const [drawn, setDrawn] = useState<Drawn>(null);
  const [view, setView] = useState<"picture" | "source">("picture");

  useEffect(() => {
    let current = true;
    void draw(id, code, dark).then((result) => current && setDrawn(result));
    return () => {
      current = false;
    };
  }, [id, code, dark]);

  if (drawn && "failed" in drawn) {
    return (
      <div>
        <CodeFrame code={code} language="mermaid" incomplete={false} />
        <p className="-mt-2 mb-4 text-meta text-muted-foreground">{t("diagram.failed")}</p>
      </div>
    );
  }
  return (
    <div className="my-4 overflow-hidden rounded-[12px] border">
      <div className="flex h-11 items-center justify-between pr-1.5 pl-1.5">
        <Segmented
          label={t("diagram.label")}
          value={view}
          onChange={setView}
          options={[
            { id: "picture", label: t("diagram.picture") },
            { id: "source", label: t("diagram.source") },
          ]}
        />
        <CopyButton text={code} label={t("code.copy")} />
      </div>
      {view === "source" ? (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region must be reachable by keyboard
        <pre tabIndex={0} className="scroll-thin overflow-auto px-4 pb-4 font-mono text-[13px] leading-[1.6]">
          <code>{code}</code>
        </pre>
      ) : drawn ? (
        // Mermaid's own sanitiser ran on it (securityLevel strict); no script and no handler is left in the SVG.
        <div role="img" aria-label={t("diagram.label")} className="scroll-thin overflow-auto px-4 pb-4 [&_svg]:mx-auto [&_svg]:h-auto [&_svg]:max-w-full" dangerouslySetInnerHTML={{ __html: drawn.svg }} />
      ) : (
        <p className="px-4 pb-4 text-meta text-muted-foreground">{t("diagram.drawing")}</p>
      )}
    </div>
  );
}

/** The portal's own colours; Mermaid computes with them and cannot read OKLCH or variables. */
const LIGHT = { background: "#ffffff", primaryColor: "#f1f3f7", primaryTextColor: "#1b1e24", primaryBorderColor: "#aab0bb", lineColor: "#737a86", secondaryColor: "#e8ecf4", tertiaryColor: "#f8f9fb", edgeLabelBackground: "#ffffff", noteBkgColor: "#f8f3e4", noteTextColor: "#1b1e24", noteBorderColor: "#d8cfae" };
const DARK = { background: "#131417", primaryColor: "#26282d", primaryTextColor: "#ebecef", primaryBorderColor: "#5a5f69", lineColor: "#8f959f", secondaryColor: "#2f3239", tertiaryColor: "#1b1d21", edgeLabelBackground: "#131417", noteBkgColor: "#37332a", noteTextColor: "#ebecef", noteBorderColor: "#5f594a" };

/** Mermaid keeps one configuration for the page: drawings queue behind each other. */
let queue: Promise<unknown> = Promise.resolve();

function draw(id: string, code: string, dark: boolean): Promise<Drawn> {
  const next = queue.then(async (): Promise<Drawn> => {
    mermaid.initialize({ startOnLoad: false, securityLevel: "strict", theme: "base", themeVariables: { darkMode: dark, fontSize: "14px", ...(dark ? DARK : LIGHT) }, fontFamily: getComputedStyle(document.body).fontFamily, suppressErrorRendering: true });
    try {
      return { svg: (await mermaid.render(id, code)).svg };
    } catch {
      return { failed: true };
    }
  });
  queue = next;
  return next;
}
