import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { createClient, TesseraError } from "../../src/drf_tessera/static/drf_tessera/client.js";
import { ANNA, answer, BASE, Clock, closeAll, hang, Locks, open, openTabs, refuse, Server, settle, tabs } from "./world.mjs";

const API = "https://api.example.com/notes/";

afterEach(closeAll);

describe("logging in", () => {
  test("gives the user and tells the page", async () => {
    const server = new Server();
    const client = open(server);
    const user = await client.login(ANNA);
    assert.deepEqual(user, { id: 1, username: "anna" });
    assert.deepEqual([client.signedIn, client.user, client.session], [true, user, "session-1"]);
    assert.deepEqual(client.events, ["signedin"]);
    assert.equal(JSON.parse(server.log[0].text).transport, "cookie");
  });

  test("sends whatever the server may ask for, in two steps if it asks for more", async () => {
    const server = new Server();
    const client = open(server);
    const asked = { code: "challenge_required", detail: "More.", challenge: { kind: "totp" }, ticket: "abc" };
    server.faults.push(() => answer(401, asked));
    const refused = await client.login({ ...ANNA, captcha: "7" }).catch((error) => error);
    assert.deepEqual([refused.code, refused.body], ["challenge_required", asked]);
    assert.equal(JSON.parse(server.log[0].text).captcha, "7");
    assert.equal(client.signedIn, false);
    await client.login({ ...ANNA, ticket: refused.body.ticket, answer: "123456" });
    const { ticket, answer: code } = JSON.parse(server.log[1].text);
    assert.deepEqual([ticket, code, client.signedIn], ["abc", "123456", true]);
  });

  test("rejects with the server's code, and retries nothing", async () => {
    const server = new Server();
    const client = open(server);
    await assert.rejects(client.login({ ...ANNA, password: "x" }), { code: "login_failed", status: 401 });
    server.faults.push(() => refuse(429, "throttled", { "Retry-After": "7" }));
    await assert.rejects(client.login(ANNA), { code: "throttled", retryAfter: 7 });
    assert.equal(server.log.length, 2);
    assert.deepEqual(client.events, []);
  });

  test("does not wait for ever for an answer", async () => {
    const server = new Server();
    const client = open(server, { patience: 0.1 });
    server.faults.push(hang);
    await assert.rejects(client.login(ANNA), { code: "unavailable", passing: true });
  });

  test("keeps nothing where scripts of the page would find it", async () => {
    const touched = [];
    const trap = new Proxy({}, { get: (_, key) => touched.push(key), set: (_, key) => touched.push(key) });
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
      Object.defineProperty(globalThis, name, { value: trap, configurable: true });
    }
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    await client.refresh();
    await client.fetch(API);
    await client.logout();
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) delete globalThis[name];
    assert.deepEqual(touched, []);
  });

  test("wants a baseUrl and a transport that there is", () => {
    assert.throws(() => createClient({}), /baseUrl/);
    assert.throws(() => createClient({ baseUrl: "/x/", transport: "body" }), /"cookie" or "header"/);
  });
});

describe("a request", () => {
  test("carries the access token", async () => {
    const client = open(new Server());
    await client.login(ANNA);
    const found = await (await client.fetch(API)).json();
    assert.equal(found.token, "access-session-1-0");
  });

  test("is not sent as somebody else who has logged in meanwhile", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    client.clock.advance(10_000);
    server.faults.push(() => refuse(503, "temporarily_unavailable", { "Retry-After": "60" }));
    const note = client.fetch(API, { method: "POST", body: "anna's secret note" });
    note.catch(() => {});
    await settle(100);
    await client.login({ username: "bob", password: "right" });
    await assert.rejects(note, { code: "superseded" });
    assert.equal(server.log.some((request) => request.url === API), false);
  });

  test("that a gateway refuses logs nobody out", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => refuse(401, "UNAUTHORIZED"));
    await assert.rejects(client.refresh(), { code: "UNAUTHORIZED", status: 401 });
    assert.equal(client.signedIn, true);
    await client.refresh();
    assert.deepEqual(client.events, ["signedin", "refreshed"]);
  });

  test("is not kept back by an unreadable cookie, and knows origins by whatever way they are written", async () => {
    const server = new Server();
    const environment = { cookies: () => "csrftoken=%; tessera_signed_in=1" };
    const client = open(server, { environment, origins: ["https://Files.example.com:443/x/"] });
    await client.login(ANNA);
    await client.fetch("https://files.example.com/notes/");
    assert.equal(server.log.at(-1).headers.get("Authorization"), "Bearer access-session-1-0");
  });

  test("to another origin goes out as it is", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    await client.fetch("https://elsewhere.example/notes/");
    assert.equal(server.log.at(-1).headers.has("Authorization"), false);
  });

  test("to an origin that the page names carries it", async () => {
    const server = new Server();
    const client = open(server, { origins: ["https://files.example.com"] });
    await client.login(ANNA);
    await client.fetch("https://files.example.com/notes/");
    assert.equal(server.log.at(-1).headers.get("Authorization"), "Bearer access-session-1-0");
  });

  test("with an Authorization header of the page's own is left alone", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    const response = await client.fetch(API, { headers: { authorization: "Basic x" } });
    assert.equal(response.status, 401);
    assert.equal(server.refreshes, 0);
  });

  test("carries the token in another header, if the server reads it there", async () => {
    const server = new Server();
    const client = open(server, { headerName: "X-Authorization" });
    await client.login(ANNA);
    server.apiFaults.push((_, request) => {
      assert.match(request.headers.get("X-Authorization"), /^Bearer /);
      assert.equal(request.headers.get("Authorization"), "Basic YTpi");
      return answer(200, {});
    });
    const response = await client.fetch(API, { headers: { Authorization: "Basic YTpi" } });
    assert.equal(response.status, 200);
  });

  test("of nobody goes out without a token, and its 401 comes back", async () => {
    const server = new Server();
    const client = open(server);
    assert.equal((await client.fetch(API)).status, 401);
    assert.equal((await client.fetch(API)).status, 401);
    assert.equal(server.refreshes, 0); // the page has no marker
    assert.deepEqual(client.events, []);
  });

  test("refreshes before the token ends", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    client.clock.advance(289);
    await client.fetch(API);
    assert.equal(server.refreshes, 0);
    client.clock.advance(2);
    assert.equal((await (await client.fetch(API)).json()).token, "access-session-1-1");
    assert.equal(server.refreshes, 1);
    assert.deepEqual(client.events, ["signedin", "refreshed"]);
  });

  test("after a 401 refreshes and repeats itself once, with its body", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.valid.clear();
    const found = await (await client.fetch(API, { method: "POST", body: "a note" })).json();
    assert.deepEqual([found.text, found.token], ["a note", "access-session-1-1"]);
    assert.equal(server.count("POST", "/notes/"), 2);
  });

  test("that is a Request with a body is repeated too", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.valid.clear();
    const request = new Request(API, { method: "POST", body: "a note" });
    assert.equal((await (await client.fetch(request)).json()).text, "a note");
  });

  test("that is a Request with other options is repeated with both", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.valid.clear();
    const request = new Request(API, { method: "PUT", headers: { "X-Page": "7" }, body: "old" });
    assert.equal((await (await client.fetch(request, { body: "new" })).json()).text, "new");
    const { headers } = server.log.at(-1);
    assert.deepEqual([server.count("PUT", "/notes/"), headers.get("X-Page")], [2, "7"]);
    assert.equal((await client.fetch(request)).status, 200); // the client has not used up the page's Request
  });

  test("that is a form with a file is repeated with the file, after a refresh in the middle", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.valid.clear();
    const body = new FormData();
    body.append("file", new File(["a file"], "note.txt"));
    const { text } = await (await client.fetch(API, { method: "POST", body })).json();
    assert.match(text, /note\.txt[^]*a file/);
    assert.equal(server.count("POST", "/notes/"), 2);
  });

  test("is not repeated twice", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.valid = { has: () => false, add: () => {} };
    assert.equal((await client.fetch(API)).status, 401);
    assert.equal(server.count("GET", "/notes/"), 2);
    assert.equal(client.signedIn, true);
  });

  test("after a 401 does not refresh again what was refreshed meanwhile", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.valid.clear();
    await Promise.all([client.fetch(API), client.fetch(API), client.fetch(API)]);
    assert.equal(server.refreshes, 1);
  });

  test("whose 401 comes late is repeated with the token that has come meanwhile", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.apiFaults.push(async () => {
      await client.refresh();
      return refuse(401, "token_expired");
    });
    assert.equal((await (await client.fetch(API)).json()).token, "access-session-1-1");
    assert.equal(server.refreshes, 1);
  });

  test("is never repeated as somebody else, who logged in meanwhile", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.apiFaults.push(async () => {
      await client.login({ username: "bob", password: "right" });
      return refuse(401, "session_ended");
    });
    const response = await client.fetch(API, { method: "POST", body: "anna's" });
    assert.equal(response.status, 401);
    assert.equal(server.count("POST", "/notes/"), 1);
    assert.equal(client.user.username, "bob");
  });

  test("with the access token in a cookie has no header, and lives on it", async () => {
    const server = new Server({ accessCookie: true });
    const client = open(server);
    await client.login(ANNA);
    assert.equal(await client.token(), null);
    await client.fetch(API);
    assert.equal(server.log.at(-1).headers.has("Authorization"), false);
    client.clock.advance(299);
    await client.fetch(API);
    assert.equal(server.refreshes, 1);
  });

  test("that its caller gives up waits for no refresh", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    client.clock.advance(300);
    server.faults.push(hang);
    const controller = new AbortController();
    const pending = client.fetch(API, { signal: controller.signal });
    await settle();
    controller.abort();
    await assert.rejects(pending, { name: "AbortError" });
    await assert.rejects(client.fetch(API, { signal: controller.signal }), { name: "AbortError" });
    assert.equal(server.count("GET", "/notes/"), 0);
  });

  test("is not held up by a server of tokens that cannot be reached, while its token is good", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => refuse(503, "temporarily_unavailable"));
    assert.equal((await client.fetch(API)).status, 200);
  });
});

describe("refreshing", () => {
  test("twenty calls at once are one request", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.delay = 20;
    await Promise.all(Array.from({ length: 20 }, () => client.refresh()));
    assert.equal(server.refreshes, 1);
    await client.refresh();
    assert.equal(server.refreshes, 2);
  });

  for (const [name, fault] of Object.entries({
    "a 503": () => refuse(503, "revocation_unavailable", { "Retry-After": "0" }),
    "a 502 of a proxy": () => answer(502, "<h1>Bad gateway</h1>"),
    "a 429": () => refuse(429, "throttled"),
    "no network": () => Promise.reject(new TypeError("Failed to fetch")),
    "an answer that is not ours": () => answer(200, { hello: "captive portal" }),
    "half an answer": () => answer(200, '{"access": "a'),
    "a 401 that is not ours": () => answer(401, "<h1>Log in to this network</h1>"),
    "an answer that is lost after the server has done its part": async (act) => {
      await act();
      throw new TypeError("Failed to fetch");
    },
  })) {
    test(`is tried again after ${name}`, async () => {
      const server = new Server();
      const client = open(server);
      await client.login(ANNA);
      server.faults.push(fault, fault, fault);
      await client.refresh();
      assert.equal(server.refreshes, 4);
      assert.deepEqual(client.events, ["signedin", "refreshed"]);
    });
  }

  test("waits for as long as the server asks", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => refuse(503, "temporarily_unavailable", { "Retry-After": "1" }));
    const begun = Date.now();
    await client.refresh();
    assert.ok(Date.now() - begun >= 990);
  });

  test("is given up when nobody has the patience any more, and nobody is logged out", async () => {
    const server = new Server();
    const client = open(server, { patience: 1, environment: { random: () => 0 } }); // each 50 ms
    await client.login(ANNA);
    server.faults.push(...Array(1000).fill(() => refuse(503, "temporarily_unavailable")));
    await assert.rejects(client.refresh(), { code: "temporarily_unavailable", passing: true });
    await settle(200);
    const asked = server.refreshes;
    await settle(300);
    assert.equal(server.refreshes, asked); // no refresh in the background
    assert.deepEqual([client.signedIn, client.events], [true, ["signedin"]]);
    server.faults.length = 0;
    await client.refresh();
  });

  test("that takes longer than half of the grace window is asked for again", async () => {
    const server = new Server();
    const client = open(server, { grace: 0.2 }); // and the patience, which is long, does not end
    await client.login(ANNA);
    let aborted = false;
    server.faults.push(
      (_, request) =>
        new Promise((_resolve, reject) => {
          request.signal.addEventListener("abort", () => {
            aborted = true;
            reject(request.signal.reason);
          });
        }),
    );
    await client.refresh();
    assert.equal(aborted, true);
    assert.ok(server.refreshes >= 2);
  });

  for (const code of ["session_revoked", "refresh_reused", "refresh_lost", "refresh_invalid", "user_inactive"]) {
    test(`is over after the refusal ${code}`, async () => {
      const server = new Server();
      const client = open(server);
      await client.login(ANNA);
      server.faults.push(() => refuse(401, code));
      await assert.rejects(client.refresh(), { code, status: 401 });
      assert.deepEqual(client.events, ["signedin", `signedout: ${code}`]);
      assert.deepEqual([client.signedIn, client.user, await client.token()], [false, null, null]);
      assert.equal(server.refreshes, 1);
    });
  }

  for (const [name, body] of [
    ["drf-standardized-errors", { type: "client_error", errors: [{ code: "refresh_reused", detail: "No.", attr: null }] }],
    ["JSON:API", { errors: [{ status: "401", code: "refresh_reused", detail: "No." }] }],
    ["an envelope", { error: { message: "No.", code: "refresh_reused" }, data: null }],
    ["a handler with one more key", { detail: "No.", status_code: 401, code: "refresh_reused" }],
  ]) {
    test(`is over after a refusal in the body of ${name}`, async () => {
      const server = new Server();
      const client = open(server);
      await client.login(ANNA);
      server.faults.push(() => answer(401, body));
      await assert.rejects(client.refresh(), { code: "refresh_reused", detail: "No.", status: 401 });
      assert.deepEqual(client.events, ["signedin", "signedout: refresh_reused"]);
    });
  }

  test("that fails a CSRF check is told, and changes nothing", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => refuse(403, "csrf_origin"));
    await assert.rejects(client.refresh(), { code: "csrf_origin", status: 403 });
    assert.deepEqual([client.signedIn, server.refreshes], [true, 1]);
    await client.refresh();
  });

  test("a refused one rejects the request that needed it", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.live.clear();
    client.clock.advance(300);
    await assert.rejects(client.fetch(API), TesseraError);
    assert.equal(server.count("GET", "/notes/"), 0);
  });

  test("with a clock that is ten minutes off, before and after, changes nothing", async () => {
    for (const shift of [-600_000, 600_000]) {
      const server = new Server();
      const clock = new Clock();
      const client = open(server, { clock });
      clock.shift = shift;
      await client.login(ANNA);
      await client.fetch(API);
      assert.equal(server.refreshes, 0);
      clock.advance(295);
      await client.fetch(API);
      assert.equal(server.refreshes, 1);
    }
  });

  test("comes early when the clock jumps ahead, as after sleep, and not late when it jumps back", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    client.clock.shift = 600_000;
    await client.fetch(API);
    assert.equal(server.refreshes, 1);
    client.clock.shift = -600_000;
    client.clock.advance(295);
    await client.fetch(API);
    assert.equal(server.refreshes, 2);
  });

  test("sends Django's CSRF token to its own origin, for browsers that say nothing of origins", async () => {
    const server = new Server();
    const cookies = () => "a=1; csrftoken=abc; b=2; tessera_signed_in=1";
    await open(server, { environment: { cookies } }).login(ANNA);
    assert.equal(server.log[0].headers.get("X-CSRFToken"), "abc");
    const location = new URL("https://app.example.com/");
    await open(server, { environment: { cookies, location } }).login(ANNA);
    assert.equal(server.log[1].headers.has("X-CSRFToken"), false);
    await open(server, { transport: "header", environment: { cookies } }).login(ANNA);
    assert.equal(server.log.at(-1).headers.has("X-CSRFToken"), false);
  });

  test("a listener that throws disturbs nobody", async () => {
    const heard = [];
    const client = open(new Server(), { environment: { reportError: (error) => heard.push(error.message) } });
    client.on("refreshed", () => {
      throw new Error("mine");
    });
    client.on("refreshed", () => heard.push("second"));
    await client.login(ANNA);
    await client.refresh();
    assert.deepEqual(heard, ["mine", "second"]);
  });

  test("a listener that was taken off hears nothing", async () => {
    const heard = [];
    const client = open(new Server());
    const off = client.on("signedin", () => heard.push(1));
    off();
    await client.login(ANNA);
    assert.deepEqual(heard, []);
  });
});

describe("the transport header", () => {
  test("keeps the refresh token that it has when the answer has none", async () => {
    const server = new Server();
    const client = open(server, { transport: "header" });
    await client.login(ANNA);
    server.faults.push(() => answer(200, { access: "a", expires_in: 300, session: "session-1" }));
    await client.refresh();
    await client.refresh();
    assert.deepEqual(
      server.log.filter((entry) => entry.path.endsWith("refresh/")).map((entry) => JSON.parse(entry.text).refresh),
      ["session-1:0", "session-1:0"],
    );
    await client.refresh();
    assert.equal(JSON.parse(server.log.at(-1).text).refresh, "session-1:1");
  });

  test("sends no cookies", async () => {
    const server = new Server();
    const client = open(server, { transport: "header" });
    await client.login(ANNA);
    assert.equal(server.log.at(-1).request.credentials, "omit");
    await open(server).login(ANNA);
    assert.equal(server.log.at(-1).request.credentials, "include");
  });

  test("has nothing to restore", async () => {
    const server = new Server();
    const client = open(server, { transport: "header" });
    assert.equal(await client.restore(), false);
    await assert.rejects(client.refresh(), { code: "signed_out" });
    assert.equal(server.log.length, 0);
  });

  test("keeps its refresh token if nothing was rotated", async () => {
    const server = new Server();
    const client = open(server, { transport: "header" });
    await client.login(ANNA);
    server.inWindow = true;
    await client.refresh();
    await client.refresh();
    assert.deepEqual(JSON.parse(server.log.at(-1).text), { refresh: "session-1:0" });
  });

  test("logs out by its refresh token", async () => {
    const server = new Server();
    const client = open(server, { transport: "header" });
    await client.login(ANNA);
    assert.deepEqual(await client.logout(), { revoked: true });
    assert.deepEqual(JSON.parse(server.log.at(-1).text), { refresh: "session-1:0" });
    assert.deepEqual(await client.logout(), { revoked: false });
  });
});

describe("a reload", () => {
  test("gets the session back by the cookie, with its user", async () => {
    const server = new Server();
    await open(server).login(ANNA);
    closeAll();
    const client = open(server);
    assert.equal(await client.restore(), true);
    assert.deepEqual(client.user, { id: 1, username: "restored" });
    assert.deepEqual(client.events, ["signedin"]);
    await client.refresh();
    assert.equal(JSON.parse(server.log.at(-1).text).with_user, undefined); // the client already knows the user
  });

  test("is not needed for the first request to find the session", async () => {
    const server = new Server();
    await open(server).login(ANNA);
    closeAll();
    assert.equal((await open(server).fetch(API)).status, 200);
  });

  test("of a stranger is no event", async () => {
    const client = open(new Server());
    assert.equal(await client.restore(), false);
    assert.deepEqual(client.events, []);
  });

  test("while the server cannot be reached says so, and can be tried again", async () => {
    const server = new Server();
    await open(server).login(ANNA);
    closeAll();
    const client = open(server, { patience: 1 });
    server.faults.push(...Array(1000).fill(() => Promise.reject(new TypeError("offline"))));
    await assert.rejects(client.restore(), { code: "unavailable", passing: true });
    server.faults.length = 0;
    assert.equal(await client.restore(), true);
  });
});

describe("logging out", () => {
  test("ends the session, and says so once", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    assert.deepEqual(await client.logout(), { revoked: true });
    assert.deepEqual(client.events, ["signedin", "signedout: logout"]);
    assert.equal(server.live.size, 0);
    assert.equal(await client.restore(), false);
  });

  test("is at once, also while the server cannot be reached, and says that it was not told", async () => {
    const server = new Server();
    const client = open(server, { patience: 0.2 });
    await client.login(ANNA);
    server.faults.push(...Array(1000).fill(() => refuse(503, "temporarily_unavailable")));
    const pending = client.logout();
    assert.equal(client.signedIn, false);
    await assert.rejects(pending, { code: "temporarily_unavailable" });
    server.faults.length = 0;
    await client.fetch(API);
    assert.deepEqual(client.events, ["signedin", "signedout: logout"]); // the cookie does not log in again
    assert.equal(server.refreshes, 0);
    await assert.rejects(client.refresh(), { code: "session_ended", status: 401 });
    assert.equal(client.signedIn, false);
  });

  test("that is still tried does not end the session of the next login", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => refuse(503, "temporarily_unavailable", { "Retry-After": "60" }));
    const pending = assert.rejects(client.logout(), { code: "temporarily_unavailable" });
    await settle();
    await client.login({ username: "bob", password: "right" });
    await pending;
    await settle();
    assert.equal(server.live.has(client.session), true);
    assert.equal(client.user.username, "bob");
  });

  test("goes on telling the server when the page is left", async () => {
    const server = new Server();
    const kept = [];
    const fetch = (address, init) => (kept.push([address.split("/").at(-2), init.keepalive]), server.fetch(address, init));
    const client = open(server, { environment: { fetch } });
    await client.login(ANNA);
    await client.logout();
    assert.deepEqual(kept, [["token", false], ["revoke", true]]);
  });

  test("names its session: the cookie may be another login's by now", async () => {
    const server = new Server();
    const alone = { environment: { BroadcastChannel: undefined } };
    const [stale, other] = [open(server, alone), open(server, alone)];
    await stale.login(ANNA);
    await other.login({ username: "bob", password: "right" });
    assert.deepEqual(await stale.logout(), { revoked: false });
    assert.deepEqual(JSON.parse(server.log.at(-1).text), { session: "session-1" });
    assert.equal(server.live.has(other.session), true);
    await other.refresh();
    assert.equal(other.user.username, "bob");
  });

  for (const transport of ["cookie", "header"]) {
    test(`that the server has not heard can be tried again (${transport})`, async () => {
      const server = new Server();
      const client = open(server, { transport, patience: 0.2 });
      await client.login(ANNA);
      server.faults.push(...Array(1000).fill(() => refuse(503, "temporarily_unavailable")));
      await assert.rejects(client.logout(), { code: "temporarily_unavailable" });
      server.faults.length = 0;
      assert.deepEqual(await client.logout(), { revoked: true });
      assert.deepEqual(await client.logout(), { revoked: false });
      assert.deepEqual(client.events, ["signedin", "signedout: logout"]);
    });
  }

  test("does not wait for ever for an answer", async () => {
    const server = new Server();
    const client = open(server, { grace: 0.1 });
    await client.login(ANNA);
    server.faults.push(hang);
    assert.deepEqual(await client.logout(), { revoked: true });
  });

  test("is told to the server again after a passing trouble", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => refuse(503, "temporarily_unavailable"));
    assert.deepEqual(await client.logout(), { revoked: true });
  });

  test("is not undone by a refresh that was on its way", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    let release;
    server.faults.push(async (act) => {
      const late = await act();
      await new Promise((resolve) => (release = resolve));
      return late;
    });
    const pending = client.refresh();
    await settle();
    await client.logout();
    release();
    await assert.rejects(pending, { code: "superseded" });
    await settle();
    assert.equal(client.signedIn, false);
    assert.deepEqual(client.events, ["signedin", "signedout: logout"]);
  });

  test("everywhere, everywhere else, and one session", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    assert.deepEqual(await client.sessions(), [{ id: "session-1" }]);
    assert.deepEqual(await client.logoutOthers(), { revoked: 1 });
    assert.equal(server.count("DELETE", "/api/token/sessions/others/"), 1);
    await client.endSession("session-9");
    assert.equal(client.signedIn, true);
    await client.endSession("session-1");
    assert.equal(client.signedIn, false);
    await client.login(ANNA);
    await client.logoutAll();
    assert.equal(client.events.at(-1), "signedout: logout_all");
    await assert.rejects(client.sessions(), { code: "signed_out" });
  });

  test("everywhere that fails leaves the page logged in", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => refuse(500, "x"));
    await assert.rejects(client.logoutAll(), { status: 500 });
    assert.equal(client.signedIn, true);
  });
});

describe("tabs", () => {
  test("that refresh at once send one request, and all get its token", async () => {
    const [server, clients] = await openTabs(5);
    server.delay = 20;
    await Promise.all(clients.map((client) => client.refresh()));
    assert.equal(server.refreshes, 1);
    assert.deepEqual(new Set(await Promise.all(clients.map((client) => client.token()))).size, 1);
  });

  test("without Web Locks refresh each for itself, and stay logged in", async () => {
    const [server, clients] = await openTabs(3, { locks: null });
    await Promise.all(clients.map((client) => client.refresh()));
    assert.ok(server.refreshes <= 3);
    assert.ok(clients.every((client) => client.signedIn));
  });

  test("without BroadcastChannel refresh one after the other", async () => {
    const [server, clients] = await openTabs(3, { channel: null });
    await Promise.all(clients.map((client) => client.refresh()));
    assert.equal(server.refreshes, 3);
    assert.ok(clients.every((client) => client.signedIn));
  });

  test("are logged in together and logged out together", async () => {
    const [, clients] = tabs(3);
    await clients[0].login(ANNA);
    await settle();
    assert.deepEqual(clients.map((client) => client.user?.username), ["anna", "anna", "anna"]);
    await clients[1].logout();
    await settle();
    assert.deepEqual(clients.map((client) => client.signedIn), [false, false, false]);
    assert.deepEqual(clients[2].events, ["signedin", "signedout: logout"]);
  });

  test("follow another login", async () => {
    const [, [first, second]] = tabs(2);
    await first.login(ANNA);
    await settle();
    await second.login({ username: "bob", password: "right" });
    await settle();
    assert.equal(first.user.username, "bob");
  });

  test("a logout that is still tried does not end the login of another tab", async () => {
    const [server, [first, second]] = tabs(2);
    await first.login(ANNA);
    await settle();
    server.faults.push(() => refuse(503, "temporarily_unavailable", { "Retry-After": "60" }));
    const pending = first.logout().catch((error) => error.code);
    await settle();
    await second.login({ username: "bob", password: "right" });
    assert.equal(await pending, "temporarily_unavailable");
    await settle();
    assert.equal(server.live.has(second.session), true);
    assert.deepEqual([first.user.username, second.user.username], ["bob", "bob"]);
  });

  test("one of which is closed go on, and the closed one tells nobody", async () => {
    const [server, [first, second]] = await openTabs(2);
    first.close();
    first.close(); // React's StrictMode cleans up twice
    await first.refresh();
    await first.logout();
    await settle();
    assert.equal(second.signedIn, true);
    assert.equal(server.live.size, 0);
  });

  test("share the refusal of a session", async () => {
    const [server, [first, second]] = tabs(2);
    await first.login(ANNA);
    await settle();
    server.live.clear();
    await assert.rejects(first.refresh());
    await settle();
    assert.deepEqual(second.events, ["signedin", "signedout: session_revoked"]);
  });

  test("do not bring a session back that one of them has ended", async () => {
    const [server, [first, second]] = tabs(2);
    await first.login(ANNA);
    await settle();
    let release;
    server.faults.push(async (act) => {
      const late = await act();
      await new Promise((resolve) => (release = resolve));
      return late;
    });
    const pending = second.refresh().catch((error) => error.code);
    await settle();
    await first.logout();
    release(); // the second tab cannot know of the logout yet, and sends its grant to the first tab
    await pending;
    await settle();
    assert.deepEqual([first.signedIn, second.signedIn], [false, false]);
    assert.equal(first.events.at(-1), "signedout: logout");
  });

  test("a late message about an earlier session does nothing to a later one", async () => {
    const [, [first, second]] = tabs(2);
    await first.login(ANNA);
    await settle();
    const channel = new BroadcastChannel(`tessera:${BASE}`);
    const heard = [];
    channel.onmessage = ({ data }) => heard.push(data);
    await second.refresh();
    await settle();
    await first.login(ANNA);
    await settle();
    for (const message of heard.filter(({ tag }) => tag !== heard.at(-1).tag)) {
      channel.postMessage(message);
      channel.postMessage({ ...message, type: "ended", reason: "logout" });
    }
    await settle();
    channel.close();
    await second.refresh();
    assert.deepEqual([first.session, second.session], ["session-2", "session-2"]);
  });

  test("of pages that keep the refresh token themselves are strangers to each other", async () => {
    const server = new Server();
    const environment = { locks: new Locks() };
    const [first, second] = [1, 2].map(() => open(server, { transport: "header", environment }));
    await first.login(ANNA);
    await settle();
    assert.equal(second.signedIn, false);
  });

  test("a refresh that hangs in one tab does not hold the others up for ever", async () => {
    const locks = new Locks();
    const server = new Server();
    const [first, second] = [1, 2].map(() => open(server, { grace: 0.2, environment: { locks } }));
    await first.login(ANNA);
    await settle();
    server.faults.push(hang);
    await Promise.all([first.refresh(), second.refresh()]); // long before the patience ends
  });
});
