/** The errors of the client. The core and its parts use this module. */

/** A refusal, a mistake, or a missing answer. `code` is stable; docs/reference/errors.md lists the codes. */
export class TesseraError extends Error {
  constructor(code, detail, { cause, ...more } = {}) {
    super(detail, { cause });
    // `status` 0 means that there was no answer. `passing`: the same request may succeed in a moment.
    Object.assign(this, { name: "TesseraError", code, detail, status: 0, retryAfter: 0, passing: false, body: null }, more);
  }

  /** The wrong fields of a refused form, or `null`. */
  get fields() {
    return this.body?.fields ?? null;
  }
}

/** The reason of an abort after too long a time. */
export const LATE = new Error("The answer was late.");

/** Run an action, and abort it after so many milliseconds or when `signal` is aborted. */
export function within(milliseconds, signal, action) {
  const timer = new AbortController();
  const alarm = setTimeout(() => timer.abort(LATE), milliseconds);
  const stop = () => timer.abort();
  signal?.addEventListener("abort", stop);
  return action(timer.signal).finally(() => {
    clearTimeout(alarm);
    signal?.removeEventListener("abort", stop);
  });
}

/** Wait for a promise, or until `signal` is aborted. */
export function unlessAborted(promise, signal) {
  const aborted = new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
  });
  return Promise.race([promise, aborted]);
}

/** Return the error of a call that needs a login. */
export const nobody = (code) => new TesseraError(code, "Nobody is logged in.", { status: 401 });

/** Return the error for a server that gave no answer. */
export const miss = (cause) => new TesseraError("unavailable", "The server cannot be reached.", { passing: true, cause });
