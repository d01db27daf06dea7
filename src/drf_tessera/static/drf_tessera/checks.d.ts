import type { Part } from "./core.js";

/** Tell mistakes in the configuration from bad weather, and explain them. */
export const checks: Part;
