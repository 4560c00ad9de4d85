//! The two routes every page hangs under: `rootRoute` bare (sign-in, setup, join, reset), `appRoute` inside the shell for a signed-in person.
import { Outlet, createRootRoute, createRoute, redirect } from "@tanstack/react-router";
import { Suspense, lazy } from "react";
import { useSession } from "@/app/session";
import { Shell } from "@/app/shell";
import { BrokenPage, NotFoundPage } from "@/app/fallbacks";
import { loadWords } from "@/lib/i18n";
import { Toaster } from "@/ui/toast";

/** Nobody has pointed at anything before the page is there. */
const Tooltips = lazy(async () => ({ default: (await import("@/ui/tooltip")).Tooltips }));

export const rootRoute = createRootRoute({
  component: () => (
    <>
      <Suspense>
        <Outlet />
      </Suspense>
      <Suspense>
        <Tooltips />
      </Suspense>
      <Toaster />
    </>
  ),
  notFoundComponent: NotFoundPage,
  errorComponent: BrokenPage,
});

/** For a route outside the shell that still needs a person, such as the administration. */
export function requirePerson({ location }: { location: { href: string } }) {
  const { me, portal, left } = useSession.getState();
  if (portal.setup_needed) throw redirect({ to: "/setup" });
  // Who signed out on purpose begins anew; whose session ended comes back to where they were.
  const back = left === "here" || location.href === "/" ? {} : { to: location.href };
  if (me === null) throw redirect({ to: "/signin", search: back });
}

export const appRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "app",
  beforeLoad: requirePerson,
  loader: () => loadWords("chat"),
  component: Shell,
});
