//! The list of conversations, read page by page. What is done with one is in conversation-actions.ts, which comes after the first paint.
import { useInfiniteQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { ConversationPage } from "@/api/types";
import { keys, queries } from "@/app/queries";

export function useConversations(archived = false) {
  return useInfiniteQuery({
    queryKey: keys.conversations(archived),
    queryFn: ({ pageParam, signal }) => api.get<ConversationPage>("/api/conversations", { archived, before: pageParam, limit: 50 }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

/** Both lists again, soon: several changes at once cause one read. */
let refreshing = 0;
export function refreshConversations() {
  clearTimeout(refreshing);
  refreshing = window.setTimeout(() => void queries.invalidateQueries({ queryKey: ["conversations"] }), 60);
}
