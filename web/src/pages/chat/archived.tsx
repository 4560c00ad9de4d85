//! Conversations put aside: open, move back, delete.
import { Link } from "@tanstack/react-router";
import { Archive, ArchiveRestore, Trash2 } from "lucide-react";
import { RailButton } from "@/app/shell";
import { archiveConversation, deleteConversation } from "@/chat/conversation-actions";
import { useConversations } from "@/chat/conversations";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { formatAgo } from "@/lib/time";
import { Button, IconButton } from "@/ui/button";
import { Card, EmptyState, Notice, Page, PageHeader, Skeleton } from "@/ui/page";

export function ArchivedPage() {
  const t = useT("chat");
  const c = useT("common");
  const language = useLanguage();
  const { data, isPending, isError, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useConversations(true);
  const items = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="flex h-full flex-col">
      <header className="flex h-14 shrink-0 items-center px-2 sm:px-3">
        <RailButton />
      </header>
      <div className="min-h-0 flex-1">
        <Page>
          <PageHeader title={t("archive.title")} description={t("archive.description")} />
          {isError ? <Notice tone="bad">{sentence(error)}</Notice> : null}
          {isPending ? <Skeleton className="h-24" /> : null}
          {data && items.length === 0 ? <EmptyState icon={<Archive />} title={t("archive.empty")} /> : null}
          {items.length > 0 ? (
            <Card>
              <ul>
                {items.map((item) => (
                  <li key={item.id} className="flex items-center gap-2 border-b py-1.5 pr-2 pl-4 last:border-b-0">
                    <Link to="/c/$conversation" params={{ conversation: item.id }} className="min-w-0 flex-1 rounded-control py-1">
                      <span className="block truncate">{item.title || t("conversation.untitled")}</span>
                      <span className="block text-meta text-muted-foreground">{formatAgo(item.updated_at, Date.now(), language)}</span>
                    </Link>
                    <IconButton label={t("conversation.unarchive")} onClick={() => void archiveConversation(item.id, false)}>
                      <ArchiveRestore />
                    </IconButton>
                    <IconButton label={t("conversation.delete")} onClick={() => void deleteConversation(item.id)}>
                      <Trash2 />
                    </IconButton>
                  </li>
                ))}
              </ul>
            </Card>
          ) : null}
          {hasNextPage ? (
            <div className="mt-4 flex justify-center">
              <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                {c("more")}
              </Button>
            </div>
          ) : null}
        </Page>
      </div>
    </div>
  );
}
