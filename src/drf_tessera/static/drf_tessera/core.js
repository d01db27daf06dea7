/**
 * The core of the client: log in, call the API, refresh, log out. client.js adds the other parts to it.
 *
 * This module has no dependencies. Tokens are only in memory. They are never in localStorage, sessionStorage or IndexedDB, because
 * every script of the page could read them there. With the transport "cookie" (the default) the refresh token is
 * in a cookie that no script can read. A reload uses the cookie to get a new access token, and tabs share one
 * refresh. With "header" the refresh token is in this page's memory or in a storage that the app chooses.
 *
 * The client refreshes only when the page needs a token. No timer keeps a forgotten page logged in.
 */

/** A refusal, a mistake, or a missing answer. `code` is stable; docs/reference/errors.md lists the codes. */
export class TesseraError extends Error {
  constructor(code, detail, { status = 0, retryAfter = 0, passing = false, body = null, cause } = {}) {
    super(detail, { cause });
    // `status` 0 means that there was no answer. `passing`: the same request may succeed in a moment.
    Object.assign(this, { name: "TesseraError", code, detail, status, retryAfter, passing, body });
  }

  /** The wrong fields of a refused form, or `null`. */
  get fields() {
    return this.body?.fields ?? null;
  }
}

const NO_PAGE = "no-page.invalid";
const MISPLACED = new Set([404, 405, 415]); // no trouble that passes, even if the endpoints have answered before
// The server's codes for an ended session. Another 401 may come from a gateway that knows nothing about sessions.
const REFUSAL = /^(refresh_|session_|user_|transport_mismatch$)/;
// The codes of a 401 that is about the access token. Only after such a 401 a request is repeated.
const STALE = /^(token_|session_|user_)/;
const MARKER = /(?:^|; )((?:__Host-|__Secure-)?tessera_signed_in[^=]*)=/;
const LONGEST_WAIT = 60; // seconds; a longer wait that a server asks for is cut to this
const LONGEST_BREAK = 300_000; // milliseconds for which a client leaves a slow server alone
const MARGIN = 10; // seconds; a token is not sent so shortly before its end, if it lives long enough
const GLANCE = 1000; // milliseconds for which a request that may be public waits for an unknown session
const LATE = new Error("The answer took too long.");

export function createClient({
  baseUrl,
  transport = "cookie",
  grace = 30,
  patience = 20,
  headerName = "Authorization",
  headerPrefix = "Bearer",
  csrfCookie = "csrftoken",
  origins = [],
  repeat = true,
  storage = null,
  debug = () => {},
  parts = {},
  environment = {},
} = {}) {
  if (!baseUrl) throw new TypeError('createClient needs a baseUrl, such as "/api/token/".');
  if (transport !== "cookie" && transport !== "header") {
    throw new TypeError(`transport must be "cookie" or "header", not ${JSON.stringify(transport)}.`);
  }
  const world = { ...readEnvironment(), ...environment };
  const page = world.location ?? new URL(`http://${NO_PAGE}/`); // on a server there is no page
  const base = new URL(baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`, page.href);
  const allowed = new Set([base, ...origins].map((address) => new URL(address).origin));
  const name = `tessera:${base.href}`;
  const byCookie = transport === "cookie";
  const sameOrigin = base.origin === page.origin;
  // The server forgives a late answer within `grace`. A request that takes longer than half of it is repeated.
  const slow = (grace * 1000) / 2 || 10_000;
  const listeners = new Map();
  const watchers = new Set();
  const sleepers = new Set(); // functions that end a pause, because there is news
  const ended = new Set(); // tags of sessions that have ended; later answers for them are ignored

  /** { access, refresh, session, tag, key, user, number, born, bornWall, lifetime }, or null if nobody is logged in. */
  let state = null;
  let snapshot = { status: "unknown", user: null, session: null };
  let grants = 0; // counts the grants, so that two grants can be ordered without a clock
  let epoch = 0; // changes at each login and logout; an action of an older epoch is dropped
  let flight = null; // the only refresh of this page: { promise, stop }
  let waiting = 0; // how many calls wait for the refresh; with none the refresh gives up
  let trouble = null; // the last error of the current refresh
  let restoring = null;
  let proven = false; // whether the token endpoints have answered: then a strange answer is a passing trouble
  let userIsOld = false; // whether the page asked for the user again
  let lates = 0; // refreshes in a row that took too long
  let openUntil = 0; // the client leaves the slow server alone until then
  let leaving = null; // stops a logout that has not reached the server yet
  let unheard = null; // the session that such a logout must end: { refresh, session }

  const tabs = byCookie ? parts.tabs?.({ name, world, getState, getCount, hearEnd, hearLogin, hearGrant, pause }) : null;
  const judge = (kind, detail, status) => parts.explain?.(kind, detail, { status, base, page, sameOrigin, fetch: world.fetch });
  const atOnline = () => (openUntil = 0);
  world.onOnline(atOnline);

  // -- Events ------------------------------------------------------------------------------------

  function on(event, listener) {
    if (!listeners.has(event)) listeners.set(event, new Set());
    listeners.get(event).add(listener);
    return () => listeners.get(event).delete(listener);
  }

  /** Call a listener with the snapshot, now and after each change: for React, Svelte, Vue and others. */
  function subscribe(listener) {
    watchers.add(listener);
    notify([listener], snapshot);
    return () => watchers.delete(listener);
  }

  function notify(some, detail) {
    for (const listener of some ?? []) {
      try {
        listener(detail);
      } catch (error) {
        world.reportError(error); // an error of a listener must not stop the client
      }
    }
  }

  function emit(event, detail) {
    debug(event, detail);
    show();
    notify(listeners.get(event), detail);
  }

  function show(status = state ? "signedin" : "signedout") {
    const { user = null, session = null } = state ?? {};
    if (snapshot.status === status && snapshot.user === user && snapshot.session === session) return;
    snapshot = { status, user, session };
    notify(watchers, snapshot);
  }

  // -- Other tabs --------------------------------------------------------------------------------

  function getState() {
    return state;
  }

  function getCount() {
    return grants;
  }

  function hearEnd(tag, reason) {
    ended.add(tag);
    if (state?.tag === tag) forget(reason);
  }

  function hearLogin(tag, user) {
    if (ended.has(tag)) return;
    leaving?.abort(); // as in accept(): the cookie belongs to another session now
    replace();
    take({ tag, user, expires_in: 0 }, 0); // this tab asks for its token when it needs one
  }

  function hearGrant(tag, grant, age) {
    if (state?.tag === tag) take({ key: state.key, ...grant, tag }, age);
  }

  // -- The state ---------------------------------------------------------------------------------

  /** Store the grant of a login or a refresh. `age` is the time since the request, in milliseconds. */
  function take(grant, age) {
    const before = state?.tag === grant.tag ? state : null;
    state = {
      access: grant.access ?? null, // without it, the access token is in a cookie
      // Within the grace window nothing was rotated: keep the refresh token that this page has.
      refresh: (grant.rotated === false ? before?.refresh : grant.refresh) ?? before?.refresh ?? null,
      session: grant.session ?? null,
      tag: grant.tag,
      key: grant.key,
      user: grant.user ?? before?.user ?? null,
      number: ++grants,
      born: world.monotonic() - age,
      bornWall: world.wall() - age,
      lifetime: grant.expires_in * 1000,
    };
    if (grant.user) userIsOld = false;
    lates = 0;
    for (const wake of sleepers) wake();
    emit(before ? "refreshed" : "signedin", describe());
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
    if (state) ended.add(state.tag);
    restart();
    state = null;
  }

  function forget(reason) {
    const was = state;
    replace();
    keep("removeItem").catch(world.reportError);
    if (was) emit("signedout", { reason, user: was.user, session: was.session });
  }

  function end(reason) {
    const tag = state?.tag;
    forget(reason);
    if (tag) tabs?.tell("ended", { tag, reason });
  }

  /** Call a method of the app's storage, which may be asynchronous. */
  async function keep(method, ...text) {
    return storage?.[method](name, ...text);
  }

  /** Throw if somebody has logged in or out since `begun`. */
  function guard(begun) {
    if (epoch !== begun) throw new TesseraError("superseded", "Somebody logged in or out meanwhile.");
  }

  // -- Talking to the token endpoints ------------------------------------------------------------

  async function call(method, path, body, { signal, keepalive = false, access } = {}) {
    const { href } = new URL(path, base);
    const headers = { Accept: "application/json", "Content-Type": "application/json" };
    if (access) headers[headerName] = `${headerPrefix} ${access}`;
    const cookies = byCookie && sameOrigin && world.cookies();
    const csrf = cookies && cookies.split("; ").find((pair) => pair.startsWith(`${csrfCookie}=`));
    // For browsers that send neither Origin nor Sec-Fetch-Site. Django's token has letters and digits only.
    if (csrf) headers["X-CSRFToken"] = csrf.slice(csrfCookie.length + 1);
    if (base.hostname === NO_PAGE) throw await blame("page", baseUrl);
    let response, text;
    try {
      response = await world.fetch(href, {
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
      debug("silence", { method, href, cause });
      const mistake = !proven && !sameOrigin && !signal?.aborted && (await judge("silence", href));
      if (mistake) throw new TesseraError("misconfigured", mistake, { cause });
      throw weather("The server cannot be reached.", { cause });
    }
    debug("answer", { method, href, status: response.status });
    return read(response, text, method);
  }

  async function askForGrant(path, body, signal) {
    const grant = await call("POST", path, body, { signal });
    if (grant === null && body.optional) {
      throw nobody("refresh_missing");
    }
    if (!isGrant(grant)) throw await strange("POST", new URL(path, base).href, 200);
    proven = true;
    return label(grant);
  }

  /** Give a grant the tag that the tabs call its session by. */
  async function label(grant) {
    grant.tag = grant.session;
    await tabs?.label(grant);
    return grant;
  }

  async function read(response, text, method) {
    let body = null;
    let readable = true;
    try {
      body = text ? JSON.parse(text) : null;
    } catch {
      readable = false; // the page of a proxy, or a truncated answer
    }
    const { ok, status, headers, url } = response;
    if (ok && readable) return body;
    const code = find(body, "code");
    const passing = status >= 500 || status === 429 || (text[0] === "{" && !readable);
    if (!passing && (!code || MISPLACED.has(status))) throw await strange(method, url || base.href, status, headers, body);
    proven ||= !!code;
    const detail = find(body, "detail") ?? find(body, "message") ?? `The server answered ${status}.`;
    const retryAfter = Number(headers.get("Retry-After")) || 0;
    throw new TesseraError(code ?? "unavailable", detail, { status, retryAfter, passing, body });
  }

  /** Return the error for an answer that is not ours: a passing trouble if the endpoints have answered before. */
  function strange(method, href, status, headers, body) {
    const what = `${method} ${href}: ${status} ${headers?.get("Content-Type") ?? ""}`;
    return proven && !MISPLACED.has(status) ? weather(what, { status }) : blame("answer", what, { status, body });
  }

  /** Return the error for a mistake in the configuration. A part of the client explains it. */
  async function blame(kind, detail, more) {
    return new TesseraError("misconfigured", (await judge(kind, detail, more?.status)) ?? detail, more);
  }

  async function exchange(signal) {
    const asked = world.monotonic();
    const refresh = byCookie ? undefined : ((await keep("getItem")) ?? state?.refresh ?? null);
    if (refresh === null) throw nobody("refresh_missing");
    const body = { refresh };
    if (byCookie && !state) body.optional = true;
    if (userIsOld || !state?.user) body.with_user = true;
    return [await within(slow, signal, (either) => askForGrant("refresh/", body, either)), asked];
  }

  /** Run an action, and abort it after so many milliseconds or when `signal` is aborted. */
  async function within(milliseconds, signal, action) {
    const timer = new AbortController();
    const stop = () => timer.abort();
    const alarm = setTimeout(() => timer.abort(LATE), milliseconds);
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
    if (world.monotonic() < openUntil) return Promise.reject(trouble);
    const controller = new AbortController();
    const mine = { stop: () => controller.abort() };
    mine.promise = persist(controller.signal).finally(() => {
      if (flight === mine) flight = null;
    });
    mine.promise.catch(() => {}); // the waiting calls get this error themselves
    flight = mine;
    return mine.promise;
  }

  /** Try until this page has a new grant, its own or another tab's, or until no call waits. */
  async function persist(signal) {
    const [begun, seen] = [epoch, grants];
    trouble = null;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const work = () => renew(signal, begun);
        return await (tabs ? tabs.run(signal, seen, work) : work());
      } catch (error) {
        guard(begun);
        if (grants !== seen) return undefined;
        if (!error.passing) throw conclude(error);
        trouble = error;
        if (!waiting || isTooSlow(error)) throw error;
        await pause(backOff(attempt, error), signal);
      }
    }
  }

  /**
   * Return whether the client now leaves the server alone for a while. Two refreshes in a row took too long. Each
   * further one would be one more lost answer for the server, and too many of them end the session.
   */
  function isTooSlow(error) {
    if (error.cause !== LATE) {
      lates = 0;
      return false;
    }
    lates += 1;
    if (lates < 2) return false;
    const rest = Math.min(grace * 1000 * 2 ** (lates - 2), LONGEST_BREAK);
    openUntil = world.monotonic() + rest;
    error.retryAfter = rest / 1000;
    return true;
  }

  /** Return the milliseconds to wait: longer each time, and random, so that clients do not return all at once. */
  function backOff(attempt, error) {
    return Math.max(50, Math.min(30_000, 500 * 2 ** attempt) * world.random(), Math.min(error.retryAfter, LONGEST_WAIT) * 1000);
  }

  /** Refresh, and return true. */
  async function renew(signal, begun) {
    guard(begun);
    let [grant, asked] = await exchange(signal);
    if (epoch === begun && state && !grant.user && grant.tag !== state.tag) {
      userIsOld = true; // the cookie belongs to another login: ask for its user
      [grant, asked] = await exchange(signal);
    }
    guard(begun);
    if (ended.has(grant.tag)) throw nobody("session_ended");
    if (grant.refresh && grant.rotated !== false) await keep("setItem", grant.refresh);
    const age = world.monotonic() - asked;
    const known = state?.tag === grant.tag;
    take(grant, age);
    await tabs?.share(known ? { ...grant, user: undefined } : grant, age);
    return true;
  }

  /** Sign out after a definite refusal. Another error, such as a CSRF failure (403), changes nothing. */
  function conclude(error) {
    if (error.status === 401 && REFUSAL.test(error.code)) {
      world.dropMarker();
      end(error.code);
      show();
    }
    return error;
  }

  /** Wait, but not longer than until there is news, a network, an abort, or until `event` happens. */
  function pause(milliseconds, signal, event) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(alarm);
        signal.removeEventListener("abort", wake);
        world.offOnline(wake);
        sleepers.delete(wake);
        resolve();
      };
      const alarm = setTimeout(wake, milliseconds);
      signal.addEventListener("abort", wake);
      world.onOnline(wake);
      sleepers.add(wake);
      event?.then(wake, wake);
    });
  }

  /** Wait for the refresh, but for `patience` at most, so that an app can show that it is offline. */
  async function refresh() {
    if (!state && !byCookie && !storage) throw nobody("signed_out");
    const begun = epoch;
    let alarm;
    waiting += 1;
    try {
      const late = new Promise((_, reject) => {
        const silence = weather("The server does not answer.");
        alarm = setTimeout(() => reject(trouble ?? silence), patience * 1000);
      });
      await Promise.race([fly(), late]);
    } catch (error) {
      // A login in another tab is not a failure, because this tab then has the new login's grant.
      if (error.code !== "superseded" || epoch === begun || !state) throw error;
    } finally {
      clearTimeout(alarm);
      waiting -= 1;
    }
  }

  /** Return whether there may be a session: `null` if only the server knows. */
  function mayExist() {
    if (!byCookie) return storage !== null;
    const cookies = sameOrigin ? world.cookies() : null;
    return cookies === null ? null : MARKER.test(cookies);
  }

  function restore() {
    if (state) return Promise.resolve(true);
    if (mayExist() === false) {
      show();
      return Promise.resolve(false);
    }
    restoring ??= refresh()
      .catch((error) => {
        if (error.status !== 401) throw error;
        show(); // nobody is logged in
      })
      .then(() => state !== null)
      .finally(() => (restoring = null));
    return restoring;
  }

  /**
   * Return the state, with a token that is valid long enough for a request; null if nobody is logged in. A request
   * that `mayBePublic` does not wait long for an answer to the question whether somebody is logged in.
   */
  async function ready(mayBePublic) {
    const may = !state && !ended.size && mayExist();
    if (may || (may === null && snapshot.status === "unknown")) {
      const found = restore();
      if (mayBePublic && may === null) {
        await Promise.race([found, new Promise((resolve) => setTimeout(resolve, GLANCE))]).catch(() => {});
      } else await found;
    }
    if (state && !isFresh()) await refresh();
    return state;
  }

  // -- For the page ------------------------------------------------------------------------------

  /** Take a grant that the page got elsewhere, such as from a registration or a social login. */
  async function accept(grant, age = 0) {
    if (!isGrant(grant)) throw await blame("answer", "accept() needs the answer to a login.");
    grant = await label({ ...grant });
    leaving?.abort(); // a logout that is still being tried would end the new session
    replace();
    if (grant.refresh) await keep("setItem", grant.refresh);
    take(grant, age);
    await tabs?.share(grant, age);
    return state?.user ?? null;
  }

  async function login(credentials) {
    const asked = world.monotonic();
    const body = { ...credentials, transport };
    leaving?.abort();
    const grant = await within(patience * 1000, null, (signal) => askForGrant("", body, signal));
    if (byCookie && !(await isKept())) {
      await call("POST", "revoke/", {}, { access: grant.access }).catch(() => {});
      throw await blame("cookie", "The browser did not keep the cookie of the login.");
    }
    return accept(grant, world.monotonic() - asked);
  }

  /** Return whether the browser has kept the cookies of a login. A page of another origin has to ask the server. */
  async function isKept() {
    const may = mayExist();
    if (may !== null) return may;
    return (await within(slow, null, (signal) => call("POST", "refresh/", { optional: true }, { signal }))) !== null;
  }

  async function reloadUser() {
    userIsOld = true;
    await refresh();
    if (userIsOld) await refresh(); // another tab has refreshed, without the user
    return state?.user ?? null;
  }

  async function logout() {
    if (state) unheard = { refresh: state.refresh, session: state.session };
    const mine = unheard;
    end("logout");
    show();
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

  async function fetchWithToken(input, init) {
    const given = input instanceof Request ? input : null;
    const url = new URL(given?.url ?? input, page.href);
    if (url.hostname === NO_PAGE) throw await blame("page", String(input));
    const headers = new Headers(init?.headers ?? given?.headers);
    if (init?.token === false || !allowed.has(url.origin) || headers.has(headerName)) return world.fetch(input, init);
    const signal = init?.signal ?? given?.signal;
    const asking = state?.tag;
    const method = init?.method ?? given?.method ?? "GET";
    const held = await unlessAborted(ready(/^(get|head)$/i.test(method)), signal);
    if (asking && held && held.tag !== asking) guard(-1); // never send a request of one user with the next user's token
    // A body that is a stream can be sent only once.
    const spare = given && !init?.body ? given.clone() : init?.body instanceof ReadableStream ? null : url;
    const request = new Request(given ?? url, init);
    const response = await world.fetch(held ? dress(request, held) : request);
    if (response.status !== 401 || !spare || !(init?.repeat ?? repeat)) return response;
    if (held ? !state || !(await blamesToken(response)) : snapshot.status !== "unknown") return response;
    if (!held) await unlessAborted(restore(), signal);
    else if (state?.number === held.number) {
      try {
        await unlessAborted(refresh(), signal);
      } catch (error) {
        if (error.passing || signal?.aborted) throw error;
        return response;
      }
    }
    // Repeat only in the same session, because another user may have logged in meanwhile.
    return state && (!held || state.tag === held.tag) ? world.fetch(dress(new Request(spare, init), state)) : response;
  }

  function dress(request, held) {
    if (!held.access) {
      return new URL(request.url).origin === page.origin ? request : new Request(request, { credentials: "include" });
    }
    const headers = new Headers(request.headers);
    headers.set(headerName, `${headerPrefix} ${held.access}`);
    return new Request(request, { headers });
  }

  return {
    ...parts.sessions?.({ base, getState, ready, fetchWithToken, read, end, TesseraError }),
    login,
    accept,
    logout,
    refresh,
    restore,
    reloadUser,
    fetch: fetchWithToken,
    token: async () => (await ready())?.access ?? null,
    on,
    subscribe,
    getSnapshot: () => snapshot,
    close() {
      restart();
      leaving?.abort();
      tabs?.close();
      world.offOnline(atOnline);
      listeners.clear();
      watchers.clear();
    },
    get status() {
      return snapshot.status;
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

const isGrant = (grant) => typeof grant?.session === "string" && grant.expires_in > 0;

const nobody = (code) => new TesseraError(code, "Nobody is logged in.", { status: 401 });

/** Return the error for a trouble that passes. */
const weather = (detail, more) => new TesseraError("unavailable", detail, { passing: true, ...more });

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

/** Return whether a 401 says that the access token was the reason. Another 401 is the project's own. */
async function blamesToken(response) {
  const challenge = response.headers.get("WWW-Authenticate"); // a page of another origin cannot always read it
  if (challenge) return challenge.includes("invalid_token");
  return STALE.test(find(await response.clone().json().catch(() => null), "code"));
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

/** Return the functions of the browser, or their replacements outside a browser. */
function readEnvironment() {
  const { document, navigator, location } = globalThis;
  return {
    fetch: (...request) => globalThis.fetch(...request),
    locks: navigator?.locks,
    BroadcastChannel: globalThis.BroadcastChannel,
    crypto: globalThis.crypto?.subtle,
    location,
    cookies: () => document?.cookie ?? null,
    /** Delete the cookie that says that somebody is logged in. It has no token. */
    dropMarker() {
      const marker = MARKER.exec(document?.cookie);
      if (marker) document.cookie = `${marker[1]}=; Path=/; Max-Age=0${marker[1].startsWith("__") ? "; Secure" : ""}`;
    },
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    random: () => Math.random(),
    onOnline: (listener) => globalThis.addEventListener?.("online", listener),
    offOnline: (listener) => globalThis.removeEventListener?.("online", listener),
    reportError: (error) => (globalThis.reportError ?? console.error)(error),
  };
}
