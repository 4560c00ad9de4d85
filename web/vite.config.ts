//! How the portal is built, served for development and tested. Not shipped.
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Development talks to a real portal (`portico serve`) or to the mock (`npm run mock`, port 8421). */
const portal = process.env.PORTICO_URL ?? "http://127.0.0.1:8421";

const src = fileURLToPath(new URL("./src", import.meta.url));

/** KaTeX names each font three times; every browser that runs this portal reads the first. */
const katexFonts = {
  name: "katex-fonts",
  enforce: "pre" as const,
  transform: (code: string, id: string) => (id.includes("katex.min.css") ? code.replace(/,url\([^)]+\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)/g, "") : undefined),
};

export default defineConfig({
  plugins: [katexFonts, react(), tailwindcss()],
  resolve: {
    alias: [
      { find: "@", replacement: src },
      { find: /^rehype-raw$/, replacement: `${src}/markdown/raw-html.ts` },
      { find: /^(tailwind-merge|rehype-harden)$/, replacement: `${src}/markdown/unused.ts` },
    ],
  },
  server: { proxy: { "/api": { target: portal, ws: true } } },
  build: {
    target: "es2022",
    // Everything is a file of our own origin: the CSP allows no data: scripts and the server caches files by hash.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    manifest: "assets.json",
    rolldownOptions: {
      output: {
        // What every page needs travels as one file: it packs better, and changes less often than the portal itself. What only later pages
        // need of the same packages (forms that save, several questions at once, "leave without saving?") comes with those.
        codeSplitting: {
          groups: [
            {
              name: "frame",
              test: /node_modules\/(react|react-dom|scheduler|zustand|use-sync-external-store|@tanstack\/(?!.*\/(?:useBlocker|useQueries|queriesObserver|useMutation|mutationObserver)\.js$)[\w-]+)\/|src\/(api|lib)\/|src\/ui\/(button|spinner|toast|menu|page|logo)\.tsx/,
            },
          ],
        },
      },
    },
  },
  test: { environment: "jsdom", include: ["tests/**/*.test.{ts,tsx}"], setupFiles: ["tests/setup.ts"], testTimeout: 15_000, server: { deps: { inline: ["streamdown"] } } },
});
