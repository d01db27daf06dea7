import type { Part } from "./core.js";

/** The methods `sessions`, `logoutOthers`, `logoutAll` and `endSession`. */
export const sessions: Part;
