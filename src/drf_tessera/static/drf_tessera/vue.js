/** Vue: a ref that follows the client. */

import { onScopeDispose, shallowRef } from "vue";

/** Return a ref of `{ status, user, session }` of a client. */
export function useSession(client) {
  const session = shallowRef(client.getSnapshot());
  onScopeDispose(client.subscribe((snapshot) => (session.value = snapshot)));
  return session;
}
