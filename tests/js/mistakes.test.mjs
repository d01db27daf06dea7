/** Mistakes in the configuration: an error at once that says what to look at. Weather: tried again. */

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { createClient } from "../../src/drf_tessera/static/drf_tessera/client.js";
import { checks } from "../../src/drf_tessera/static/drf_tessera/checks.js";
import { ANNA, answer, BASE, closeAll, open, refuse, Server } from "./world.mjs";

afterEach(closeAll);

const html = (status) => answer(status, "<!doctype html><h1>Hello</h1>", { "Content-Type": "text/html" });

/** A page that believes that there is a session. */
function openBelieving(server, options) {
  server.marker = true;
  return open(server, options);
}

describe("an answer that shows a mistake is told at once", () => {
  for (const [name, [fault, expected]] of Object.entries({
    "404": [() => html(404), /POST https:.*token\/.*: 404 text\/html. Nothing is.*baseUrl/],
    "405": [() => answer(405, { detail: "Method \"POST\" not allowed." }), /405.*Another view.*baseUrl/],
    "415": [() => answer(415, { detail: "Unsupported media type." }), /415.*JSON/],
    "403 of a proxy": [() => html(403), /403 text\/html.*proxy/],
    "HTML with 200": [() => html(200), /200 text\/html.*not an answer of drf-tessera/],
    "JSON of something else": [() => answer(200, { hello: "world" }), /200.*not an answer of drf-tessera/],
  })) {
    test(name, async () => {
      const server = new Server();
      const client = openBelieving(server);
      for (const ask of [() => client.restore(), () => client.login(ANNA), () => client.fetch("/notes/")]) {
        server.faults.push(fault);
        await assert.rejects(ask(), (error) => {
          assert.deepEqual([error.code, error.passing], ["misconfigured", false]);
          assert.match(error.detail, expected);
          return true;
        });
      }
      assert.equal(server.log.length, 3); // each was asked for once
    });
  }

  test("404 also after the endpoints have answered, and nobody is logged out", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => html(404));
    await assert.rejects(client.refresh(), { code: "misconfigured", status: 404 });
    assert.equal(client.signedIn, true);
  });
});

test("a session that is not there is no mistake in the configuration", async () => {
  const server = new Server();
  const client = open(server);
  await client.login(ANNA);
  server.faults.push(() => refuse(404, "session_not_found"));
  await assert.rejects(client.endSession("other"), { code: "session_not_found", status: 404, detail: "No: session_not_found." });
});

test("a page that cannot load the explanations says what happened", async () => {
  const server = new Server();
  server.faults.push(() => html(404));
  const load = () => Promise.reject(new TypeError("Failed to fetch dynamically imported module"));
  const client = open(server, { parts: { checks: (kernel) => checks(kernel, load) } });
  await assert.rejects(client.login(ANNA), { code: "misconfigured", detail: "POST https://api.example.com/api/token/: 404 text/html" });
});

describe("weather is tried again", () => {
  for (const [name, fault] of Object.entries({
    "502 with HTML": () => html(502),
    "503": () => refuse(503, "temporarily_unavailable"),
    "half an answer": () => answer(200, '{"access": "a'),
    "no network": () => Promise.reject(new TypeError("Failed to fetch")),
  })) {
    test(`${name}, at the first question of a page`, async () => {
      const server = new Server();
      await open(server).login(ANNA);
      closeAll();
      server.faults.push(fault, fault);
      assert.equal(await open(server).restore(), true);
      assert.equal(server.refreshes, 3);
    });
  }

  test("a page of a hotel's network, if the endpoints have answered before", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => html(200), () => html(401), () => html(403));
    await client.refresh();
    assert.deepEqual(client.events, ["signedin", "refreshed"]);
  });
});

describe("a request that the browser does not let through", () => {
  const location = new URL("https://app.example.com/");
  const refused = () => Promise.reject(new TypeError("Failed to fetch"));

  test("names CORS, if the server can be reached without it", async () => {
    const fetch = (url, { mode }) => (mode === "no-cors" ? Promise.resolve(new Response()) : refused());
    const client = open(new Server(), { environment: { fetch, location } });
    await assert.rejects(client.restore(), (error) => {
      assert.deepEqual([error.code, error.passing], ["misconfigured", false]);
      assert.match(error.detail, /CORS_ALLOWED_ORIGINS = \["https:\/\/app.example.com"\]/);
      return true;
    });
  });

  test("is weather, if the server cannot be reached at all", async () => {
    const client = open(new Server(), { patience: 0.3, environment: { fetch: refused, location } });
    await assert.rejects(client.restore(), { code: "unavailable", passing: true });
    await assert.rejects(client.login(ANNA), { code: "unavailable", passing: true });
  });

  test("names the missing TLS of baseUrl", async () => {
    const environment = { fetch: refused, location };
    const client = open(new Server(), { baseUrl: "http://api.example.com/api/token/", environment });
    await assert.rejects(client.login(ANNA), { code: "misconfigured", detail: /page with https.*Use https in baseUrl/ });
  });
});

test("a relative address without a page is told at the first use, and not before", async () => {
  const client = createClient({ baseUrl: "/api/token/" }); // a module that a server imports, too
  assert.equal(client.status, "unknown");
  await assert.rejects(client.login(ANNA), { code: "misconfigured", detail: /"\/api\/token\/" is a relative address/ });
  await assert.rejects(client.fetch("/notes/"), { code: "misconfigured", detail: /"\/notes\/" is a relative address/ });
});

describe("a login whose cookies the browser drops", () => {
  const cases = [
    ["http://192.168.0.9:8000/api/token/", "http://192.168.0.9:8000/", /no TLS.*COOKIE_SECURE/],
    ["http://localhost:8000/api/token/", "http://localhost:8000/", /DEBUG/],
    ["https://api.example.com/api/token/", "https://api.example.com/", /blocks all cookies.*Set-Cookie/],
    ["https://api.example.com/api/token/", "https://example.org/", /another site.*COOKIE_SAMESITE/],
  ];
  for (const [baseUrl, page, expected] of cases) {
    test(`fails and says what to set: ${page}`, async () => {
      const server = new Server();
      const drop = (input, init) => server.fetch(input, init).finally(() => ([server.cookie, server.marker] = [null, false]));
      const client = open(server, { baseUrl, environment: { fetch: drop, location: new URL(page) } });
      await assert.rejects(client.login(ANNA), (error) => {
        assert.equal(error.code, "misconfigured");
        assert.match(error.detail, expected);
        return true;
      });
      assert.equal(client.signedIn, false);
      assert.equal(server.live.size, 0); // no session is left behind
    });
  }

  test("is no concern of a page of another origin whose cookies are kept", async () => {
    const server = new Server();
    const client = open(server, { environment: { location: new URL("https://app.example.com/") } });
    await client.login(ANNA);
    assert.equal(client.signedIn, true);
  });
});

test("the address of the endpoints may lack its last slash", async () => {
  const server = new Server();
  await open(server, { baseUrl: BASE.slice(0, -1) }).login(ANNA);
  assert.equal(server.count("POST", "/api/token/"), 1);
});
