// Prints the size of the client for a page that loads it, and fails above the limit.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { transformSync } from "esbuild";

const LIMIT = 8 * 1024;
const source = readFileSync(new URL("../src/drf_tessera/static/drf_tessera/client.js", import.meta.url), "utf8");
const { code } = transformSync(source, { minify: true, format: "esm", target: "es2022" });
const size = gzipSync(code, { level: 9 }).length;
console.log(`client.js: ${source.length} bytes, ${code.length} minified, ${size} minified and compressed (limit ${LIMIT})`);
process.exitCode = size > LIMIT ? 1 : 0;
