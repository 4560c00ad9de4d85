//! The weight of the portal, as a test: `npm run budget` after a build. Prints what it measured; ends with 1 when a limit is broken.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist", import.meta.url).pathname;
if (!existsSync(join(dist, "assets.json"))) {
  console.error("there is no dist/: run `npm run build` first");
  process.exit(1);
}
const manifest = JSON.parse(readFileSync(join(dist, "assets.json"), "utf8"));
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const gzip = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;

/** A module and everything it imports statically: what must arrive before it runs. */
function closure(keys, into = new Set()) {
  for (const key of keys) {
    const chunk = manifest[key];
    if (!chunk || into.has(chunk.file)) continue;
    into.add(chunk.file);
    closure(chunk.imports ?? [], into);
  }
  return into;
}
const weight = (files) => [...files].filter((file) => file.endsWith(".js")).reduce((sum, file) => sum + gzip(file), 0);
// Everything the start page runs: the entry holds the shell and the start page. (The words are JSON, beside it.)
const initial = closure(["index.html"]);
// What the first answer adds: the conversation page is code of ours, the rest is Markdown.
const conversation = closure(["src/pages/chat/conversation.tsx"], new Set(initial));
const markdown = closure(["src/markdown/markdown.tsx"], new Set(conversation));
const chinese = closure(["src/markdown/cjk.ts"], new Set(markdown));

const all = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
// As embedded: the binary holds every file gzipped (crates/web-assets).
const embedded = all.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);

const limits = [
  ["initial JavaScript, gzip", weight(initial), 130_000],
  ["Markdown on the first answer, gzip", weight(chinese) - weight(conversation), 160_000],
  ["dist as embedded, gzip", embedded, 6_000_000],
];
let broken = false;
for (const [name, measured, limit] of limits) {
  const ok = measured <= limit;
  broken ||= !ok;
  console.log(`${ok ? "ok  " : "OVER"}  ${name}: ${kB(measured)} of ${kB(limit)}`);
}
console.log(`      of which the conversation page adds ${kB(weight(conversation) - weight(initial))}, CJK rules ${kB(weight(chinese) - weight(markdown))}`);

/** Addresses that stand in the code as names (XML namespaces, documentation in messages), never loaded. */
const NAMES = /^https?:\/\/(www\.w3\.org|www\.inkscape\.org|xml\.apache\.org|purl\.org|creativecommons\.org)\//;
/** How a browser would be told to load something: these must not stand next to another origin. */
const LOADS = /(?:src|href|action|url|import|fetch|WebSocket|importScripts|sendBeacon|@import)\s*[=(:]*\s*["'(]*\s*((?:https?:)?\/\/[a-z0-9][\w.-]+\.[a-z]{2,}[^\s"')]*)/gi;
const foreign = [];
for (const file of all.filter((name) => /\.(html|css|js|svg|webmanifest)$/.test(name))) {
  const text = readFileSync(file, "utf8");
  for (const match of text.matchAll(LOADS)) if (!NAMES.test(match[1])) foreign.push(`${relative(dist, file)}: ${match[0].slice(0, 120)}`);
}
for (const line of foreign) console.log(`note  names another origin: ${line}`);
for (const file of all.filter((name) => /\.(html|css|webmanifest)$/.test(name))) {
  if (/(?:src|href)=["']https?:|url\(["']?(?:https?:)?\/\//i.test(readFileSync(file, "utf8"))) {
    console.log(`OVER  ${relative(dist, file)} loads from another origin`);
    broken = true;
  }
}
process.exit(broken ? 1 : 0);
