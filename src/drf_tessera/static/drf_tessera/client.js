/**
 * The browser client of drf-tessera: log in, call the API, refresh, log out.
 *
 * This module puts the parts together: the core, the other tabs, trying again, checks for mistakes, the list of sessions,
 * and Django's CSRF token. mistakes.js and proofs.js are loaded only if they are needed. A bundle of the core alone is smaller.
 */

import { miss, TesseraError } from "./errors.js";
import { tabs } from "./tabs.js";
import { checks } from "./checks.js";
import { createClient as createCore } from "./core.js";
import { retries } from "./retries.js";
import { sessions } from "./sessions.js";

export { TesseraError };

/** The part for step-up, which is loaded when a view asks for a proof, or when the page sends one. */
function proofs(kernel) {
  const load = () =>
    import("./proofs.js").then(
      (module) => module.proofs(kernel),
      (cause) => {
        throw miss(cause);
      },
    );
  return {
    prove: async (...proof) => (await load()).prove(...proof),
    stepUp: async (...found) => found[1].includes("insufficient_user") && (await load()).stepUp(...found),
  };
}

export function createClient({ csrfCookie = "csrftoken", ...options } = {}) {
  if (!options.baseUrl || !/^(cookie|header|undefined)$/.test(options.transport)) {
    throw new TypeError('Give a baseUrl, and transport "cookie" or "header".');
  }

  /** Return Django's CSRF token, for browsers that send neither Origin nor Sec-Fetch-Site. */
  const csrf = ({ world }) => () => {
    const found = `; ${world.cookies()}`.split(`; ${csrfCookie}=`)[1];
    return found && { "X-CSRFToken": found.split(";")[0] }; // it has letters and digits only
  };
  return createCore({ ...options, parts: { tabs, retries, checks, sessions, proofs, csrf, ...options.parts } });
}
