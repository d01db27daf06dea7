/** The core alone: log in, call, refresh, log out, in one tab. It tries once, and its errors are short. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { createClient, TesseraError } from "../../src/drf_tessera/static/drf_tessera/core.js";
import { retries } from "../../src/drf_tessera/static/drf_tessera/retries.js";
import { tabs } from "../../src/drf_tessera/static/drf_tessera/tabs.js";
import { ANNA, answer, closeAll, hang, open, refuse, Server, settle } from "./world.mjs";

const API = "https://api.example.com/notes/";

afterEach(closeAll);

const openCore = (server, options) => open(server, { ...options, create: createClient });

for (const transport of ["cookie", "header"]) {
  test(`logs in, calls, refreshes and logs out (${transport})`, async () => {
    const server = new Server();
    const client = openCore(server, { transport });
    assert.deepEqual(await client.login(ANNA), { id: 1, username: "anna" });
    assert.equal((await (await client.fetch(API)).json()).token, "access-session-1-0");
    server.valid.clear();
    assert.equal((await (await client.fetch(API, { method: "POST", body: "x" })).json()).text, "x");
    client.clock.advance(295);
    assert.equal((await client.fetch(API)).status, 200);
    assert.deepEqual(await client.logout(), { revoked: true });
    assert.deepEqual(client.events, ["signedin", "refreshed", "refreshed", "signedout: logout"]);
    assert.deepEqual(["sessions", "prove"].filter((name) => name in client), []);
  });
}

test("finds its session after a reload, and asks nothing for a stranger", async () => {
  const server = new Server();
  assert.equal(await openCore(server).restore(), false);
  assert.equal(server.log.length, 0);
  await openCore(server).login(ANNA);
  assert.equal(await openCore(server).restore(), true);
});

test("tries once, says that the trouble passes, and logs nobody out", async () => {
  const server = new Server();
  const client = openCore(server, { grace: 0.2 });
  await client.login(ANNA);
  for (const fault of [() => refuse(503, "temporarily_unavailable"), () => Promise.reject(new TypeError("offline")), hang]) {
    server.faults.push(fault, fault);
    await assert.rejects(Promise.all([client.refresh(), client.refresh()]), { passing: true });
    server.faults.length = 0;
  }
  assert.equal(server.refreshes, 3);
  server.faults.push(() => refuse(503, "temporarily_unavailable"));
  await assert.rejects(client.logout(), { passing: true });
  assert.deepEqual(await client.logout(), { revoked: true });
});

test("a refusal logs out, and a mistake is an error with its status", async () => {
  const server = new Server();
  const client = openCore(server);
  server.faults.push(() => answer(404, "<h1>Not here</h1>"), () => answer(200, { hello: "world" }));
  await assert.rejects(client.login(ANNA), { status: 404, passing: false, detail: "The server answered 404." });
  await assert.rejects(client.login(ANNA), { code: "misconfigured", passing: false });
  await client.login(ANNA);
  server.live.clear();
  await assert.rejects(client.refresh(), TesseraError);
  assert.deepEqual(client.events, ["signedin", "signedout: session_revoked"]);
});

test("leaves a demand of a view to the page", async () => {
  const server = new Server();
  const client = openCore(server);
  await client.login(ANNA);
  assert.equal((await client.fetch("https://api.example.com/payments/")).status, 401);
});

test("takes the parts that the page gives it", async () => {
  const server = new Server();
  const [first, second] = [1, 2].map(() => openCore(server, { parts: { tabs, retries } }));
  await first.login(ANNA);
  await settle();
  assert.equal(second.user.username, "anna");
  server.faults.push(() => refuse(503, "temporarily_unavailable"));
  await second.refresh();
  assert.deepEqual([server.refreshes, second.status], [2, "signedin"]);
});
