//! One conversation in the rail: opens it; renames in place; its menu pins, exports, archives and deletes.
import { Link, useNavigate, useRouterState } from "@tanstack/react-router";
import { Archive, Ellipsis, FileJson, FileText, Pencil, Pin, PinOff, Trash2 } from "lucide-react";
import { Suspense, lazy, useState } from "react";
import type { Conversation } from "@/api/types";
import { ui } from "@/app/ui";
import { archiveConversation, changeConversation, deleteConversation, exportConversation } from "@/chat/conversations";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { IconButton } from "@/ui/button";
import { Menu, type MenuEntry } from "@/ui/menu";

const Rename = lazy(() => import("@/app/rail-rename"));
/** Comes with the first conversation that has one. */
const AssistantMark = lazy(async () => ({ default: (await import("@/pages/assistants/mark")).AssistantMark }));

export function useConversationEntries(conversation: Conversation, onRename: () => void): MenuEntry[] {
  const t = useT("chat");
  const navigate = useNavigate();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const { id } = conversation;
  const leave = () => {
    if (path === `/c/${id}`) void navigate({ to: "/" });
  };
  const back = () => {
    if (path === `/c/${id}`) void navigate({ to: "/c/$conversation", params: { conversation: id } });
  };
  return [
    { id: "rename", label: t("conversation.rename"), icon: <Pencil />, onSelect: onRename },
    conversation.pinned
      ? { id: "pin", label: t("conversation.unpin"), icon: <PinOff />, onSelect: () => void changeConversation(id, { pinned: false }) }
      : { id: "pin", label: t("conversation.pin"), icon: <Pin />, onSelect: () => void changeConversation(id, { pinned: true }) },
    {
      id: "archive",
      label: t("conversation.archive"),
      icon: <Archive />,
      onSelect: () => {
        leave();
        void archiveConversation(id, true);
      },
    },
    "separator",
    { id: "markdown", label: t("conversation.export_markdown"), icon: <FileText />, onSelect: () => exportConversation(id, "markdown") },
    { id: "json", label: t("conversation.export_json"), icon: <FileJson />, onSelect: () => exportConversation(id, "json") },
    "separator",
    {
      id: "delete",
      label: t("conversation.delete"),
      icon: <Trash2 />,
      danger: true,
      onSelect: () => {
        leave();
        void deleteConversation(id, back);
      },
    },
  ];
}

export function ConversationRow({ conversation, open }: { conversation: Conversation; open: boolean }) {
  const t = useT("chat");
  const [renaming, setRenaming] = useState(false);
  const [menu, setMenu] = useState(false);
  const entries = useConversationEntries(conversation, () => setRenaming(true));
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
        <Menu
          entries={entries}
          onOpenChange={setMenu}
          trigger={
            <IconButton label={t("conversation.menu", { title })} size="small">
              <Ellipsis />
            </IconButton>
          }
        />
      </span>
    </li>
  );
}
