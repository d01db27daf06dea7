// Prints the size of bundles with the client, minified and compressed, and fails if one is above its limit.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

const LIMITS = { "core.js": 4000, "client.js": 6100 };
const folder = fileURLToPath(new URL("../src/drf_tessera/static/drf_tessera/", import.meta.url));

for (const [file, limit] of Object.entries(LIMITS)) {
  const { outputFiles } = buildSync({
    entryPoints: [folder + file],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: ["./mistakes.js", "./proofs.js"], // chunks of their own, which are loaded only if they are needed
    write: false,
  });
  const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  console.log(`${file}: ${size} bytes, minified and compressed (limit ${limit})`);
  if (size > limit) process.exitCode = 1;
}
