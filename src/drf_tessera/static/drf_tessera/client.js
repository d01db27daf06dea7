/**
 * The browser client of drf-tessera: log in, call the API, refresh, log out.
 *
 * This is one module without dependencies. Tokens are only in memory. They are never in localStorage,
 * sessionStorage or IndexedDB, because every script of the page could read them there. With the transport
 * "cookie" (the default) the refresh token is in a cookie that no script can read. A reload uses the cookie
 * to get a new access token, and tabs share one refresh. With "header" the refresh token is in this page's
 * memory, and a reload logs out.
 *
 * The client refreshes only when the page needs a token. No timer keeps a forgotten page logged in.
 */

/** A refusal, or a missing answer. `code` is stable; docs/reference/errors.md lists the server's codes. */
export class TesseraError extends Error {
  constructor(code, detail, { status = 0, retryAfter = 0, passing = false, body = null, cause } = {}) {
    super(detail, { cause });
    this.name = "TesseraError";
    this.code = code;
    this.detail = detail;
    /** The HTTP status. 0 means that there was no answer. */
    this.status = status;
    /** How many seconds the server asks the client to wait. */
    this.retryAfter = retryAfter;
    /** Whether the same request may succeed in a moment. */
    this.passing = passing;
    /** The body of the answer, such as the fields of a refused form, or `null`. */
    this.body = body;
  }
}

const UNAVAILABLE = "unavailable";
const SUPERSEDED = "superseded";
// The server's codes for an ended session. Another 401 may come from a gateway that knows nothing about sessions.
const REFUSAL = /^(refresh_|session_|user_|transport_mismatch$)/;
const LONGEST_WAIT = 60; // seconds; a longer wait that a server asks for is cut to this
const MARGIN = 10; // seconds; a token is not sent so shortly before its end, if it lives long enough
// Milliseconds. A broadcast may arrive after its sender has released the lock. Therefore a tab keeps the lock
// for a moment (LINGER) after its broadcast, and the next tab waits for a broadcast. It waits for NEWS if it saw
// another tab hold the lock, because then a broadcast must come, and otherwise for BEAT.
const LINGER = 50;
const NEWS = 250;
const BEAT = 25;

export function createClient({
  baseUrl,
  transport = "cookie",
  grace = 30,
  patience = 20,
  headerName = "Authorization",
  headerPrefix = "Bearer",
  csrfCookie = "csrftoken",
  origins = [],
  environment = {},
} = {}) {
  if (!baseUrl) throw new TypeError('createClient needs a baseUrl, such as "/api/token/".');
  if (transport !== "cookie" && transport !== "header") {
    throw new TypeError(`transport must be "cookie" or "header", not ${JSON.stringify(transport)}.`);
  }
  const world = { ...readEnvironment(), ...environment };
  const base = new URL(baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`, world.location.href);
  const allowed = new Set([base, ...origins].map((address) => new URL(address).origin));
  const name = `tessera:${base.href}`;
  const byCookie = transport === "cookie";
  // The server forgives a late answer within `grace`. A request that takes longer than half of it is repeated.
  const slow = (grace * 1000) / 2 || 10_000;
  const listeners = new Map();
  const ended = new Set(); // sessions that have ended; later answers for them are ignored

  /** { access, refresh, session, user, number, born, bornWall, lifetime }, or null if nobody is logged in. */
  let state = null;
  let grants = 0; // counts the grants, so that two grants can be ordered without a clock
  let epoch = 0; // changes at each login and logout; an action of an older epoch is dropped
  let flight = null; // the only refresh of this page: { promise, stop }
  let waiting = 0; // how many calls wait for the refresh; with none the refresh gives up
  let trouble = null; // the last error of the current refresh
  let restoring = null;
  let news = () => {};
  let leaving = null; // stops a logout that has not reached the server yet
  let unheard = null; // the session that such a logout must end: { refresh, session }

  const channel = byCookie && world.BroadcastChannel ? new world.BroadcastChannel(name) : null;
  channel?.unref?.(); // in Node an open channel would keep the process alive
  if (channel) channel.onmessage = ({ data }) => hear(data);

  // -- Events ------------------------------------------------------------------------------------

  function on(event, listener) {
    if (!listeners.has(event)) listeners.set(event, new Set());
    listeners.get(event).add(listener);
    return () => listeners.get(event).delete(listener);
  }

  function emit(event, detail) {
    for (const listener of listeners.get(event) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        world.reportError(error); // an error of a listener must not stop the client
      }
    }
  }

  function tell(message) {
    channel?.postMessage(message);
  }

  function hear(message) {
    if (message.type === "ended") {
      ended.add(message.session);
      if (state?.session === message.session) forget(message.reason);
    } else if (message.type === "grant" && !ended.has(message.grant.session)) {
      const grant = message.grant;
      leaving?.abort(); // as in login(): the cookie belongs to another session now
      if (state && state.session !== grant.session) replace(); // the cookie belongs to another login now
      take(grant, message.age);
    }
  }

  // -- The state ---------------------------------------------------------------------------------

  /** Store the grant of a login or a refresh. `age` is the time since the request, in milliseconds. */
  function take(grant, age) {
    const before = state?.session === grant.session ? state : null;
    state = {
      access: grant.access ?? null, // without it, the access token is in a cookie
      // Within the grace window nothing was rotated: keep the refresh token that this page has.
      refresh: (grant.rotated === false ? before?.refresh : grant.refresh) ?? before?.refresh ?? null,
      session: grant.session,
      user: grant.user ?? before?.user ?? null,
      number: ++grants,
      born: world.monotonic() - age,
      bornWall: world.wall() - age,
      lifetime: grant.expires_in * 1000,
    };
    news();
    emit(before ? "refreshed" : "signedin", describe());
  }

  /** Send the grant to the other tabs, before this tab releases the lock. */
  function share(grant, age) {
    const { refresh, ...rest } = grant; // eslint-disable-line no-unused-vars
    tell({ type: "grant", grant: { ...rest, user: state.user ?? undefined }, age });
  }

  function describe() {
    return { user: state.user, session: state.session, expiresIn: Math.max(0, left() / 1000) };
  }

  /**
   * Return the remaining milliseconds of the access token. Use its lifetime and not its date, because this
   * clock may be wrong. Use the later of two clocks, because one clock stops while a laptop sleeps, and the
   * other clock can be set back.
   */
  function left() {
    return state.lifetime - Math.max(world.monotonic() - state.born, world.wall() - state.bornWall);
  }

  function isFresh() {
    return left() > Math.min(MARGIN * 1000, state.lifetime / 5);
  }

  function restart() {
    epoch += 1;
    flight?.stop();
    flight = null;
  }

  /** Drop the current login, so that another login can take its place. */
  function replace() {
    if (state) ended.add(state.session);
    restart();
    state = null;
  }

  function forget(reason) {
    const was = state;
    if (was) restoring = null;
    replace();
    if (was) emit("signedout", { reason, user: was.user, session: was.session });
  }

  function end(reason) {
    const session = state?.session;
    forget(reason);
    if (session) tell({ type: "ended", session, reason });
  }

  // -- Talking to the token endpoints ------------------------------------------------------------

  async function call(method, path, body, { signal, keepalive = false } = {}) {
    const headers = { Accept: "application/json", "Content-Type": "application/json" };
    const csrf = byCookie && base.origin === world.location.origin && readCookie(world.cookies(), csrfCookie);
    if (csrf) headers["X-CSRFToken"] = csrf; // for browsers that send neither Origin nor Sec-Fetch-Site
    let response, text;
    try {
      response = await world.fetch(new URL(path, base).href, {
        method,
        headers,
        body: JSON.stringify(body),
        credentials: byCookie ? "include" : "omit",
        cache: "no-store",
        keepalive, // the browser still sends a logout after the page is closed
        signal,
      });
      text = await response.text();
    } catch (cause) {
      throw new TesseraError(UNAVAILABLE, "The server cannot be reached.", { passing: true, cause });
    }
    return readAnswer(response, text);
  }

  async function askForGrant(path, body, signal) {
    const grant = await call("POST", path, body, { signal });
    if (typeof grant?.session === "string" && grant.expires_in > 0) return grant;
    throw new TesseraError(UNAVAILABLE, "The answer does not come from the token endpoints.", { passing: true });
  }

  async function exchange(signal, withUser) {
    const asked = world.monotonic();
    const body = byCookie ? {} : { refresh: state.refresh };
    if (withUser) body.with_user = true;
    return [await within(slow, signal, (either) => askForGrant("refresh/", body, either)), asked];
  }

  /** Run an action, and abort it after so many milliseconds or when `signal` is aborted. */
  async function within(milliseconds, signal, action) {
    const timer = new AbortController();
    const stop = () => timer.abort();
    const alarm = setTimeout(stop, milliseconds);
    signal?.addEventListener("abort", stop);
    try {
      return await action(timer.signal);
    } finally {
      clearTimeout(alarm);
      signal?.removeEventListener("abort", stop);
    }
  }

  // -- Refresh -----------------------------------------------------------------------------------

  /** Return the current refresh, or start a refresh if none is in progress. */
  function fly() {
    if (flight) return flight.promise;
    const controller = new AbortController();
    const mine = { stop: () => controller.abort() };
    mine.promise = persist(controller.signal).finally(() => {
      if (flight === mine) flight = null;
    });
    mine.promise.catch(() => {}); // the waiting calls get this error themselves
    flight = mine;
    return mine.promise;
  }

  /** Try until the server accepts or refuses, or until no call waits. */
  async function persist(signal) {
    const [begun, seen] = [epoch, state?.number ?? 0];
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await withLock(signal, (contended) => renew(signal, begun, seen, contended));
      } catch (error) {
        if (epoch !== begun) throw new TesseraError(SUPERSEDED, "Somebody logged in or out meanwhile.");
        if (!error.passing) throw conclude(error);
        if (!waiting) throw error;
        trouble = error;
        await pause(backOff(attempt, error), signal);
      }
    }
  }

  /** Return the milliseconds to wait: longer each time, and random, so that clients do not return all at once. */
  function backOff(attempt, error) {
    return Math.max(50, Math.min(30_000, 500 * 2 ** attempt) * world.random(), Math.min(error.retryAfter, LONGEST_WAIT) * 1000);
  }

  async function renew(signal, begun, seen, contended) {
    if (channel) await hearNews(seen, contended ? NEWS : BEAT);
    if (epoch !== begun) throw new TesseraError(SUPERSEDED, "Somebody logged in or out meanwhile.");
    if ((state?.number ?? 0) !== seen) return; // another tab has refreshed
    let [grant, asked] = await exchange(signal, !state?.user);
    if (epoch === begun && state && grant.session !== state.session) {
      [grant, asked] = await exchange(signal, true); // the cookie belongs to another login: ask for its user
    }
    if (epoch !== begun) throw new TesseraError(SUPERSEDED, "Somebody logged in or out meanwhile.");
    if (ended.has(grant.session)) throw new TesseraError("session_ended", "You have logged out.", { status: 401 });
    const age = world.monotonic() - asked;
    take(grant, age);
    share(grant, age);
  }

  /** Sign out after a definite refusal. Another error, such as a CSRF failure (403), changes nothing. */
  function conclude(error) {
    if (error.status === 401 && REFUSAL.test(error.code)) end(error.code);
    return error;
  }

  /** Run an action under the lock of all tabs. The argument of the action is whether another tab held the lock. */
  function withLock(signal, action) {
    if (!byCookie || !world.locks) return action(false);
    return new Promise((resolve, reject) => {
      const act = async (contended) => {
        resolve(await action(contended));
        if (channel) await new Promise((after) => setTimeout(after, LINGER));
      };
      let taken = false;
      const first = (lock) => (lock ? ((taken = true), act(false)) : undefined);
      world.locks
        .request(name, { ifAvailable: true }, first)
        .then(() => taken || world.locks.request(name, { signal }, () => act(true)))
        .catch(reject);
    });
  }

  /** Wait for a broadcast that another tab sent before it released the lock. */
  function hearNews(seen, milliseconds) {
    if ((state?.number ?? 0) !== seen) return undefined;
    return new Promise((resolve) => {
      const alarm = setTimeout(resolve, milliseconds);
      news = () => {
        clearTimeout(alarm);
        resolve();
      };
    });
  }

  function pause(milliseconds, signal) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(alarm);
        signal.removeEventListener("abort", wake);
        world.offOnline(wake);
        resolve();
      };
      const alarm = setTimeout(wake, milliseconds);
      signal.addEventListener("abort", wake);
      world.onOnline(wake);
    });
  }

  /** Wait for the refresh, but for `patience` at most, so that an app can show that it is offline. */
  async function refresh() {
    if (!state && !byCookie) throw new TesseraError("signed_out", "Nobody is logged in.", { status: 401 });
    const begun = epoch;
    let alarm;
    trouble = null;
    waiting += 1;
    try {
      const late = new Promise((_, reject) => {
        const silence = new TesseraError(UNAVAILABLE, "The server does not answer.", { passing: true });
        alarm = setTimeout(() => reject(trouble ?? silence), patience * 1000);
      });
      await Promise.race([fly(), late]);
    } catch (error) {
      // A login in another tab is not a failure, because this tab then has the new login's grant.
      if (error.code !== SUPERSEDED || epoch === begun || !state) throw error;
    } finally {
      clearTimeout(alarm);
      waiting -= 1;
    }
  }

  function restore() {
    if (state || !byCookie) return Promise.resolve(state !== null);
    restoring ??= refresh()
      .then(() => state !== null)
      .catch((error) => {
        if (error.status === 401) return false; // nobody is logged in
        restoring = null;
        throw error;
      });
    return restoring;
  }

  /** Return the state, with a token that is valid long enough for a request; null if nobody is logged in. */
  async function ready() {
    if (!state && byCookie && !ended.size) await restore();
    if (state && !isFresh()) await refresh();
    return state;
  }

  // -- For the page ------------------------------------------------------------------------------

  async function login(credentials) {
    const asked = world.monotonic();
    const body = { ...credentials, transport };
    leaving?.abort(); // a logout that is still being tried would end the new session
    const grant = await within(patience * 1000, null, (signal) => askForGrant("", body, signal));
    replace();
    const age = world.monotonic() - asked;
    take(grant, age);
    share(grant, age);
    return state.user;
  }

  async function logout() {
    if (state) unheard = { refresh: state.refresh, session: state.session };
    const mine = unheard;
    end("logout");
    restoring = Promise.resolve(false);
    if (!byCookie && !mine) return { revoked: false };
    const controller = (leaving = new AbortController());
    // Name the session, because the cookie may belong to another login when this request arrives.
    const body = byCookie ? { session: mine?.session } : { refresh: mine.refresh };
    const answer = await insist(
      (signal) => call("POST", "revoke/", body, { signal, keepalive: true }),
      controller.signal,
    );
    if (unheard === mine) unheard = null;
    return answer;
  }

  /** Repeat an action until it succeeds, for `patience` at most. */
  async function insist(action, signal) {
    const begun = world.monotonic();
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await within(slow, signal, action);
      } catch (error) {
        const wait = backOff(attempt, error);
        const late = world.monotonic() - begun + wait > patience * 1000;
        if (!error.passing || late || signal.aborted) throw error;
        await pause(wait, signal);
        if (signal.aborted) throw error;
      }
    }
  }

  async function authorized(method, path) {
    const held = await ready();
    if (!held) throw new TesseraError("signed_out", "Nobody is logged in.", { status: 401 });
    const response = await fetchWithToken(new URL(path, base).href, {
      method,
      headers: { Accept: "application/json" },
      cache: "no-store",
    });
    return readAnswer(response, await response.text());
  }

  async function logoutAll() {
    const answer = await authorized("DELETE", "sessions/");
    end("logout_all");
    restoring = Promise.resolve(false);
    return answer;
  }

  async function endSession(id) {
    await authorized("DELETE", `sessions/${encodeURIComponent(id)}/`);
    if (state?.session === id) end("logout");
  }

  async function fetchWithToken(input, init) {
    const given = input instanceof Request ? input : null;
    const url = new URL(given?.url ?? input, world.location.href);
    const headers = new Headers(init?.headers ?? given?.headers);
    if (!allowed.has(url.origin) || headers.has(headerName)) return world.fetch(input, init);
    const signal = init?.signal ?? given?.signal;
    const asking = state?.session;
    const held = await unlessAborted(ready(), signal);
    if (asking && held && held.session !== asking) {
      // Never send a request of one user with the token of the next user.
      throw new TesseraError(SUPERSEDED, "Somebody logged in or out meanwhile.");
    }
    if (!held) return world.fetch(input, init);
    const request = new Request(given ?? url, init);
    const spare = request.clone();
    const response = await world.fetch(dress(request, held));
    if (response.status !== 401 || !state) return response;
    if (state.number === held.number) {
      try {
        await unlessAborted(refresh(), signal);
      } catch (error) {
        if (error.passing || signal?.aborted) throw error;
        return response;
      }
    }
    // Repeat only in the same session, because another user may have logged in meanwhile.
    return state?.session === held.session ? world.fetch(dress(spare, state)) : response;
  }

  function dress(request, held) {
    if (!held.access) {
      return new URL(request.url).origin === world.location.origin
        ? request
        : new Request(request, { credentials: "include" });
    }
    const headers = new Headers(request.headers);
    headers.set(headerName, `${headerPrefix} ${held.access}`);
    return new Request(request, { headers });
  }

  return {
    login,
    logout,
    logoutAll,
    logoutOthers: () => authorized("DELETE", "sessions/others/"),
    sessions: () => authorized("GET", "sessions/"),
    endSession,
    refresh,
    restore,
    fetch: fetchWithToken,
    token: async () => (await ready())?.access ?? null,
    on,
    close() {
      restart();
      leaving?.abort();
      channel?.close();
      listeners.clear();
    },
    get user() {
      return state?.user ?? null;
    },
    get session() {
      return state?.session ?? null;
    },
    get signedIn() {
      return state !== null;
    },
    get expiresIn() {
      return state ? Math.max(0, left() / 1000) : 0;
    },
  };
}

/** Wait for a promise, or until `signal` is aborted. */
function unlessAborted(promise, signal) {
  if (!signal) return promise;
  let stop;
  const aborted = new Promise((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop);
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", stop));
}

function readAnswer(response, text) {
  let body = null;
  let readable = true;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    readable = false; // the page of a proxy, or a truncated answer
  }
  if (response.ok && readable) return body;
  const { status } = response;
  const code = find(body, "code") ?? UNAVAILABLE;
  const detail = find(body, "detail") ?? find(body, "message") ?? `The server answered ${status}.`;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  // A 401 without a code comes from another server, such as a proxy, and is not about the session.
  const passing = status >= 500 || status === 429 || code === UNAVAILABLE;
  throw new TesseraError(code, detail, { status, retryAfter, passing, body });
}

/** The first text with this name. An exception handler of the project may put it into a part of the body. */
function find(body, name, depth = 4) {
  if (typeof body?.[name] === "string") return body[name];
  if (typeof body !== "object" || !depth) return undefined;
  for (const part of Object.values(body ?? {})) {
    const found = find(part, name, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function readCookie(cookies, name) {
  const found = cookies.split("; ").find((pair) => pair.startsWith(`${name}=`));
  try {
    return found && decodeURIComponent(found.slice(name.length + 1));
  } catch {
    return undefined; // any subdomain can plant a malformed value such as "%", which must not block the user
  }
}

/** Return the functions of the browser, or their replacements outside a browser. */
function readEnvironment() {
  const { document, navigator, location } = globalThis;
  return {
    fetch: (...request) => globalThis.fetch(...request),
    locks: navigator?.locks,
    BroadcastChannel: globalThis.BroadcastChannel,
    location: location ?? new URL("http://localhost/"),
    cookies: () => document?.cookie ?? "",
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    random: () => Math.random(),
    onOnline: (listener) => globalThis.addEventListener?.("online", listener),
    offOnline: (listener) => globalThis.removeEventListener?.("online", listener),
    reportError: (error) => (globalThis.reportError ?? console.error)(error),
  };
}
