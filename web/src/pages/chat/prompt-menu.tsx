//! The prompts one keeps, over the composer, after a slash: arrows move, Enter and Tab take one, Esc closes. The caret stays in the text.
import { Link } from "@tanstack/react-router";
import { type Ref, useEffect, useImperativeHandle, useState } from "react";
import type { Prompt } from "@/api/assistants";
import { usePrompts } from "@/chat/assistants";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";

/** `key` says whether the list made something of a key. */
export type PromptMenuHandle = { key: (name: string) => boolean };

type Props = {
  id: string;
  /** What stands behind the slash. */
  wanted: string;
  /** The id of the marked option, for the text field's `aria-activedescendant`. */
  onOption: (id: string | null) => void;
  onPick: (text: string) => void;
  onClose: () => void;
  ref?: Ref<PromptMenuHandle>;
};

/** Those whose name has all the words; those that begin with them first. */
export function matching(prompts: Prompt[], wanted: string): Prompt[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const found = prompts.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
  const first = (prompt: Prompt) => Number(!prompt.name.toLowerCase().startsWith(wanted.toLowerCase()));
  return found.toSorted((a, b) => first(a) - first(b));
}

export default function PromptMenu({ id, wanted, onOption, onPick, onClose, ref }: Props) {
  const t = useT("chat");
  const { data, error } = usePrompts();
  // Other words begin at their first match.
  const [choice, setChoice] = useState({ wanted, at: 0 });
  const at = choice.wanted === wanted ? choice.at : 0;
  const setAt = (next: number) => setChoice({ wanted, at: next });
  const shown = matching(data ?? [], wanted);
  const marked = shown[Math.min(at, shown.length - 1)];
  const optionId = marked ? `${id}-${marked.id}` : null;

  useEffect(() => {
    onOption(optionId);
    if (optionId) document.getElementById(optionId)?.scrollIntoView?.({ block: "nearest" });
  }, [optionId, onOption]);
  useImperativeHandle(ref, () => ({
    key: (name) => {
      if (name === "Escape") return (onClose(), true);
      if (!marked) return false;
      const place = shown.indexOf(marked);
      if (name === "ArrowDown") return (setAt((place + 1) % shown.length), true);
      if (name === "ArrowUp") return (setAt((place - 1 + shown.length) % shown.length), true);
      if (name === "Enter" || name === "Tab") return (onPick(marked.text), true);
      return false;
    },
  }));

  return (
    <div className="absolute inset-x-0 bottom-full z-30 mb-2 overflow-hidden rounded-[14px] border bg-popover shadow-popover">
      <div id={id} role="listbox" aria-label={t("prompts.label")} className="scroll-thin max-h-64 overflow-y-auto p-1.5 empty:hidden">
        {shown.map((prompt) => (
          <div
            key={prompt.id}
            id={`${id}-${prompt.id}`}
            role="option"
            tabIndex={-1}
            aria-selected={prompt === marked}
            onPointerMove={() => setAt(shown.indexOf(prompt))}
            // The text keeps the focus.
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => onPick(prompt.text)}
            onKeyDown={(event) => event.key === "Enter" && onPick(prompt.text)}
            className={cx("cursor-default rounded-control px-3 py-2", prompt === marked && "bg-hover")}
          >
            <span className="flex items-baseline justify-between gap-3">
              <span className="truncate text-ui font-medium">{prompt.name}</span>
              {prompt.shared ? <span className="shrink-0 text-[12px] text-muted-foreground">{t("prompts.shared")}</span> : null}
            </span>
            <span className="block truncate text-meta text-muted-foreground">{prompt.text}</span>
          </div>
        ))}
      </div>
      <p className="flex flex-wrap items-center justify-between gap-2 border-t px-4 py-2 text-meta text-muted-foreground">
        <span>{error ? sentence(error) : data && shown.length === 0 ? t(data.length === 0 ? "prompts.none" : "prompts.nothing") : t("prompts.keys")}</span>
        <Link to="/assistants" search={{ tab: "prompts" }} className="rounded-control font-medium text-foreground underline underline-offset-3">
          {t("prompts.manage")}
        </Link>
      </p>
    </div>
  );
}
