import type { Part } from "./core.js";

/** One refresh for all tabs. */
export const tabs: Part;
