//! The rail: begin, search, the conversations by day, the person. The same in its column and in the phone's drawer.
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Archive, Bot, Keyboard, ListChecks, LogOut, PanelLeft, Search, Settings, ShieldCheck, SquarePen, Upload } from "lucide-react";
import { Suspense, lazy, useEffect, useMemo, useRef } from "react";
import type { Conversation } from "@/api/types";
import { signOut, useMe, useSession } from "@/app/session";
import { ui } from "@/app/ui";
import { ConversationRow } from "@/app/rail-row";
import { useConversations } from "@/chat/conversations";
import { cx } from "@/lib/cx";
import { loadWords, type Translate, useLanguage, useT } from "@/lib/i18n";
import { shown } from "@/lib/keyboard";
import { sentence } from "@/lib/problem";
import { dayGroup } from "@/lib/time";
import { IconButton } from "@/ui/button";
import { Logo } from "@/ui/logo";
import { Menu, type MenuEntry } from "@/ui/menu";
import { Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

/** Comes after the rail: most people never have anything to agree to. */
const ApprovalsLink = lazy(async () => (await Promise.all([import("@/pages/approvals/rail-link"), loadWords("approvals")]))[0]);

const ACTION = "touch-target flex h-9 w-full items-center gap-2.5 rounded-control px-2.5 text-ui transition-colors duration-120 hover:bg-hover coarse:h-11 [&_svg]:size-[17px] [&_svg]:text-muted-foreground";

export function Rail() {
  const t = useT("chat");
  const brand = useSession((state) => state.portal.brand.name);
  return (
    <div className="flex h-full flex-col">
      <div className="flex h-14 shrink-0 items-center justify-between pr-2 pl-4">
        <Link to="/" onClick={ui.closeDrawer} className="flex min-w-0 items-center gap-2 rounded-control font-semibold">
          <Logo className="size-6 shrink-0" />
          <span className="truncate text-[15px]">{brand}</span>
        </Link>
        <IconButton label={t("rail.close")} shortcut={shown("mod+shift+s")} onClick={ui.toggleRail}>
          <PanelLeft />
        </IconButton>
      </div>
      <div className="flex flex-col gap-0.5 px-2">
        <Link to="/" onClick={ui.closeDrawer} className={ACTION} data-tip={shown("mod+shift+o")}>
          <SquarePen aria-hidden="true" />
          {t("rail.new")}
        </Link>
        <button
          type="button"
          className={ACTION}
          onClick={() => {
            ui.closeDrawer();
            ui.setPalette(true);
          }}
        >
          <Search aria-hidden="true" />
          <span className="flex-1 text-left">{t("rail.search")}</span>
          <kbd className="font-sans text-meta text-muted-foreground coarse:hidden">{shown("mod+k")}</kbd>
        </button>
        <Link to="/assistants" onClick={ui.closeDrawer} className={ACTION}>
          <Bot aria-hidden="true" />
          {t("rail.assistants")}
        </Link>
        <Link to="/batches" onClick={ui.closeDrawer} className={ACTION}>
          <ListChecks aria-hidden="true" />
          {t("rail.batches")}
        </Link>
        <Suspense>
          <ApprovalsLink className={ACTION} />
        </Suspense>
      </div>
      <ConversationList />
      <PersonMenu />
    </div>
  );
}

function ConversationList() {
  const t = useT("chat");
  const language = useLanguage();
  const { data, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, isError, error } = useConversations();
  const open = useParams({ strict: false }).conversation;
  const end = useRef<HTMLDivElement>(null);
  const items = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  const groups = useMemo(() => groupByDay(items, Date.now(), language, t), [items, language, t]);

  useEffect(() => {
    if (!end.current || !hasNextPage) return;
    const watch = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting) && !isFetchingNextPage) void fetchNextPage();
    });
    watch.observe(end.current);
    return () => watch.disconnect();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  return (
    <nav aria-label={t("rail.conversations")} className="scroll-thin mt-2 min-h-0 flex-1 overflow-y-auto px-2 pb-4">
      {isPending ? <Waiting /> : null}
      {isError ? <p className="px-2.5 py-3 text-meta text-muted-foreground">{sentence(error)}</p> : null}
      {groups.map((group) => (
        <section key={group.label} className="pt-3" aria-label={group.label}>
          <h2 className="px-2.5 pb-1 text-[12px] text-muted-foreground">{group.label}</h2>
          <ul className="flex flex-col gap-px">
            {group.items.map((item) => (
              <ConversationRow key={item.id} conversation={item} open={item.id === open} />
            ))}
          </ul>
        </section>
      ))}
      {hasNextPage ? <div ref={end} className="h-8" /> : null}
    </nav>
  );
}

function Waiting() {
  return (
    <div className="flex flex-col gap-3 px-2.5 pt-5">
      {[62, 84, 48, 73].map((width) => (
        <div key={width} style={{ width: `${width}%` }}>
          <Skeleton className="h-4" />
        </div>
      ))}
    </div>
  );
}

type Group = { label: string; items: Conversation[] };

/** Pinned first, then by the day of the last change, newest first. */
export function groupByDay(items: Conversation[], now: number, language: "zh-CN" | "en", t: Translate<"chat">): Group[] {
  const groups = new Map<string, Conversation[]>();
  const put = (label: string, item: Conversation) => groups.set(label, [...(groups.get(label) ?? []), item]);
  const pinned = items.filter((item) => item.pinned);
  for (const item of pinned) put(t("day.pinned"), item);
  for (const item of items) {
    if (item.pinned) continue;
    const group = dayGroup(item.updated_at, now, language);
    put(group.kind === "older" ? group.label : t(`day.${group.kind}`), item);
  }
  return [...groups].map(([label, members]) => ({ label, items: members }));
}

function PersonMenu() {
  const t = useT("chat");
  const me = useMe();
  const navigate = useNavigate();
  const file = useRef<HTMLInputElement>(null);
  const go = (to: string) => () => {
    ui.closeDrawer();
    void navigate({ to });
  };
  const entries: MenuEntry[] = [
    { id: "settings", label: t("menu.settings"), icon: <Settings />, onSelect: go("/settings") },
    ...(me.role === "member" ? [] : [{ id: "admin", label: t("menu.admin"), icon: <ShieldCheck />, onSelect: go("/admin") }]),
    { id: "archived", label: t("menu.archived"), icon: <Archive />, onSelect: go("/archived") },
    { id: "import", label: t("menu.import"), icon: <Upload />, onSelect: () => file.current?.click() },
    { id: "shortcuts", label: t("menu.shortcuts"), icon: <Keyboard />, shortcut: shown("mod+/"), onSelect: () => ui.setShortcuts(true) },
    "separator",
    { id: "out", label: t("menu.sign_out"), icon: <LogOut />, onSelect: () => void signOut().catch((error: unknown) => toast(sentence(error), { tone: "bad" })) },
  ];
  return (
    <div className="shrink-0 border-t p-2 pb-[max(8px,env(safe-area-inset-bottom))]">
      <Menu
        side="top"
        wide
        entries={entries}
        trigger={
          <button type="button" className={cx(ACTION, "h-11 aria-expanded:bg-hover")}>
            <span aria-hidden="true" className="flex size-7 shrink-0 items-center justify-center rounded-full bg-selected text-[13px] font-medium">
              {Array.from(me.display_name || me.name)[0]?.toUpperCase()}
            </span>
            <span className="min-w-0 truncate">{me.display_name || me.name}</span>
          </button>
        }
      />
      <input
        ref={file}
        type="file"
        accept="application/json,.json"
        hidden
        aria-hidden="true"
        tabIndex={-1}
        onChange={async (event) => {
          const chosen = event.target.files?.[0];
          event.target.value = "";
          const made = chosen ? await (await import("@/chat/conversation-actions")).importConversation(chosen) : null;
          ui.closeDrawer();
          if (made) await navigate({ to: "/c/$conversation", params: { conversation: made.id } });
        }}
      />
    </div>
  );
}
