import type { Client, Snapshot, User } from "./client.js";

/** Return `{ status, user, session }` of a client. The component renders again after each change. */
export function useSession<U = User>(client: Pick<Client<U>, "subscribe" | "getSnapshot">): Snapshot<U>;
