//! The addresses of a person's own pages: `accountPages` stand inside the shell, `signInPages` are bare.
import { createRoute, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { appRoute, rootRoute } from "@/app/parents";
import { useSession } from "@/app/session";
import { loadWords } from "@/lib/i18n";
import { takeToken } from "@/pages/account/link-token";

type SignInSearch = { /** Where the person was going. */ to?: string; /** A new password was just set. */ reset?: boolean };

/** Only an address of our own: never `//elsewhere` or `https:`. */
function ownAddress(to: unknown): to is string {
  return typeof to === "string" && /^\/(?![/\\])/.test(to);
}

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/signin",
  validateSearch: (search: Record<string, unknown>): SignInSearch => ({
    ...(ownAddress(search.to) ? { to: search.to } : {}),
    ...(search.reset === true ? { reset: true } : {}),
  }),
  beforeLoad: ({ search }) => {
    const { me, portal } = useSession.getState();
    if (portal.setup_needed) throw redirect({ to: "/setup" });
    if (me !== null) throw redirect({ to: search.to ?? "/" });
  },
  loader: () => loadWords("account"),
  component: lazyRouteComponent(() => import("@/pages/account/sign-in"), "SignInPage"),
});

const setupRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/setup",
  beforeLoad: ({ location }) => takeToken("/setup", location.hash),
  loader: () => loadWords("account"),
  component: lazyRouteComponent(() => import("@/pages/account/setup"), "SetupPage"),
});

const joinRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/join",
  beforeLoad: ({ location }) => takeToken("/join", location.hash),
  loader: () => loadWords("account"),
  component: lazyRouteComponent(() => import("@/pages/account/join"), "JoinPage"),
});

const resetRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/reset",
  beforeLoad: ({ location }) => takeToken("/reset", location.hash),
  loader: () => loadWords("account"),
  component: lazyRouteComponent(() => import("@/pages/account/reset"), "ResetPage"),
});

const settingsRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "/settings",
  loader: () => loadWords("account"),
  component: lazyRouteComponent(() => import("@/pages/account/settings/layout"), "SettingsLayout"),
});

const settingsPages = [
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "/",
    component: lazyRouteComponent(() => import("@/pages/account/settings/general"), "GeneralSettings"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "/chat",
    component: lazyRouteComponent(() => import("@/pages/account/settings/chat"), "ChatSettings"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "/account",
    component: lazyRouteComponent(() => import("@/pages/account/settings/account"), "AccountSettings"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "/sessions",
    component: lazyRouteComponent(() => import("@/pages/account/settings/sessions"), "SessionSettings"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "/keys",
    component: lazyRouteComponent(() => import("@/pages/account/settings/keys"), "KeySettings"),
  }),
  createRoute({
    getParentRoute: () => settingsRoute,
    path: "/usage",
    component: lazyRouteComponent(() => import("@/pages/account/settings/usage"), "UsageSettings"),
  }),
] as const;

export const accountPages = [settingsRoute.addChildren(settingsPages)] as const;
export const signInPages = [signInRoute, setupRoute, joinRoute, resetRoute] as const;
