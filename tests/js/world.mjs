/** A server that answers like the real server, and an environment like a browser's, for the client's tests. */

import assert from "node:assert/strict";

import { createClient } from "../../src/drf_tessera/static/drf_tessera/client.js";

export const BASE = "https://api.example.com/api/token/";

export function answer(status, body, headers = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return new Response(status === 204 ? null : text, { status, headers });
}

export const refuse = (status, code, headers) => answer(status, { detail: `No: ${code}.`, code }, headers);

/** The answer of a view that wants a proof. */
export const demand = (what) =>
  answer(
    401,
    { detail: "Prove again that it is you.", code: "insufficient_user_authentication" },
    { "WWW-Authenticate": `Bearer realm="api", error="insufficient_user_authentication", ${what}` },
  );

/** A fault: no answer, until the client gives up. */
export const hang = (_, request) =>
  new Promise((_, reject) => request.signal.addEventListener("abort", () => reject(request.signal.reason)));

/** The token endpoints, and an API behind them; `log` has each request. */
export class Server {
  constructor({ lifetime = 300, accessCookie = false } = {}) {
    Object.assign(this, { lifetime, accessCookie });
    this.log = [];
    this.cookie = null;
    this.marker = false; // the cookie that a page can read
    this.generation = 0;
    this.logins = 0;
    this.live = new Set();
    this.valid = new Set();
    this.proofs = new Set(); // access tokens with a recent proof
    this.faults = []; // functions of a request; each is used once, and returns the answer
    this.apiFaults = [];
    this.delay = 0;
    this.fetch = (input, init) => this.#receive(new Request(input, init));
  }

  count(method, path) {
    return this.log.filter((entry) => entry.method === method && entry.path === path).length;
  }

  get refreshes() {
    return this.count("POST", "/api/token/refresh/");
  }

  async #receive(request) {
    const text = await request.clone().text();
    const path = new URL(request.url).pathname;
    const entry = { method: request.method, path, text, headers: request.headers, request };
    this.log.push(entry);
    const faults = path.startsWith("/api/token/") ? this.faults : this.apiFaults;
    const fault = faults.shift();
    if (this.delay) await new Promise((resolve) => setTimeout(resolve, this.delay));
    if (request.signal.aborted) throw request.signal.reason;
    const found = fault ? await fault(() => this.#answer(entry), request) : undefined;
    return found ?? this.#answer(entry);
  }

  #answer({ method, path, text, headers }) {
    const body = text && path.startsWith("/api/token/") ? JSON.parse(text) : {};
    if (path === "/api/token/") return this.#logIn(body);
    if (path === "/api/token/refresh/") return this.#refresh(body);
    if (path === "/api/token/prove/") return this.#prove(body);
    const token = (headers.get("Authorization") ?? "").replace("Bearer ", "");
    if (path === "/api/token/revoke/") return this.#revoke(body, token);
    if (!this.accessCookie && !this.valid.has(token)) return refuse(401, "token_expired");
    if (path === "/payments/" && !this.proofs.has(token)) return demand("max_age=300");
    if (path.startsWith("/api/token/sessions/")) {
      return method === "GET" ? answer(200, [...this.live].map((id) => ({ id }))) : answer(200, { revoked: 1 });
    }
    return answer(200, { path, text, token });
  }

  #logIn(body) {
    if (body.password !== "right") return refuse(401, "login_failed");
    this.logins += 1;
    const session = `session-${this.logins}`;
    this.live.add(session);
    this.generation = 0;
    return this.#grant(session, body.transport, { user: { id: 1, username: body.username } });
  }

  #refresh(body) {
    const token = body.refresh ?? this.cookie;
    if (!token) return body.optional ? answer(204, "") : refuse(401, "refresh_missing");
    const session = token.split(":")[0];
    if (!this.live.has(session)) return refuse(401, "session_revoked");
    if (this.inWindow) return this.#grant(session, "header", { rotated: false, refresh: `${session}:spare` });
    this.generation += 1;
    const more = body.with_user ? { user: { id: 1, username: "restored" } } : {};
    return this.#grant(session, body.refresh ? "header" : "cookie", more);
  }

  #prove(body) {
    if (body.password !== "right") return refuse(401, "login_failed");
    const response = this.#refresh({ refresh: body.refresh });
    if (response.ok) this.proofs.add(`access-${(body.refresh ?? this.cookie).split(":")[0]}-${this.generation}`);
    return response;
  }

  #revoke(body, access) {
    const session = /^access-(.*)-\d+$/.exec(access)?.[1];
    if (session) return answer(200, { revoked: this.live.delete(session) });
    const token = body.refresh ?? this.cookie;
    if (token && body.session && body.session !== token.split(":")[0]) return answer(200, { revoked: false });
    const revoked = token ? this.live.delete(token.split(":")[0]) : false;
    if (!body.refresh) [this.cookie, this.marker] = [null, false];
    return answer(200, { revoked });
  }

  #grant(session, transport, more) {
    const access = `access-${session}-${this.generation}`;
    this.valid.add(access);
    const refresh = `${session}:${this.generation}`;
    if (transport === "cookie") [this.cookie, this.marker] = [refresh, true];
    return answer(200, {
      ...(this.accessCookie ? {} : { access }),
      ...(transport === "cookie" ? {} : { refresh }),
      expires_in: this.lifetime,
      refresh_expires_in: 1000,
      session,
      ...more,
    });
  }
}

/** Web Locks for tabs in one process, because Node 20 does not have them. */
export class Locks {
  #queues = new Map();

  request(name, options, action) {
    if (!this.#queues.has(name)) this.#queues.set(name, []);
    const queue = this.#queues.get(name);
    return new Promise((resolve, reject) => {
      const entry = { name, action, resolve, reject, granted: false };
      if (options.steal) {
        const holder = queue[0]?.granted ? queue.shift() : null;
        holder?.reject(new DOMException("The lock was stolen.", "AbortError"));
        queue.unshift(entry);
      } else {
        queue.push(entry);
        options.signal?.addEventListener("abort", () => {
          if (entry.granted) return;
          queue.splice(queue.indexOf(entry), 1);
          reject(options.signal.reason);
        });
      }
      this.#grant(queue);
    });
  }

  #grant(queue) {
    const [first] = queue;
    if (!first || first.granted) return;
    first.granted = true;
    Promise.resolve()
      .then(() => first.action({ name: first.name }))
      .then(first.resolve, first.reject)
      .finally(() => {
        if (queue[0] === first) queue.shift();
        this.#grant(queue);
      });
  }
}

/** Clocks that a test sets. `advance` moves both clocks. */
export class Clock {
  now = 1_000_000;
  shift = 0;
  advance(seconds) {
    this.now += seconds * 1000;
  }
}

/** Seconds until a test gives up: many more than a busy machine needs. */
export const PATIENCE = 120;

const opened = [];

export function open(server, { clock = new Clock(), environment = {}, create = createClient, ...options } = {}) {
  const client = create({
    baseUrl: BASE,
    patience: PATIENCE,
    ...options,
    environment: {
      fetch: server.fetch,
      location: new URL("https://api.example.com/page/"),
      cookies: () => (server.marker ? "a=1; __Host-tessera_signed_in=1" : ""),
      dropMarker: () => (server.marker = false),
      monotonic: () => clock.now,
      wall: () => clock.now + clock.shift,
      random: () => 0.01,
      reportError: () => {},
      ...environment,
    },
  });
  const events = [];
  for (const event of ["signedin", "refreshed", "signedout"]) {
    client.on(event, (detail) => events.push(event === "signedout" ? `${event}: ${detail.reason}` : event));
  }
  opened.push(client);
  return Object.assign(client, { events, clock });
}

/** Tabs of one browser: one cookie jar, one lock manager, one channel. */
export function tabs(count, { locks = new Locks(), channel = globalThis.BroadcastChannel, lifetime, ...more } = {}) {
  const server = new Server({ lifetime });
  const environment = { locks, BroadcastChannel: channel, ...more };
  const clock = new Clock();
  return [server, Array.from({ length: count }, () => open(server, { environment, clock }))];
}

/** Tabs in which somebody is logged in, and each of which has asked the server for a token once. */
export async function openTabs(count, options) {
  const [server, clients] = tabs(count, options);
  await clients[0].login(ANNA);
  await settle();
  for (const client of clients.slice(1)) assert.equal((await client.fetch(`${BASE}../notes/`)).status, 200);
  await settle(60); // a tab that told the others of its token keeps the lock for a moment
  for (let turn = 0; turn < 20; turn += 1) {
    const tokens = await Promise.all(clients.map((client) => client.token()));
    if (new Set(tokens).size === 1) break;
    await settle(); // on a busy machine, messages and their decryption take longer
  }
  server.log.length = 0;
  return [server, clients];
}

export function closeAll() {
  while (opened.length) opened.pop().close();
}

/**
 * Let messages between tabs arrive. After a busy machine has stopped this process for a while, a timer comes
 * first and the messages after it: the loop of events has to go around once more.
 */
export async function settle(milliseconds = 30) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const ANNA = { username: "anna", password: "right" };
