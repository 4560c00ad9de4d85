//! What jsdom lacks and the portal expects of a browser.
import { loadWords } from "@/lib/i18n";

window.matchMedia ??= (query: string) =>
  ({ matches: false, media: query, addEventListener: () => {}, removeEventListener: () => {} }) as unknown as MediaQueryList;

await loadWords("common", "chat", "account", "admin");
