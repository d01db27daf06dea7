/**
 * Step-up (RFC 9470): a view wants a recent or a certain proof, and the session gets one. client.js loads this part when a
 * view asks for a proof for the first time.
 */

import { nobody, TesseraError } from "./errors.js";

/** Return the part. A client has one. */
export const proofs = (kernel) => (kernel.proofs ??= create(kernel));

function create(kernel) {
  const { world, emit, ready, exchange, conclude } = kernel;
  const asking = new Map(); // demands that a person answers at the moment: one question for all requests
  let proved = 0; // the count of grants after the last proof

  /** Exchange the proof for tokens with it. A refresh waits until then, because its tokens would have the old proof. */
  async function prove(proof, path = "prove/") {
    if (!kernel.state && !(await ready())) throw nobody("signed_out");
    const mine = send(proof, path, kernel.state.tag, Promise.allSettled([kernel.proving, kernel.flight]));
    kernel.proving = mine.catch(() => {});
    await mine;
    return kernel.state?.user ?? null;
  }

  async function send(proof, path, tag, before) {
    await before;
    let isSent = false;
    const work = () => {
      isSent = true;
      // The proof of one user is never sent for the next user.
      if (kernel.state?.tag !== tag) throw new TesseraError("superseded", "Somebody logged in or out meanwhile.");
      return exchange(path, { ...proof });
    };
    try {
      // A refresh of another tab ends the wait for the lock. Nothing was proved then.
      while (!isSent) await kernel.run(new AbortController().signal, kernel.grants, work);
    } catch (error) {
      throw conclude(error);
    }
    proved = kernel.grants;
  }

  /**
   * Return whether there was a proof, after the 401 of a request with the token of the grant `held`. The listener may
   * have made a request that began while a person was `asked`, and wait for it. So such a request waits for nobody.
   */
  async function stepUp(held, reason, asked) {
    if (!held || kernel.state?.tag !== held.tag) return false;
    const demand = readDemand(reason);
    const key = JSON.stringify(demand);
    if (held.number >= proved && !(asked && asking.size)) {
      if (!asking.has(key)) asking.set(key, ask(demand, [...asking.values()]).finally(() => asking.delete(key)));
      await asking.get(key);
    }
    return held.number < proved;
  }

  /** Raise the event, and wait for its listeners. Different demands are asked for one after the other. */
  async function ask(demand, others) {
    await Promise.all(others);
    for (const { status, reason } of await Promise.allSettled(emit("stepup", demand))) {
      if (status === "rejected") world.reportError(reason);
    }
  }

  Object.defineProperty(kernel, "asked", { get: () => asking.size > 0 });
  return { prove, stepUp };
}

/** Return what the view wants. A page of another origin may know only the code of the error, and not the challenge. */
function readDemand(reason) {
  const maxAge = /max_age="?(\d+)/.exec(reason)?.[1];
  const values = /acr_values="([^"]*)"/.exec(reason)?.[1];
  return { maxAge: maxAge ? Number(maxAge) : null, acrValues: values?.split(" ") ?? [] };
}
