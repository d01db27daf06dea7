// Copies the client into the package. Django's staticfiles serve the same source files.
import { copyFileSync } from "node:fs";

for (const file of ["client.js", "client.d.ts", "mistakes.js"]) {
  const source = new URL(`../src/drf_tessera/static/drf_tessera/${file}`, import.meta.url);
  copyFileSync(source, new URL(file, import.meta.url));
}
