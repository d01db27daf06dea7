import type { Part } from "./core.js";

/** The method `prove`, and the event `stepup`. */
export const proofs: Part;
