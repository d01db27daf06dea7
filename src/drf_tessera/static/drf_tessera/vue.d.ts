import type { ShallowRef } from "vue";
import type { Client, Snapshot, User } from "./client.js";

/** Return a ref of `{ status, user, session }` of a client, until the scope of the component ends. */
export function useSession<U = User>(client: Pick<Client<U>, "subscribe" | "getSnapshot">): Readonly<ShallowRef<Snapshot<U>>>;
