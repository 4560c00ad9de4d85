//! What is done with a conversation: changed in place, archived and deleted with a way back, taken out and in as a file.
import type { InfiniteData } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Conversation, ConversationChange, ConversationPage } from "@/api/types";
import { keys, queries } from "@/app/queries";
import { refreshConversations } from "@/chat/conversations";
import { translate } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { toast } from "@/ui/toast";

type Pages = InfiniteData<ConversationPage, string | null>;

function edit(change: (items: Conversation[]) => Conversation[]) {
  for (const archived of [false, true]) {
    queries.setQueryData<Pages>(keys.conversations(archived), (pages) => pages && { ...pages, pages: pages.pages.map((page) => ({ ...page, items: change(page.items) })) });
  }
}

export function showConversation(conversation: Conversation) {
  edit((items) => items.map((item) => (item.id === conversation.id ? conversation : item)));
}

export async function changeConversation(id: string, change: ConversationChange): Promise<Conversation | null> {
  edit((items) => items.map((item) => (item.id === id ? { ...item, ...change } : item)));
  try {
    const changed = await api.patch<Conversation>(`/api/conversations/${id}`, change);
    showConversation(changed);
    if (change.archived !== undefined || change.pinned !== undefined) refreshConversations();
    return changed;
  } catch (error) {
    toast(sentence(error), { tone: "bad" });
    refreshConversations();
    return null;
  }
}

export async function archiveConversation(id: string, archived: boolean) {
  edit((items) => items.filter((item) => item.id !== id));
  if ((await changeConversation(id, { archived })) === null) return;
  toast(translate("chat", archived ? "archive.done" : "archive.undone"), {
    action: { label: translate("common", "undo"), act: () => void changeConversation(id, { archived: !archived }) },
  });
}

/** `onUndo` puts the page back where it was. */
export async function deleteConversation(id: string, onUndo?: () => void) {
  edit((items) => items.filter((item) => item.id !== id));
  try {
    await api.delete(`/api/conversations/${id}`);
  } catch (error) {
    refreshConversations();
    toast(sentence(error), { tone: "bad" });
    return;
  }
  const undo = async () => {
    try {
      await api.post(`/api/conversations/${id}/restore`);
      onUndo?.();
    } catch (error) {
      toast(sentence(error), { tone: "bad" });
    }
    refreshConversations();
  };
  toast(translate("chat", "delete.done"), { action: { label: translate("common", "undo"), act: () => void undo() } });
}

/** A plain link: the browser's own download, which also works without a secure context. */
export function exportConversation(id: string, format: "markdown" | "json") {
  const link = document.createElement("a");
  link.href = `/api/conversations/${id}/export?format=${format}`;
  link.download = "";
  link.click();
}

export async function importConversation(file: File): Promise<Conversation | null> {
  try {
    const conversation = await api.post<Conversation>("/api/conversations/import", await file.text());
    refreshConversations();
    toast(translate("chat", "import.done", { title: conversation.title }));
    return conversation;
  } catch (error) {
    toast(translate("chat", "import.failed", { reason: sentence(error) }), { tone: "bad" });
    return null;
  }
}
