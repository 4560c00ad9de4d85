//! The addresses of the administration: outside the shell, for owners and administrators.
import { createRoute, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { requirePerson, rootRoute } from "@/app/parents";
import { useSession } from "@/app/session";
import { loadWords } from "@/lib/i18n";

const adminRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/admin",
  beforeLoad: (context) => {
    requirePerson(context);
    // The portal refuses a member's requests anyway; here is nothing to show them.
    if (useSession.getState().me?.role === "member") throw redirect({ to: "/" });
  },
  loader: () => loadWords("admin", "engines"),
  component: lazyRouteComponent(() => import("@/pages/admin/layout"), "AdminLayout"),
});

/** Which alias is switched, and the replay that is looked at, so that a reload shows it again. */
type SwitchSearch = { alias: string; environment?: string; replay?: string };

const sections = [
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/",
    component: lazyRouteComponent(() => import("@/pages/admin/overview"), "OverviewPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/models",
    component: lazyRouteComponent(() => import("@/pages/admin/models"), "ModelsPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/library",
    loader: () => loadWords("library"),
    component: lazyRouteComponent(() => import("@/pages/admin/library/page"), "LibraryPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/aliases",
    component: lazyRouteComponent(() => import("@/pages/admin/aliases/page"), "AliasesPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/aliases/switch",
    validateSearch: (search: Record<string, unknown>): SwitchSearch => ({
      alias: String(search.alias ?? ""),
      ...(typeof search.environment === "string" ? { environment: search.environment } : {}),
      ...(typeof search.replay === "string" ? { replay: search.replay } : {}),
    }),
    component: lazyRouteComponent(() => import("@/pages/admin/aliases/switch-page"), "SwitchPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/capabilities",
    component: lazyRouteComponent(() => import("@/pages/admin/capabilities/page"), "CapabilitiesPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/catalogue",
    component: lazyRouteComponent(() => import("@/pages/admin/catalogue/page"), "CataloguePage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/datasets",
    loader: () => loadWords("tuning"),
    component: lazyRouteComponent(() => import("@/pages/admin/tuning/sets-page"), "SetsPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/datasets/$set",
    loader: () => loadWords("tuning"),
    component: lazyRouteComponent(() => import("@/pages/admin/tuning/set-page"), "SetPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/training",
    loader: () => loadWords("tuning", "library"),
    component: lazyRouteComponent(() => import("@/pages/admin/tuning/training-page"), "TrainingPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/training/$job",
    loader: () => loadWords("tuning"),
    component: lazyRouteComponent(() => import("@/pages/admin/tuning/job-page"), "JobPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/plugins",
    loader: () => loadWords("plugins"),
    component: lazyRouteComponent(() => import("@/pages/admin/plugins/page"), "PluginsPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/plugins/$plugin",
    loader: () => loadWords("plugins", "steps"),
    component: lazyRouteComponent(() => import("@/pages/admin/plugins/plugin-page"), "PluginPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/load",
    component: lazyRouteComponent(() => import("@/pages/admin/load/page"), "LoadPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/keys",
    loader: () => loadWords("account"),
    component: lazyRouteComponent(() => import("@/pages/admin/keys"), "KeysPage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/people",
    component: lazyRouteComponent(() => import("@/pages/admin/people"), "PeoplePage"),
  }),
  createRoute({
    getParentRoute: () => adminRoute,
    path: "/invitations",
    component: lazyRouteComponent(() => import("@/pages/admin/invitations"), "InvitationsPage"),
  }),
] as const;

export const adminPages = [adminRoute.addChildren(sections)] as const;
