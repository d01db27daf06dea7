import type { Part } from "./core.js";

/** Distinguish mistakes in the configuration from temporary failures, and explain them. */
export const checks: Part;
