//! What can be done with a conversation, in the rail and in its own header: rename, pin, export, archive, delete. Comes after the first paint.
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { Archive, Ellipsis, FileJson, FileText, Pencil, Pin, PinOff, Trash2 } from "lucide-react";
import type { Conversation } from "@/api/types";
import { archiveConversation, changeConversation, deleteConversation, exportConversation } from "@/chat/conversation-actions";
import { useT } from "@/lib/i18n";
import { IconButton } from "@/ui/button";
import { Menu, type MenuEntry } from "@/ui/menu";

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

export default function RowMenu({ conversation, title, onRename, onOpenChange }: { conversation: Conversation; title: string; onRename: () => void; onOpenChange: (open: boolean) => void }) {
  const t = useT("chat");
  return (
    <Menu
      entries={useConversationEntries(conversation, onRename)}
      onOpenChange={onOpenChange}
      trigger={
        <IconButton label={t("conversation.menu", { title })} size="small">
          <Ellipsis />
        </IconButton>
      }
    />
  );
}
