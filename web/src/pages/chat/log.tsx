//! The messages on the line that is looked at. Follows a growing answer only while the person is at the end of it.
import { ChevronDown } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import type { Model } from "@/api/types";
import { useEditing } from "@/chat/editing";
import { type Thread, useThread } from "@/chat/thread";
import { useT } from "@/lib/i18n";
import { MessageView } from "@/pages/chat/message";
import { IconButton } from "@/ui/button";

/** Nearer to the end than this counts as being there. */
const NEAR_PX = 80;

export function Log({ thread, wanted, model, onFill }: { thread: Thread; wanted: string | null; model: Model | null; onFill: (text: string) => void }) {
  const t = useT("chat");
  const { path } = useThread(thread);
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const following = useRef(wanted === null);
  const top = useRef(0);
  const [away, setAway] = useState(false);

  const toEnd = useCallback((smooth: boolean) => {
    const element = box.current;
    if (!element) return;
    following.current = true;
    element.scrollTo({ top: element.scrollHeight, behavior: smooth ? "smooth" : "auto" });
  }, []);

  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
    setAway(!near);
    // Whichever way it was done (wheel, finger, key, scroll bar): going up means reading, and reading is not disturbed.
    if (near) following.current = true;
    else if (element.scrollTop < top.current) following.current = false;
    top.current = element.scrollTop;
  };

  // What is pressed must not move away under the finger, and what is opened stays in sight: its growth is not an answer's.
  const pressed = useRef(false);
  const onPointerDown = (event: React.PointerEvent) => {
    if (!(event.target as Element).closest("button, a, summary")) return;
    pressed.current = following.current;
    following.current = false;
  };
  const onClick = (event: React.MouseEvent) => {
    const opens = (event.target as Element).closest("[aria-expanded], summary") !== null;
    if (pressed.current && !opens) following.current = true;
    if (opens) following.current = false;
    pressed.current = false;
  };

  // A growing answer pushes the end down; whoever was there stays there.
  useEffect(() => {
    const inner = box.current?.firstElementChild;
    if (!inner) return;
    const watch = new ResizeObserver(() => following.current && toEnd(false));
    watch.observe(inner);
    // The composer grows with its text and takes the room from here.
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, [toEnd]);

  // What is being written or edited must not be lost when it is scrolled away.
  const editing = useEditing((state) => state.message);
  const kept = useMemo(() => [editing === null ? -1 : path.indexOf(editing), path.length - 1].filter((at) => at >= 0), [editing, path]);
  // Opening the editor makes the page taller; the editor must not be pushed out of sight by that.
  useLayoutEffect(() => {
    if (editing !== null) following.current = false;
  }, [editing]);
  const last = path.at(-1);
  useLayoutEffect(() => {
    if (wanted === null || !path.includes(wanted)) toEnd(false);
  }, [last, wanted, path, toEnd]);
  useEffect(() => {
    const at = wanted === null ? -1 : path.indexOf(wanted);
    if (at < 0) return;
    following.current = false;
    list.current?.scrollToIndex(at, { align: "start", offset: -24 });
  }, [wanted, path]);

  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={box}
        onScroll={onScroll}
        onPointerDownCapture={onPointerDown}
        onClickCapture={onClick}
        role="log"
        aria-live="off"
        aria-label={t("message.log")}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region must be reachable by keyboard
        tabIndex={0}
        className="scroll-thin h-full overflow-y-auto overscroll-contain px-4 outline-offset-[-2px]"
      >
        {/* virtua takes the pointer away while the page scrolls; an answer that grows scrolls all the time, and what is pressed then must answer. */}
        <div className="mx-auto max-w-[736px] pt-2 pb-10 *:pointer-events-auto!">
          <Virtualizer ref={list} scrollRef={box} bufferSize={800} keepMounted={kept}>
            {path.map((id, at) => (
              <MessageView key={id} thread={thread} id={id} last={at === path.length - 1} wanted={id === wanted} model={model} onFill={onFill} />
            ))}
          </Virtualizer>
        </div>
      </div>
      {away ? <JumpButton onClick={() => toEnd(true)} /> : null}
    </div>
  );
}

function JumpButton({ onClick }: { onClick: () => void }) {
  const t = useT("chat");
  return (
    <IconButton label={t("message.jump")} onClick={onClick} className="absolute bottom-3 left-1/2 -translate-x-1/2 animate-rise rounded-full border bg-background text-foreground shadow-popover dark:bg-popover">
      <ChevronDown />
    </IconButton>
  );
}
