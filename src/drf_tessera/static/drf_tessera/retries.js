/** Temporary failures: try again, for `patience` at most, and leave a slow server alone. client.js uses this part. */

import { LATE, miss, unlessAborted, within } from "./errors.js";

const LONGEST_WAIT = 60; // seconds; a longer wait that a server asks for is cut to this
const LONGEST_BREAK = 300_000; // milliseconds for which a client leaves a slow server alone

export function retries(kernel) {
  const { world, grace, patience, sleepers } = kernel;
  let waiting = 0; // how many calls wait for the refresh; with none the refresh gives up
  let trouble = null; // the last error of the current refresh
  let lates = 0; // refreshes in a row that took too long
  let openUntil = 0; // the client leaves the slow server alone until then
  sleepers.add(() => (lates = 0));
  const close = whenOnline(world, () => (openUntil = 0));

  /** Repeat an action after each passing trouble, if `again` returns true after a wait. */
  async function loop(action, signal, again) {
    for (let number = 0; ; number += 1) {
      try {
        return await action(signal);
      } catch (error) {
        // Wait longer each time, and for a random time, so that clients do not return all at once.
        const random = Math.min(30_000, 500 * 2 ** number) * (world.random ?? Math.random)();
        const rest = Math.max(50, random, Math.min(error.retryAfter, LONGEST_WAIT) * 1000);
        if (!error.passing || !(await again(error, rest))) throw error;
      }
    }
  }

  /** Refresh until this page has a new grant, its own or another tab's, or until no call waits. */
  async function persist(attempt, signal) {
    if (world.monotonic() < openUntil) throw trouble;
    trouble = null;
    return loop(attempt, signal, async (error, rest) => {
      trouble = error;
      if (!waiting || isTooSlow(error)) return false;
      await pause(kernel, rest, signal);
      return true; // also after an abort: the attempt tells the reason
    });
  }

  /**
   * Return whether the client now leaves the server alone for a while. Two refreshes in a row took too long. Each
   * further one would be one more lost answer for the server, and too many of them end the session.
   */
  function isTooSlow(error) {
    lates = error.cause === LATE ? lates + 1 : 0;
    if (lates < 2) return false;
    const rest = Math.min(grace * 1000 * 2 ** (lates - 2), LONGEST_BREAK);
    openUntil = world.monotonic() + rest;
    error.retryAfter = rest / 1000;
    return true;
  }

  /** Wait for the refresh, but for `patience` at most, so that an app can show that it is offline. */
  async function wait(fly) {
    waiting += 1;
    try {
      await within(patience * 1000, null, (signal) => unlessAborted(fly(), signal));
    } catch (error) {
      throw error === LATE ? (trouble ?? miss()) : error;
    } finally {
      waiting -= 1;
    }
  }

  /** Repeat an action until it succeeds, for `patience` at most. */
  async function insist(action, signal) {
    const end = world.monotonic() + patience * 1000;
    return loop(action, signal, async (_, rest) => {
      if (signal.aborted || world.monotonic() + rest > end) return false;
      await pause(kernel, rest, signal);
      return !signal.aborted;
    });
  }

  return { persist, wait, insist, close };
}

/** Wait, but not longer than until there is a grant, a network, an abort, or until `event` happens. */
export function pause({ world, sleepers }, milliseconds, signal, event) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(alarm);
      signal.removeEventListener("abort", wake);
      off();
      sleepers.delete(wake);
      resolve();
    };
    const alarm = setTimeout(wake, milliseconds);
    const off = whenOnline(world, wake);
    signal.addEventListener("abort", wake);
    sleepers.add(wake);
    event?.then(wake, wake);
  });
}

/** Call a listener each time the network comes back. Return a function that removes the listener. */
function whenOnline(
  {
    onOnline = (wake) => globalThis.addEventListener?.("online", wake),
    offOnline = (wake) => globalThis.removeEventListener?.("online", wake),
  },
  listener,
) {
  onOnline(listener);
  return () => offOnline(listener);
}
