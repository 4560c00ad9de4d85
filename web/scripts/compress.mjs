//! After the build: a .br and a .gz beside every file worth compressing. The server sends whichever the browser takes; dist/precompressed.json names them.
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist", import.meta.url).pathname;
const WORTH = /\.(js|css|html|svg|json|webmanifest)$/;
/** Fonts and pictures are compressed already; below this a header costs more than it saves. */
const SMALLEST = 512;

const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && WORTH.test(entry.name) && entry.name !== "precompressed.json")
  .map((entry) => join(entry.parentPath, entry.name));

const done = [];
for (const file of files) {
  if (statSync(file).size < SMALLEST) continue;
  const bytes = readFileSync(file);
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  done.push(relative(dist, file));
}
writeFileSync(join(dist, "precompressed.json"), `${JSON.stringify(done.sort(), null, 1)}\n`);
console.log(`${done.length} files compressed (.br and .gz)`);
