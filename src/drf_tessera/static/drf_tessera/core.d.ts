/** The core of the client, for a smaller bundle. Add the parts that you need. See docs/howto/front-ends.md. */

import type { Client, ClientOptions, TesseraError, User } from "./client.js";

export { TesseraError };

/** A part of the client. */
export type Part = (kernel: never) => unknown;

export interface Parts {
  /** `tabs` of `drf-tessera/tabs`: one refresh for all tabs. */
  tabs?: Part;
  /** `retries` of `drf-tessera/retries`: try again after a temporary failure, and leave a slow server alone. */
  retries?: Part;
  /** `checks` of `drf-tessera/checks`: explain mistakes in the configuration. */
  checks?: Part;
  /** `sessions` of `drf-tessera/sessions`: the methods for the list of sessions. */
  sessions?: Part;
  /** `proofs` of `drf-tessera/proofs`: `prove`, and the event `stepup`. */
  proofs?: Part;
}

type SessionMethods = "sessions" | "logoutOthers" | "logoutAll" | "endSession";
type Options<P> = ClientOptions & { parts: P & Parts };

export function createClient<U = User>(options: Options<{ sessions: Part; proofs: Part }>): Client<U>;
export function createClient<U = User>(options: Options<{ sessions: Part }>): Omit<Client<U>, "prove">;
export function createClient<U = User>(options: Options<{ proofs: Part }>): Omit<Client<U>, SessionMethods>;
export function createClient<U = User>(
  options: ClientOptions & { parts?: Parts },
): Omit<Client<U>, SessionMethods | "prove">;
