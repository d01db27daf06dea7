/**
 * The core of the client: log in, call the API, refresh, log out, in one tab. client.js adds the other parts to it.
 *
 * This module has no dependencies. Tokens are only in memory. They are never in localStorage, sessionStorage or IndexedDB, because
 * every script of the page could read them there. With the transport "cookie" (the default) the refresh token is
 * in a cookie that no script can read. A reload uses the cookie to get a new access token. With "header" the refresh
 * token is in this page's memory or in a storage that the app chooses.
 *
 * The client refreshes only when the page needs a token. No timer keeps a forgotten page logged in.
 */

import { miss, nobody, TesseraError, unlessAborted, within } from "./errors.js";

export { TesseraError };

// The server's codes for an ended session. Another 401 may come from a gateway that knows nothing about sessions.
const REFUSAL = /^(refresh_|session_|user_|transport_mismatch$)/;
// The challenges and codes of a 401 that is about the access token. Another 401 is the project's own.
const STALE = /invalid_token|^(token_|session_|user_)/;
const MARKER = /(?:^|; )((?:__Host-|__Secure-)?tessera_signed_in[^=]*)=/;
const MARGIN = 10_000; // milliseconds; a token is not sent so shortly before its end, if it lives long enough
const GLANCE = 1000; // milliseconds for which a request that may be public waits for an unknown session

export function createClient({
  baseUrl,
  transport = "cookie",
  grace = 30,
  patience = 20,
  headerName = "Authorization",
  headerPrefix = "Bearer",
  origins = [],
  repeat = true,
  storage = null,
  debug = () => {},
  parts = {},
  environment,
}) {
  const world = { ...readEnvironment(), ...environment };
  const page = world.location ?? new URL("http://no-page.invalid/"); // on a server there is no page
  const base = new URL(baseUrl.replace(/\/?$/, "/"), page.href);
  const allowed = [base, ...origins].map((address) => new URL(address).origin);
  const name = `tessera:${base.href}`;
  const byCookie = transport === "cookie";
  const sameOrigin = base.origin === page.origin;
  // The server forgives a late answer within `grace`. A request that takes longer than half of it is given up.
  const slow = grace * 500 || 10_000;
  let listeners = {};
  const sleepers = new Set(); // functions that wait for the next grant
  const ended = new Set(); // tags of sessions that have ended; later answers for them are ignored

  /** A grant with { refresh, user, tag, key, number, born, bornWall, lifetime }, or null if nobody is logged in. */
  let state = null;
  let snapshot = { status: "unknown", user: null, session: null };
  let grants = 0; // counts the grants, so that two grants can be ordered without a clock
  let epoch = 0; // changes at each login and logout; an action of an older epoch is dropped
  let flight = null; // the only refresh of this page: a promise that can be stopped
  let userIsOld = false; // whether the page asked for the user again
  let leaving = null; // stops a logout that has not reached the server yet
  let unheard = null; // the session that such a logout must end: { session } or { refresh }

  // -- Events ------------------------------------------------------------------------------------

  function on(event, listener) {
    const some = (listeners[event] ??= new Set());
    some.add(listener);
    return () => some.delete(listener);
  }

  /** Call a listener with the snapshot, now and after each change: for React, Svelte, Vue and others. */
  function subscribe(listener) {
    notify([listener], snapshot);
    return on("", listener);
  }

  function notify(some = [], detail) {
    return [...some].map((listener) => {
      try {
        return listener(detail);
      } catch (error) {
        world.reportError(error); // an error of a listener must not stop the client
      }
    });
  }

  function emit(event, detail) {
    debug(event, detail);
    show();
    return notify(listeners[event], detail);
  }

  function show() {
    const { user = null, session = null } = state ?? {};
    const status = state ? "signedin" : "signedout";
    if (snapshot.status === status && snapshot.user === user && snapshot.session === session) return;
    snapshot = { status, user, session };
    notify(listeners[""], snapshot);
  }

  // -- The state ---------------------------------------------------------------------------------

  /** Store the grant of a login or a refresh. `age` is the time since the request, in milliseconds. */
  function take(grant, age) {
    const before = state?.tag === grant.tag ? state : null;
    if (!before) leaving?.abort(); // a logout that is still being tried must not end the new session
    state = {
      ...grant, // without `access`, the access token is in a cookie
      // Within the grace window nothing was rotated: keep the refresh token that this page has.
      refresh: (grant.rotated === false ? before?.refresh : grant.refresh) ?? before?.refresh ?? null,
      user: grant.user ?? before?.user ?? null,
      number: ++grants,
      born: world.monotonic() - age,
      bornWall: world.wall() - age,
      lifetime: grant.expires_in * 1000,
    };
    if (grant.user) userIsOld = false;
    notify(sleepers);
    emit(before ? "refreshed" : "signedin", { user: state.user, session: state.session, expiresIn: getSeconds() });
  }

  /**
   * Return the remaining milliseconds of the access token. Use its lifetime and not its date, because this
   * clock may be wrong. Use the later of two clocks, because one clock stops while a laptop sleeps, and the
   * other clock can be set back.
   */
  function left() {
    return state.lifetime - Math.max(world.monotonic() - state.born, world.wall() - state.bornWall);
  }

  function getSeconds() {
    return state ? Math.max(0, left() / 1000) : 0;
  }

  /** Drop the current login and its refresh, so that another login can take its place. */
  function replace() {
    if (state) ended.add(state.tag);
    flight?.stop();
    flight = state = null;
    return ++epoch;
  }

  function forget(reason) {
    const was = state;
    replace();
    keep("removeItem").catch(world.reportError);
    show();
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

  async function call(path, body, init) {
    const { href } = new URL(path, base);
    let response, text;
    try {
      response = await world.fetch(href, {
        method: "POST",
        body: JSON.stringify(body),
        credentials: byCookie ? "include" : "omit",
        cache: "no-store",
        keepalive: false,
        ...init,
        headers: {
          Accept: "application/json",
          "Content-Type": "application/json",
          ...csrf?.(),
          ...init?.headers,
        },
      });
      text = await response.text();
    } catch (cause) {
      debug("silence", { href, cause });
      throw await review(miss(cause), href);
    }
    debug("answer", { href, status: response.status });
    return read(response, text);
  }

  async function askForGrant(path, body, signal) {
    const grant = await call(path, body, { signal });
    if (!grant && body.optional) throw nobody("refresh_missing");
    if (!isGrant(grant)) throw await review(misfit(), new URL(path, base).href);
    kernel.proven = true;
    return label(grant);
  }

  /** Give a grant the tag that the tabs call its session by. */
  async function label(grant) {
    grant.tag = grant.session;
    await tabs?.label(grant);
    return grant;
  }

  async function read(response, text, method) {
    let body; // undefined: the page of a proxy, or a truncated answer
    try {
      body = JSON.parse(text || "null");
    } catch {}
    const { ok, status, headers, url } = response;
    if (ok && body !== undefined) return body;
    const code = find(body, "code");
    const passing = status >= 500 || status === 429 || (text[0] === "{" && !body);
    const detail = find(body, "detail") ?? find(body, "message") ?? `The server answered ${status}.`;
    const more = { status, retryAfter: Number(headers.get("Retry-After")) || 0, passing, body: body ?? null };
    throw await review(new TesseraError(code ?? "unavailable", detail, more), url, method, headers.get("Content-Type"));
  }

  /** Exchange the refresh token for a grant, and take the grant. */
  async function exchange(path, body, signal, begun = epoch) {
    const asked = world.monotonic();
    const refresh = byCookie ? undefined : ((await keep("getItem")) ?? state?.refresh ?? null);
    if (refresh === null) throw nobody(state ? "refresh_missing" : "signed_out");
    body.refresh = refresh;
    if (byCookie && !state) body.optional = true;
    if (userIsOld || !state?.user) body.with_user = true;
    const grant = await within(slow, signal, (either) => askForGrant(path, body, either));
    guard(begun);
    if (ended.has(grant.tag)) throw nobody("session_ended");
    if (state && state.tag !== grant.tag && !grant.user && !body.with_user) {
      userIsOld = true; // the cookie belongs to another login: ask for its user
      return exchange(path, body, signal, begun);
    }
    return adopt(grant, asked, begun);
  }

  /** Store a grant, tell the other tabs, and take the place of another login if `begun` is missing. */
  async function adopt(grant, asked, begun) {
    if (grant.refresh && grant.rotated !== false) await keep("setItem", grant.refresh);
    guard(begun ?? (state?.tag === grant.tag ? epoch : replace())); // a page may give the grant of its session again
    const age = world.monotonic() - asked;
    take(grant, age);
    await tabs?.share(grant, age);
    return true;
  }

  // -- Refresh -----------------------------------------------------------------------------------

  /** Return the current refresh, or start a refresh if none is in progress. */
  function fly() {
    if (flight) return flight;
    const controller = new AbortController();
    const { signal } = controller;
    const begun = epoch;
    const seen = grants;
    const work = () => (guard(begun), exchange("refresh/", {}, signal, begun));
    const attempt = async () => {
      try {
        await kernel.run(signal, seen, work);
      } catch (error) {
        guard(begun);
        if (grants === seen) throw conclude(error);
      }
    };
    const fresh = Promise.resolve(kernel.proving).then(() => persist(attempt, signal));
    const mine = (flight = fresh.finally(() => {
      if (flight === mine) flight = null;
    }));
    mine.stop = () => controller.abort();
    mine.catch(() => {}); // the waiting calls get this error themselves
    return mine;
  }

  /** Sign out after a definite refusal. Another error, such as a CSRF failure (403), changes nothing. */
  function conclude(error) {
    if (error.status === 401 && REFUSAL.test(error.code)) {
      world.dropMarker();
      end(error.code);
    }
    return error;
  }

  async function refresh() {
    const begun = epoch;
    try {
      await wait(fly);
    } catch (error) {
      // A login in another tab is not a failure, because this tab then has the new login's grant.
      if (error.code !== "superseded" || epoch === begun || !state) throw error;
    }
  }

  /** Return whether there may be a session: `null` if only the server knows. */
  function mayExist() {
    if (!byCookie) return !!storage;
    const cookies = sameOrigin ? world.cookies() : null;
    return cookies === null ? null : MARKER.test(cookies);
  }

  async function restore() {
    if (!state && mayExist() !== false) {
      await refresh().catch((error) => {
        if (error.status !== 401) throw error;
      });
    }
    show();
    return !!state;
  }

  /**
   * Return the state, with a token that is valid long enough for a request; null if nobody is logged in. A request
   * that `mayBePublic` does not wait long for an answer to the question whether somebody is logged in.
   */
  async function ready(mayBePublic) {
    const may = !state && !ended.size && mayExist();
    if (may ?? snapshot.status === "unknown") {
      const found = restore();
      if (mayBePublic && may === null) {
        await within(GLANCE, null, (late) => unlessAborted(found, late)).catch(() => {});
      } else await found;
    }
    if (state && left() <= Math.min(MARGIN, state.lifetime / 5)) await refresh();
    return state;
  }

  // -- For the page ------------------------------------------------------------------------------

  /** Take a grant that the page got elsewhere, such as from a registration or a social login. */
  async function accept(grant, asked = world.monotonic()) {
    if (!isGrant(grant)) throw misfit();
    await adopt(await label({ ...grant }), asked);
    return state?.user ?? null;
  }

  async function login(credentials) {
    const asked = world.monotonic();
    leaving?.abort();
    const ask = (signal) => askForGrant("", { ...credentials, transport }, signal);
    const grant = await within(patience * 1000, null, ask);
    if (byCookie) await check?.(grant);
    return accept(grant, asked);
  }

  async function reloadUser() {
    userIsOld = true;
    await refresh();
    if (userIsOld) await refresh(); // another tab has refreshed, without the user
    return state?.user ?? null;
  }

  async function logout() {
    // Name the session, because the cookie may belong to another login when this request arrives.
    if (state) unheard = byCookie ? { session: state.session } : { refresh: state.refresh };
    const mine = unheard;
    end("logout");
    if (!byCookie && !mine) return { revoked: false };
    leaving = new AbortController();
    const tell = (signal) => within(slow, signal, (either) => call("revoke/", mine ?? {}, { signal: either, keepalive: true }));
    const answer = await insist(tell, leaving.signal);
    if (unheard === mine) unheard = null;
    return answer;
  }

  async function fetchWithToken(input, init) {
    const url = new URL(input.url ?? input, page.href);
    if (init?.token === false || !allowed.includes(url.origin)) return world.fetch(input, init);
    const make = () => new Request(input.clone?.() ?? url, init);
    const send = (request) => {
      if (held?.access) request.headers.set(headerName, `${headerPrefix} ${held.access}`);
      else if (held && url.origin !== page.origin) request = new Request(request, { credentials: "include" });
      return world.fetch(request);
    };
    const request = make();
    const { signal } = request;
    const { asked } = kernel; // whether a person is being asked for a proof
    const isStream = init?.body?.getReader ?? init?.body?.[Symbol.asyncIterator]; // it can be sent only once
    let held = null;
    if (request.headers.has(headerName)) return send(request);
    const asking = state?.tag;
    held = await unlessAborted(ready(/^(GET|HEAD)$/.test(request.method)), signal);
    if (asking && held && held.tag !== asking) guard(); // never send a request of one user with the next user's token
    let response = await send(request);
    for (const recover of [renewFor, stepUp]) {
      if (response.status !== 401 || isStream || !(init?.repeat ?? repeat)) break;
      // A page of another origin cannot always read the challenge.
      const challenge = response.headers.get("WWW-Authenticate");
      const reason = challenge ?? find(await response.clone().json().catch(() => null), "code") ?? "";
      const again = await unlessAborted(recover(held, reason, asked), signal);
      // Repeat only in the same session, because another user may have logged in meanwhile.
      if (again && state && (!held || state.tag === held.tag)) {
        held = state;
        response = await send(make());
      }
    }
    return response;
  }

  /** After a 401, return whether the page has another token now, if the token of the request was the reason. */
  async function renewFor(held, reason) {
    if (!held) return snapshot.status === "unknown" && restore();
    if (!state || !STALE.test(reason)) return false;
    if (state.number === held.number) {
      await refresh().catch((error) => {
        if (error.passing) throw error;
      });
    }
    return state?.number !== held.number;
  }

  const kernel = {
    ...{ world, base, page, name, sameOrigin, grace, patience, slow, sleepers, ended },
    ...{ headerName, headerPrefix, take, replace, forget, end, call, read, ready, mayExist, exchange, conclude, emit },
    fetch: fetchWithToken,
    get state() {
      return state;
    },
    get grants() {
      return grants;
    },
    get flight() {
      return flight;
    },
  };
  const simply = (action, signal) => action(signal);
  const { review = (error) => error, check } = parts.checks?.(kernel) ?? {};
  const { stepUp = () => false, ...proofs } = parts.proofs?.(kernel) ?? {};
  const tabs = byCookie ? parts.tabs?.(kernel) : null;
  kernel.run = tabs?.run ?? ((signal, seen, work) => work());
  const csrf = byCookie && sameOrigin ? parts.csrf?.(kernel) : null;
  const { persist = simply, wait = simply, insist = simply, ...retries } = parts.retries?.(kernel) ?? {};

  return {
    ...parts.sessions?.(kernel),
    ...proofs,
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
      epoch += 1;
      flight?.stop();
      leaving?.abort();
      tabs?.close();
      retries.close?.();
      listeners = {};
    },
    get status() {
      return snapshot.status;
    },
    get user() {
      return snapshot.user;
    },
    get session() {
      return snapshot.session;
    },
    get signedIn() {
      return !!state;
    },
    get expiresIn() {
      return getSeconds();
    },
  };
}

const isGrant = (grant) => typeof grant?.session === "string" && grant.expires_in > 0;

const misfit = () => new TesseraError("misconfigured", "This is not the answer to a login.");

/** Return the first text with this name. An exception handler of the project may put it into a part of the body. */
function find(body, name) {
  for (let parts = [body], depth = 0; depth < 5; depth += 1) {
    const found = parts.find((part) => typeof part?.[name] === "string");
    if (found) return found[name];
    parts = parts.flatMap((part) => (typeof part === "object" ? Object.values(part ?? {}) : []));
  }
  return undefined;
}

/** Return the functions of the browser, or their replacements outside a browser. */
function readEnvironment() {
  const { document, location } = globalThis;
  return {
    location,
    fetch: (...request) => fetch(...request),
    cookies: () => document?.cookie ?? null,
    /** Delete the cookie that says that somebody is logged in. It has no token. */
    dropMarker() {
      const marker = MARKER.exec(document?.cookie)?.[1];
      if (marker) document.cookie = `${marker}=; Path=/; Max-Age=0${marker.startsWith("__") ? "; Secure" : ""}`;
    },
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    reportError: (error) => (globalThis.reportError ?? console.error)(error),
  };
}
