/** The sessions of the user: list them, and end one, the others or all. client.js adds these methods. */

import { nobody } from "./errors.js";

export function sessions(kernel) {
  const { base, ready, fetch, read, end } = kernel;

  async function ask(method, path) {
    if (!(await ready())) throw nobody("signed_out");
    const response = await fetch(new URL(`sessions/${path}`, base), {
      method,
      cache: "no-store",
      headers: { Accept: "application/json" },
    });
    return read(response, await response.text(), method);
  }

  return {
    sessions: () => ask("GET", ""),
    logoutOthers: () => ask("DELETE", "others/"),

    async logoutAll() {
      const answer = await ask("DELETE", "");
      end("logout_all");
      return answer;
    },

    async endSession(id) {
      await ask("DELETE", `${encodeURIComponent(id)}/`);
      if (kernel.state?.session === id) end("logout");
    },
  };
}
