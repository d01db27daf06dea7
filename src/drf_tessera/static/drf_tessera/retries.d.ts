import type { Part } from "./core.js";

/** Try again after a temporary failure, for `patience` at most, and leave a slow server alone. */
export const retries: Part;
