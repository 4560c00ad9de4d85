//! Code in one frame: its language, a copy button, colours that follow while it is being written.
import { useEffect, useState } from "react";
import { useT } from "@/lib/i18n";
import type { Line } from "@/markdown/highlight";
import { CopyButton } from "@/ui/copy-button";

export function CodeFrame({ code, language, incomplete }: { code: string; language: string; incomplete: boolean }) {
  const t = useT("chat");
  const done = useHighlighted(code, language, incomplete);
  return (
    <div className="my-4 overflow-hidden rounded-[12px] border bg-surface">
      <div className="flex h-9 items-center justify-between pr-1 pl-4 text-[12px] text-muted-foreground">
        <span className="font-mono">{language}</span>
        <CopyButton text={code} label={t("code.copy")} />
      </div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region must be reachable by keyboard */}
      <pre role="region" aria-label={t("code.label", { language })} tabIndex={0} className="scroll-thin max-h-[70dvh] overflow-auto px-4 pt-1 pb-4 font-mono text-[13px] leading-[1.6] outline-offset-[-2px]">
        <code>{done ? <Coloured lines={done.lines} rest={code.slice(done.code.length)} /> : code}</code>
      </pre>
    </div>
  );
}

function Coloured({ lines, rest }: { lines: Line[]; rest: string }) {
  return (
    <>
      {lines.map((line, at) => (
        <span key={at}>
          {line.map((token, index) => (
            <span key={index} style={token.color ? { color: token.color } : undefined}>
              {token.content}
            </span>
          ))}
          {at < lines.length - 1 ? "\n" : null}
        </span>
      ))}
      {rest}
    </>
  );
}

/** Colouring costs more than typing: while a block grows it is done this often, at the end once more. */
const GROWING_MS = 150;

function useHighlighted(code: string, language: string, incomplete: boolean) {
  const [done, setDone] = useState<{ code: string; lines: Line[] } | null>(null);
  useEffect(() => {
    let current = true;
    const timer = setTimeout(
      async () => {
        const { highlight } = await import("@/markdown/highlight");
        const lines = await highlight(code, language);
        if (current && lines) setDone({ code, lines });
      },
      incomplete ? GROWING_MS : 0,
    );
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [code, language, incomplete]);
  return done && code.startsWith(done.code) ? done : null;
}
