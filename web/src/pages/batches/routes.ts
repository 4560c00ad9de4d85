//! The addresses of batches: those there are, a new one, and one with its rows.
import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "@/app/parents";
import { loadWords } from "@/lib/i18n";

const words = () => loadWords("batches");

export const batchPages = [
  createRoute({ getParentRoute: () => appRoute, path: "/batches", loader: words, component: lazyRouteComponent(() => import("@/pages/batches/list-page"), "BatchesPage") }),
  createRoute({ getParentRoute: () => appRoute, path: "/batches/new", loader: words, component: lazyRouteComponent(() => import("@/pages/batches/new-page"), "NewBatchPage") }),
  createRoute({ getParentRoute: () => appRoute, path: "/batches/$batch", loader: words, component: lazyRouteComponent(() => import("@/pages/batches/batch-page"), "BatchPage") }),
] as const;
