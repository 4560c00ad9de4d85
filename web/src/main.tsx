//! The start: facts and words in parallel, then the first paint with both.
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { type Root, createRoot } from "react-dom/client";
import { PortalDownPage } from "@/app/fallbacks";
import { queries } from "@/app/queries";
import { router } from "@/app/router";
import { bootstrap, useSession } from "@/app/session";
import { loadWords } from "@/lib/i18n";
import { watchTheme } from "@/lib/theme";
import { preloadMenus } from "@/ui/menu";
import "@/styles.css";

watchTheme();
const element = document.getElementById("root");
if (element) void start(createRoot(element));

async function start(root: Root) {
  await loadWords("common");
  try {
    await bootstrap();
  } catch {
    root.render(<PortalDownPage again={() => void start(root)} />);
    return;
  }
  // Signing in or out anywhere (another tab ends the session, too) re-runs the guards of the open page.
  useSession.subscribe((now, before) => {
    if ((now.me === null) === (before.me === null)) return;
    // Only once the page is left: what is still shown would be asked for again, in nobody's name.
    void router.invalidate().then(() => now.me === null && queries.clear());
  });
  root.render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
  setTimeout(preloadMenus, 2500);
}
