//! What jsdom lacks and the portal expects of a browser.
import { configure } from "@testing-library/react";
import type { Language } from "@/api/types";
import { type Namespace, giveWords, setLanguage } from "@/lib/i18n";

// A second is not enough where every processor compiles; what never comes is told after five.
configure({ asyncUtilTimeout: 5_000 });

window.matchMedia ??= (query: string) =>
  ({ matches: false, media: query, addEventListener: () => {}, removeEventListener: () => {} }) as unknown as MediaQueryList;

const files = import.meta.glob<Record<string, string>>("../src/locales/*/*.json", { import: "default", eager: true });
for (const [path, table] of Object.entries(files)) {
  const [, language, namespace] = /locales\/(.+)\/(.+)\.json$/.exec(path) ?? [];
  giveWords(language as Language, namespace as Namespace, table);
}
await setLanguage("en", false);
