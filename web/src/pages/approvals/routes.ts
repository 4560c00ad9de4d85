//! The address of what waits for somebody's word.
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "@/app/parents";
import { loadWords } from "@/lib/i18n";

export const approvalPages = [createRoute({ getParentRoute: () => appRoute, path: "/approvals", loader: () => loadWords("approvals"), component: lazyRouteComponent(() => import("@/pages/approvals/list-page"), "ApprovalsPage") })] as const;
