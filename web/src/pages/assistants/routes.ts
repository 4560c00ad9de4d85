//! The addresses of assistants: the gallery, one to be edited, one to begin a conversation with.
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "@/app/parents";
import { loadWords } from "@/lib/i18n";

const TABS = ["library", "prompts"] as const;
/** Which tab is open; absent: the assistants. */
export type GallerySearch = { tab?: (typeof TABS)[number] | undefined };

const words = () => loadWords("assistants");

export const assistantPages = [
  createRoute({
    getParentRoute: () => appRoute,
    path: "/assistants",
    validateSearch: (search: Record<string, unknown>): GallerySearch => {
      const tab = TABS.find((one) => one === search.tab);
      return tab ? { tab } : {};
    },
    loader: words,
    component: lazyRouteComponent(() => import("@/pages/assistants/gallery-page"), "GalleryPage"),
  }),
  createRoute({
    getParentRoute: () => appRoute,
    path: "/assistants/$assistant",
    loader: words,
    component: lazyRouteComponent(() => import("@/pages/assistants/editor-page"), "EditorPage"),
  }),
  createRoute({
    getParentRoute: () => appRoute,
    path: "/a/$assistant",
    loader: words,
    component: lazyRouteComponent(() => import("@/pages/assistants/start-page"), "StartPage"),
  }),
] as const;
