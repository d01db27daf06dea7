/** React: a component renders again when somebody logs in or out. */

import { useSyncExternalStore } from "react";

const UNKNOWN = { status: "unknown", user: null, session: null };
const getServerSnapshot = () => UNKNOWN; // a server does not know the browser's session

/** Return `{ status, user, session }` of a client. */
export function useSession(client) {
  return useSyncExternalStore(client.subscribe, client.getSnapshot, getServerSnapshot);
}
