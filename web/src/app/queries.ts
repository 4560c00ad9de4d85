//! What is read from the portal and kept: one cache, its keys in one place.
import { QueryClient } from "@tanstack/react-query";
import { Problem } from "@/api/client";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      // A refusal stays one however often it is asked; only an absent portal is worth another try.
      retry: (count, error) => error instanceof Problem && error.code === "portal_unreachable" && count < 2,
    },
  },
});

export const keys = {
  conversations: (archived = false) => ["conversations", archived ? "archived" : "open"] as const,
  models: ["models"] as const,
  search: (text: string) => ["search", text] as const,
  usage: ["usage"] as const,
};
