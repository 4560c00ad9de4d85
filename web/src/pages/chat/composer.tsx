//! Where a question is written. Grows with it, keeps it as a draft, gives it back when it is refused; never sends while an input method composes.
import { ArrowUp, Paperclip, SlidersHorizontal, Square } from "lucide-react";
import { type ClipboardEvent, type KeyboardEvent, type ReactNode, type Ref, Suspense, lazy, useEffect, useId, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import { ui } from "@/app/ui";
import { composing } from "@/chat/compose";
import { cx } from "@/lib/cx";
import { newId } from "@/lib/id";
import { useT } from "@/lib/i18n";
import { shown } from "@/lib/keyboard";
import { sentence } from "@/lib/problem";
import { keep, kept } from "@/lib/storage";
import type { Attached } from "@/pages/chat/attachments";
import type { PromptMenuHandle } from "@/pages/chat/prompt-menu";
import { IconButton } from "@/ui/button";
import { Spinner } from "@/ui/spinner";

const PromptMenu = lazy(() => import("@/pages/chat/prompt-menu"));
const Attachments = lazy(() => import("@/pages/chat/attachments"));

export type ComposerHandle = { focus: () => void; fill: (text: string) => void };

type Props = {
  /** Under which name the unsent text is kept: a conversation's id or "new". */
  draft: string;
  placeholder: string;
  /** A reason why nothing can be sent now, or null. */
  blocked?: boolean;
  running: boolean;
  stopping?: boolean;
  onSend: (text: string, askId: string, files: string[]) => Promise<void>;
  onStop?: () => void;
  /** Stands inside the box at the left of the buttons: the model picker on the start page. */
  tools?: ReactNode;
  ref?: Ref<ComposerHandle>;
};

/** A draft is written down this long after the last key. */
const KEEP_MS = 250;
const draftName = (draft: string) => `portico.draft.${draft}`;

export function Composer({ draft, placeholder, blocked = false, running, stopping = false, onSend, onStop, tools, ref }: Props) {
  const t = useT("chat");
  const box = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => kept(draftName(draft)) ?? "");
  const [problem, setProblem] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  // A slash and what a prompt is called opens the list of kept prompts, until it is dismissed.
  const [dismissed, setDismissed] = useState(false);
  const slash = /^\/([^\n]{0,40})$/.exec(text);
  const wanted = slash && !dismissed ? (slash[1] ?? "") : null;
  const [option, setOption] = useState<string | null>(null);
  const menu = useRef<PromptMenuHandle>(null);
  const menuId = useId();
  // The same question sent again after a lost connection carries the same id, so the portal never answers it twice.
  const ask = useRef<{ text: string; id: string } | null>(null);
  // Every pick, paste and drop of files, and what became of them.
  const [given, setGiven] = useState<File[][]>([]);
  const [attached, setAttached] = useState<Attached>(NONE);
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const attach = (files: FileList | null) => {
    // A copy now: the list is the input's own, and empty once that was reset.
    const fresh = [...(files ?? [])];
    if (fresh.length > 0) setGiven((before) => [...before, fresh]);
  };
  useEffect(() => whenDropped(setOver, attach), []);

  useImperativeHandle(ref, () => ({
    focus: () => box.current?.focus(),
    fill: (filled) => {
      setText(filled);
      requestAnimationFrame(() => {
        box.current?.focus();
        box.current?.setSelectionRange(filled.length, filled.length);
      });
    },
  }));

  const write = (next: string) => {
    setText(next);
    if (!next.startsWith("/")) setDismissed(false);
  };

  useLayoutEffect(() => grow(box.current), [text]);
  useEffect(() => {
    const timer = setTimeout(() => keep(draftName(draft), text), KEEP_MS);
    return () => clearTimeout(timer);
  }, [draft, text]);

  const canSend = (text.trim() !== "" || attached.ids.length > 0) && !attached.busy && !sending && !running && !blocked;

  const send = async () => {
    if (!canSend) return;
    const asked = [text, ...attached.ids].join();
    if (ask.current?.text !== asked) ask.current = { text: asked, id: newId() };
    setSending(true);
    setProblem(null);
    try {
      await onSend(text.trim(), ask.current.id, attached.ids);
      ask.current = null;
      keep(draftName(draft), null);
      setText("");
      setDismissed(false);
      setGiven([]);
      setAttached(NONE);
    } catch (error) {
      setProblem(sentence(error));
    } finally {
      setSending(false);
      box.current?.focus();
    }
  };

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (wanted !== null && !composing(event.nativeEvent) && menu.current?.key(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (event.key !== "Enter" || event.shiftKey || event.altKey || composing(event.nativeEvent)) return;
    // On a phone the return key makes a line; the button sends.
    if (window.matchMedia("(pointer: coarse)").matches && !event.metaKey && !event.ctrlKey) return;
    event.preventDefault();
    void send();
  };

  return (
    <div className="relative">
      {problem ? (
        <p role="alert" className="mx-2 mb-2 rounded-[12px] bg-bad-soft px-4 py-2.5 text-ui text-bad">
          {problem}
        </p>
      ) : null}
      {wanted !== null ? (
        <Suspense>
          <PromptMenu
            ref={menu}
            id={menuId}
            wanted={wanted}
            onOption={setOption}
            onPick={(picked) => {
              setText(picked);
              setDismissed(picked.startsWith("/"));
              setOption(null);
              requestAnimationFrame(() => {
                box.current?.focus();
                box.current?.setSelectionRange(picked.length, picked.length);
              });
            }}
            onClose={() => setDismissed(true)}
          />
        </Suspense>
      ) : null}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
        className={cx("rounded-composer border bg-background shadow-composer transition-colors duration-120 focus-within:border-border-strong/60 dark:bg-popover", over && "border-accent bg-hover")}
        onPointerDown={(event) => {
          // The whole box is the field: a press on its empty parts puts the caret into it.
          if (event.target === event.currentTarget) {
            event.preventDefault();
            box.current?.focus();
          }
        }}
      >
        {given.length > 0 ? (
          <Suspense>
            <Attachments given={given} onChange={setAttached} />
          </Suspense>
        ) : null}
        <textarea
          ref={box}
          rows={1}
          value={text}
          aria-label={t("composer.label")}
          placeholder={placeholder}
          aria-autocomplete={wanted === null ? undefined : "list"}
          aria-controls={wanted === null ? undefined : menuId}
          aria-activedescendant={wanted === null ? undefined : (option ?? undefined)}
          onChange={(event) => write(event.target.value)}
          onKeyDown={onKeyDown}
          onPaste={(event) => {
            const { files } = event.clipboardData;
            if (files.length > 0) event.preventDefault();
            attach(files);
            if (files.length === 0) trimPasted(event);
          }}
          enterKeyHint="send"
          className="scroll-thin block max-h-[min(40dvh,320px)] w-full resize-none bg-transparent px-5 pt-4 pb-1 text-[15px] leading-[1.6] outline-none coarse:text-[16px]"
        />
        <div className="flex items-center gap-1 px-2.5 pb-2.5">
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            aria-label={t("composer.attach")}
            onChange={(event) => {
              attach(event.target.files);
              event.target.value = "";
            }}
          />
          <IconButton label={t("composer.attach")} onClick={() => picker.current?.click()}>
            <Paperclip />
          </IconButton>
          <IconButton label={t("composer.parameters")} shortcut={shown("mod+.")} onClick={() => ui.togglePanel({ kind: "parameters" })}>
            <SlidersHorizontal />
          </IconButton>
          {tools}
          <span className="flex-1" />
          {running ? (
            <RoundButton label={t("composer.stop")} tip={`${t("composer.stop")}  ${shown("esc")}`} disabled={stopping} onClick={onStop}>
              {stopping ? <Spinner /> : <Square className="size-3.5 fill-current" />}
            </RoundButton>
          ) : (
            <RoundButton label={t("composer.send")} tip={t("composer.send")} disabled={!canSend} submit>
              {sending ? <Spinner /> : <ArrowUp className="size-[18px]" strokeWidth={2.4} />}
            </RoundButton>
          )}
        </div>
      </form>
    </div>
  );
}

const NONE: Attached = { ids: [], busy: false };

/** Files dropped anywhere on the page; without this the browser would leave the page for one. */
function whenDropped(setOver: (over: boolean) => void, attach: (files: FileList) => void) {
  const stop = new AbortController();
  const on = (name: "dragover" | "dragleave" | "drop", over: (event: DragEvent) => boolean) =>
    window.addEventListener(
      name,
      (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        setOver(over(event));
        if (name === "drop") attach(event.dataTransfer.files);
      },
      { signal: stop.signal },
    );
  on("dragover", () => true);
  on("dragleave", (event) => event.relatedTarget !== null);
  on("drop", () => false);
  return () => stop.abort();
}

function RoundButton({ label, tip, submit = false, disabled, onClick, children }: { label: string; tip: string; submit?: boolean; disabled?: boolean; onClick?: (() => void) | undefined; children: ReactNode }) {
  return (
    <button
      type={submit ? "submit" : "button"}
      aria-label={label}
      data-tip={tip}
      disabled={disabled}
      onClick={onClick}
      className="touch-target flex size-9 items-center justify-center rounded-full bg-primary text-primary-foreground transition-[opacity,background-color] duration-120 hover:opacity-88 disabled:bg-muted disabled:text-muted-foreground"
    >
      {children}
    </button>
  );
}

function grow(box: HTMLTextAreaElement | null) {
  if (!box) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

/** Text copied from a page often ends in empty lines; they would only push the words out of sight. */
function trimPasted(event: ClipboardEvent<HTMLTextAreaElement>) {
  const pasted = event.clipboardData.getData("text/plain");
  const trimmed = pasted.replace(/\s+$/, "");
  if (trimmed === pasted || trimmed === "") return;
  event.preventDefault();
  document.execCommand("insertText", false, trimmed);
}
