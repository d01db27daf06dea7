/**
 * Mistakes in the configuration: distinguish them from temporary failures, and say what to look at. client.js uses
 * this part. The explanations are in mistakes.js, which is loaded only if something may be wrong.
 */

// No trouble that passes, even if the endpoints have answered before. The 404 of a session is one of their answers.
const MISPLACED = /404(?!session)|4[01]5/;
const NAMELESS = /^(unavailable|misconfigured)$/; // the codes of answers that have none

export function checks(kernel, load = () => import("./mistakes.js")) {
  const { world, base, page, sameOrigin, mayExist } = kernel;
  const send = world.fetch;
  kernel.proven = false; // whether the token endpoints have answered

  /** Call a function of the module. Return `error` if the module cannot be loaded, such as on a page that is offline. */
  const ask = (name, error, ...facts) =>
    load().then(
      (mistakes) => mistakes[name](error, kernel, send, ...facts),
      () => error,
    );

  if (!world.location) world.fetch = async (...request) => (await ask("page", page, ...request), send(...request));

  /** Return the error for an answer of the token endpoints, or for no answer. */
  async function review(error, url, method = "POST", type = "") {
    const { code, cause, status } = error;
    if (cause?.code === "misconfigured") return cause;
    if (cause) return kernel.proven || sameOrigin ? error : ask("silence", error, url);
    const isMisplaced = MISPLACED.test(status + code);
    const isNameless = NAMELESS.test(code);
    if (!isMisplaced && (error.passing || !isNameless)) {
      kernel.proven ||= !isNameless;
      return error;
    }
    error.detail = error.message = `${method} ${url || base.href}: ${status || 200} ${type}`;
    error.passing = kernel.proven && !isMisplaced; // such as the page of a hotel's network
    error.code = error.passing ? "unavailable" : "misconfigured";
    return error.passing ? error : ask("answer", error);
  }

  /** Throw if the browser has not kept the cookies of a login. */
  const check = async (grant) => mayExist() || ask("cookie", null, grant);

  return { review, check };
}
