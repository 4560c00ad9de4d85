//! Every address of the portal on one page.
import { createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute, rootRoute } from "@/app/parents";
import { accountPages, signInPages } from "@/pages/account/routes";
import { adminPages } from "@/pages/admin/routes";
import { approvalPages } from "@/pages/approvals/routes";
import { assistantPages } from "@/pages/assistants/routes";
import { batchPages } from "@/pages/batches/routes";
import { HomePage } from "@/pages/chat/home";

const homeRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "/",
  component: HomePage,
});

const conversationRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "/c/$conversation",
  component: lazyRouteComponent(() => import("@/pages/chat/conversation"), "ConversationPage"),
  /** `m`: the message a search hit points at. */
  validateSearch: (search: Record<string, unknown>): { m?: string | undefined } => (typeof search.m === "string" ? { m: search.m } : {}),
});

const archivedRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "/archived",
  component: lazyRouteComponent(() => import("@/pages/chat/archived"), "ArchivedPage"),
});

const tree = rootRoute.addChildren([appRoute.addChildren([homeRoute, conversationRoute, archivedRoute, ...accountPages, ...assistantPages, ...batchPages, ...approvalPages]), ...signInPages, ...adminPages]);

export const router = createRouter({ routeTree: tree, defaultPreload: "intent", defaultPendingMs: 400, scrollRestoration: false });

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
