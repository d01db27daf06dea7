/** The sessions of the user: list them, and end one, the others or all. client.js adds these methods. */

export function sessions({ base, getState, ready, fetchWithToken, read, end, TesseraError }) {
  async function ask(method, path) {
    if (!(await ready())) throw new TesseraError("signed_out", "Nobody is logged in.", { status: 401 });
    const headers = { Accept: "application/json" };
    const response = await fetchWithToken(new URL(path, base).href, { method, headers, cache: "no-store" });
    return read(response, await response.text(), method);
  }

  return {
    sessions: () => ask("GET", "sessions/"),
    logoutOthers: () => ask("DELETE", "sessions/others/"),

    async logoutAll() {
      const answer = await ask("DELETE", "sessions/");
      end("logout_all");
      return answer;
    },

    async endSession(id) {
      await ask("DELETE", `sessions/${encodeURIComponent(id)}/`);
      if (getState()?.session === id) end("logout");
    },
  };
}
