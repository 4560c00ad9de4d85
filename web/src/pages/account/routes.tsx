//! The addresses of a person's own pages: `accountPages` stand inside the shell, `signInPages` are bare.
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/parents";
import { loadWords } from "@/lib/i18n";

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/signin",
  /** `to`: where the person was going. */
  validateSearch: (search: Record<string, unknown>): { to?: string | undefined } => (typeof search.to === "string" && search.to.startsWith("/") && !search.to.startsWith("//") ? { to: search.to } : {}),
  loader: () => loadWords("account"),
  component: lazyRouteComponent(() => import("@/pages/account/sign-in"), "SignInPage"),
});

const setupRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/setup",
  loader: () => loadWords("account"),
  component: lazyRouteComponent(() => import("@/pages/account/setup"), "SetupPage"),
});

export const accountPages = [] as const;
export const signInPages = [signInRoute, setupRoute] as const;
