/**
 * The browser client of drf-tessera: log in, call the API, refresh, log out.
 *
 * This module puts the parts together: the core, the other tabs, and the list of sessions. mistakes.js is loaded
 * only if the client and the server do not fit together. A bundle of the core alone is smaller.
 */

import { createClient as createCore } from "./core.js";
import { sessions } from "./sessions.js";
import { tabs } from "./tabs.js";

export { TesseraError } from "./core.js";

/** Return what to look at. Without the module, such as on a page that is offline, the error says less. */
const explain = (...facts) => import("./mistakes.js").then((module) => module.explain(...facts)).catch(() => {});

export function createClient(options) {
  return createCore({ ...options, parts: { tabs, sessions, explain, ...options?.parts } });
}
