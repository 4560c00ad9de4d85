//! One conversation in the rail: opens it; renames in place; its menu pins, exports, archives and deletes.
import { Link } from "@tanstack/react-router";
import { Suspense, lazy, useState } from "react";
import type { Conversation } from "@/api/types";
import { ui } from "@/app/ui";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";

const Rename = lazy(() => import("@/app/rail-rename"));
const RowMenu = lazy(() => import("@/app/row-menu"));
/** Comes with the first conversation that has one. */
const AssistantMark = lazy(async () => ({ default: (await import("@/pages/assistants/mark")).AssistantMark }));

export function ConversationRow({ conversation, open }: { conversation: Conversation; open: boolean }) {
  const t = useT("chat");
  const [renaming, setRenaming] = useState(false);
  const [menu, setMenu] = useState(false);
  const title = conversation.title || t("conversation.untitled");
  if (renaming) {
    return (
      <Suspense fallback={<li className="h-9 coarse:h-11" />}>
        <Rename conversation={conversation} done={() => setRenaming(false)} />
      </Suspense>
    );
  }
  return (
    <li className={cx("group relative rounded-control transition-colors duration-120", open ? "bg-selected" : "hover:bg-hover", menu && !open && "bg-hover")}>
      <Link
        to="/c/$conversation"
        params={{ conversation: conversation.id }}
        onClick={ui.closeDrawer}
        onDoubleClick={() => setRenaming(true)}
        aria-current={open ? "page" : undefined}
        className={cx("flex h-9 items-center gap-2 rounded-control px-2.5 group-focus-within:pr-9 group-hover:pr-9 coarse:h-11 coarse:pr-12", (open || menu) && "pr-9")}
      >
        {conversation.running.length > 0 ? <span role="img" aria-label={t("rail.answering")} className="size-1.5 shrink-0 animate-breathe rounded-full bg-brand" /> : null}
        {conversation.assistant ? (
          <Suspense fallback={<span className="size-5 shrink-0" />}>
            <AssistantMark id={conversation.assistant} />
          </Suspense>
        ) : null}
        <span className="min-w-0 flex-1 truncate">{title}</span>
      </Link>
      <span className={cx("absolute top-1/2 right-1 coarse:right-0 -translate-y-1/2 focus-within:opacity-100 group-hover:opacity-100 coarse:opacity-100", menu || open ? "opacity-100" : "opacity-0")}>
        <Suspense>
          <RowMenu conversation={conversation} title={title} onRename={() => setRenaming(true)} onOpenChange={setMenu} />
        </Suspense>
      </span>
    </li>
  );
}
