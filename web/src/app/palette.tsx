//! ⌘K: full-text search over one's own conversations, and the few places one goes to. Loaded when first opened.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Archive, MessageSquare, Moon, Search, Settings, SquarePen, Sun } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useState } from "react";
import { api } from "@/api/client";
import type { SearchHit } from "@/api/types";
import { keys } from "@/app/queries";
import { changeMe } from "@/app/session";
import { ui } from "@/app/ui";
import { useConversations } from "@/chat/conversations";
import { cx } from "@/lib/cx";
import { useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { useTheme } from "@/lib/theme";
import { formatAgo } from "@/lib/time";
import { Spinner } from "@/ui/spinner";
import { toast } from "@/ui/toast";

type Item = { id: string; icon: ReactNode; title: ReactNode; detail?: ReactNode; aside?: string; act: () => void };
type Group = { label: string; items: Item[] };
const DEBOUNCE_MS = 140;

export default function Palette() {
  const t = useT("chat");
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const query = useDebounced(text.trim());
  const search = useSearch(query);
  const groups = useGroups(text.trim(), search.data ?? null);
  const items = groups.flatMap((group) => group.items);
  const current = items[Math.min(at, items.length - 1)];
  const id = useId();

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const moves: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 };
    const next = moves[event.key];
    if (next !== undefined) {
      event.preventDefault();
      setAt(Math.max(0, Math.min(items.length - 1, next)));
    }
    if (event.key === "Enter") {
      event.preventDefault();
      current?.act();
    }
  };

  return (
    <Radix.Root open onOpenChange={(open) => !open && ui.setPalette(false)}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 animate-fade bg-scrim" />
        <Radix.Content
          aria-describedby={undefined}
          className="fixed inset-0 z-50 flex animate-fade flex-col overflow-hidden bg-popover shadow-popover outline-none sm:inset-x-auto sm:top-[12vh] sm:bottom-auto sm:left-1/2 sm:max-h-[min(70vh,560px)] sm:w-[640px] sm:max-w-[calc(100vw-48px)] sm:-translate-x-1/2 sm:rounded-card sm:border"
        >
          <Radix.Title className="sr-only">{t("palette.title")}</Radix.Title>
          <div className="flex shrink-0 items-center gap-3 border-b px-4">
            {search.isFetching ? <Spinner className="size-[18px] shrink-0 text-muted-foreground" /> : <Search className="size-[18px] shrink-0 text-muted-foreground" aria-hidden="true" />}
            <input
              autoFocus
              role="combobox"
              aria-expanded="true"
              aria-controls={`${id}-list`}
              aria-activedescendant={current ? `${id}-${current.id}` : undefined}
              aria-label={t("palette.title")}
              placeholder={t("palette.placeholder")}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                setAt(0);
              }}
              onKeyDown={onKeyDown}
              className="h-13 min-w-0 flex-1 bg-transparent text-[16px] outline-none"
            />
            <Radix.Close className="touch-target shrink-0 rounded-[6px] border px-1.5 text-[12px] text-muted-foreground">Esc</Radix.Close>
          </div>
          <div id={`${id}-list`} role="listbox" aria-label={t("palette.results")} tabIndex={-1} className="scroll-thin min-h-0 flex-1 overflow-y-auto p-2">
            {groups.map((group) => (
              <div key={group.label} role="group" aria-label={group.label}>
                <div aria-hidden="true" className="px-3 pt-2 pb-1 text-[12px] text-muted-foreground">
                  {group.label}
                </div>
                {group.items.map((item) => (
                  <Option key={item.id} id={`${id}-${item.id}`} item={item} active={item === current} onHover={() => setAt(items.indexOf(item))} />
                ))}
              </div>
            ))}
            {search.isError ? <p className="px-3 py-6 text-center text-meta text-bad">{sentence(search.error)}</p> : null}
            {query !== "" && search.data?.length === 0 && !search.isFetching ? <p className="px-3 py-8 text-center text-muted-foreground">{t("palette.nothing", { query })}</p> : null}
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Option({ id, item, active, onHover }: { id: string; item: Item; active: boolean; onHover: () => void }) {
  return (
    <div
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={active}
      ref={(element) => {
        if (active) element?.scrollIntoView({ block: "nearest" });
      }}
      onPointerMove={onHover}
      onClick={item.act}
      onKeyDown={(event) => event.key === "Enter" && item.act()}
      className={cx("flex min-h-11 cursor-default items-center gap-3 rounded-control px-3 py-2", active && "bg-hover")}
    >
      <span className="shrink-0 text-muted-foreground [&_svg]:size-[17px]">{item.icon}</span>
      <span className="min-w-0 flex-1">
        <span className="block truncate">{item.title}</span>
        {item.detail ? <span className="line-clamp-2 text-meta text-muted-foreground">{item.detail}</span> : null}
      </span>
      {item.aside ? <span className="shrink-0 text-meta text-muted-foreground">{item.aside}</span> : null}
    </div>
  );
}

function useDebounced(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), DEBOUNCE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function useSearch(query: string) {
  return useQuery({
    queryKey: keys.search(query),
    queryFn: async ({ signal }) => (await api.get<{ items: SearchHit[] }>("/api/search", { q: query, limit: 30 }, signal)).items,
    enabled: query !== "",
    placeholderData: keepPreviousData,
    staleTime: 5000,
  });
}

function useGroups(text: string, hits: SearchHit[] | null): Group[] {
  const t = useT("chat");
  const language = useLanguage();
  const navigate = useNavigate();
  const { data } = useConversations();
  const dark = useTheme((state) => state.dark);
  const closing = (act: () => void) => () => {
    ui.setPalette(false);
    act();
  };
  const acts: (Item & { words: string })[] = [
    { id: "new", icon: <SquarePen />, title: t("rail.new"), words: t("rail.new"), act: closing(() => void navigate({ to: "/" })) },
    { id: "archived", icon: <Archive />, title: t("menu.archived"), words: t("menu.archived"), act: closing(() => void navigate({ to: "/archived" })) },
    { id: "settings", icon: <Settings />, title: t("menu.settings"), words: t("menu.settings"), act: closing(() => void navigate({ to: "/settings" as string })) },
    { id: "theme", icon: dark ? <Sun /> : <Moon />, title: t(dark ? "palette.light" : "palette.dark"), words: t(dark ? "palette.light" : "palette.dark"), act: closing(() => switchTheme(dark ? "light" : "dark")) },
  ];
  const now = Date.now();
  if (text === "") {
    const recent = (data?.pages[0]?.items ?? []).slice(0, 8).map((item) => ({
      id: item.id,
      icon: <MessageSquare />,
      title: item.title || t("conversation.untitled"),
      aside: formatAgo(item.updated_at, now, language),
      act: closing(() => void navigate({ to: "/c/$conversation", params: { conversation: item.id } })),
    }));
    return [{ label: t("palette.acts"), items: acts }, ...(recent.length > 0 ? [{ label: t("palette.recent"), items: recent }] : [])];
  }
  const found = (hits ?? []).map((hit) => ({
    id: `${hit.conversation}-${hit.message ?? "title"}`,
    icon: <MessageSquare />,
    title: hit.message === null ? <Snippet hit={hit} /> : hit.title || t("conversation.untitled"),
    detail: hit.message === null ? undefined : <Snippet hit={hit} />,
    aside: formatAgo(hit.at, now, language),
    act: closing(() => void navigate({ to: "/c/$conversation", params: { conversation: hit.conversation }, search: { m: hit.message ?? undefined } })),
  }));
  const fitting = acts.filter((item) => item.words.toLowerCase().includes(text.toLowerCase()));
  return [
    ...(found.length > 0 ? [{ label: t("palette.results"), items: found }] : []),
    ...(fitting.length > 0 ? [{ label: t("palette.acts"), items: fitting }] : []),
  ];
}

/** At once on this page, and kept with the person for the next one. */
function switchTheme(theme: "light" | "dark") {
  useTheme.getState().setTheme(theme);
  changeMe({ settings: { theme } }).catch((error: unknown) => toast(sentence(error), { tone: "bad" }));
}

function Snippet({ hit }: { hit: SearchHit }) {
  return (
    <>
      {hit.snippet.map((part, at) =>
        part.hit ? (
          <mark key={at} className="rounded-[3px] bg-hit px-px text-foreground">
            {part.text}
          </mark>
        ) : (
          <span key={at}>{part.text}</span>
        ),
      )}
    </>
  );
}
