/** The core of the client, for a smaller bundle. Add the parts that you need. See docs/howto/browser.md. */

import type { Client, ClientOptions, TesseraError, User } from "./client.js";

export { TesseraError };

/** A part of the client. */
export type Part = (kernel: never) => unknown;

export interface Parts {
  /** `tabs` of `drf-tessera/tabs`: one refresh for all tabs. */
  tabs?: Part;
  /** `sessions` of `drf-tessera/sessions`: the methods for the list of sessions. */
  sessions?: Part;
}

type SessionMethods = "sessions" | "logoutOthers" | "logoutAll" | "endSession";

export function createClient<U = User>(options: ClientOptions & { parts: { sessions: Part } & Parts }): Client<U>;
export function createClient<U = User>(options: ClientOptions & { parts?: Parts }): Omit<Client<U>, SessionMethods>;
