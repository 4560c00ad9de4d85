//! How the portal is built, served for development and tested. Not shipped.
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Development talks to a real portal (`portico serve`) or to the mock (`npm run mock`, port 8421). */
const portal = process.env.PORTICO_URL ?? "http://127.0.0.1:8421";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { proxy: { "/api": { target: portal, ws: true } } },
  build: {
    target: "es2022",
    // Everything is a file of our own origin: the CSP allows no data: scripts and the server caches files by hash.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    manifest: "assets.json",
  },
  test: { environment: "jsdom", include: ["tests/**/*.test.{ts,tsx}"], setupFiles: ["tests/setup.ts"], testTimeout: 15_000 },
});
