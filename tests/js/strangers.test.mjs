/** Pages of people who are not logged in: nobody waits, and nobody pays, for a session that does not exist. */

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { ANNA, answer, closeAll, hang, open, refuse, Server, settle } from "./world.mjs";

const PUBLIC = "https://api.example.com/public/";
const ELSEWHERE = { location: new URL("https://app.example.com/"), crypto: undefined };

afterEach(closeAll);

const free = (server, count = 50) => server.apiFaults.push(...Array(count).fill(() => answer(200, { public: true })));
const refuseAll = (server, fault) => server.faults.push(...Array(1000).fill(fault));

for (const [name, fault] of Object.entries({
  down: () => Promise.reject(new TypeError("Failed to fetch")),
  throttled: () => refuse(429, "throttled", { "Retry-After": "60" }),
  slow: hang,
})) {
  describe(`while the token endpoints are ${name}`, () => {
    test("a public page of the same origin asks them nothing", async () => {
      const server = new Server();
      const client = open(server);
      free(server);
      refuseAll(server, fault);
      assert.equal((await client.fetch(PUBLIC)).status, 200);
      assert.equal((await client.fetch(PUBLIC, { method: "POST", body: "x" })).status, 200);
      assert.equal(await client.restore(), false);
      assert.equal(server.refreshes, 0);
      assert.equal(client.status, "signedout");
    });

    test("a public page of another origin does not wait for them", async () => {
      const server = new Server();
      const client = open(server, { environment: ELSEWHERE });
      free(server);
      refuseAll(server, fault);
      const begun = Date.now();
      assert.equal((await client.fetch(PUBLIC)).status, 200);
      assert.ok(Date.now() - begun < 60_000); // the patience of these tests is twice as long
      assert.equal(client.status, "unknown");
    });
  });
}

test("a page of another origin asks once, and nobody is no error", async () => {
  const server = new Server();
  const client = open(server, { environment: ELSEWHERE });
  free(server);
  const answers = [];
  server.faults.push(async (act) => {
    const found = await act();
    answers.push(found.status);
    return found;
  });
  for (let number = 0; number < 3; number += 1) await client.fetch(PUBLIC);
  assert.deepEqual([server.refreshes, answers, client.status, client.events], [1, [204], "signedout", []]);
});

test("a page of another origin finds its session, also if the answer comes late", async () => {
  const server = new Server();
  await open(server).login(ANNA);
  closeAll();
  const client = open(server, { environment: ELSEWHERE });
  server.faults.push(async (act) => (await settle(1500), act()));
  const response = await client.fetch("https://api.example.com/notes/"); // goes out without a token, and is refused
  assert.equal(response.status, 200);
  assert.deepEqual(server.log.filter(({ path }) => path === "/notes/").map(({ headers }) => headers.get("Authorization")), [
    null,
    "Bearer access-session-1-1",
  ]);
});

test("a request that changes something waits for the session", async () => {
  const server = new Server();
  await open(server).login(ANNA);
  closeAll();
  const client = open(server, { environment: ELSEWHERE });
  server.faults.push(async (act) => (await settle(1500), act()));
  await client.fetch("https://api.example.com/notes/", { method: "POST", body: "anna's" });
  assert.equal(server.count("POST", "/notes/"), 1);
  assert.equal(server.log.at(-1).headers.get("Authorization"), "Bearer access-session-1-1");
});

test("a session that began in a popup or in a page of the server is found by the next request", async () => {
  const server = new Server();
  const client = open(server, { environment: { BroadcastChannel: undefined } });
  assert.equal((await client.fetch(PUBLIC)).status, 401);
  await open(server, { environment: { BroadcastChannel: undefined } }).login(ANNA);
  assert.equal((await client.fetch(PUBLIC)).status, 200);
  assert.deepEqual(client.events, ["signedin"]);
});

test("a session that has ended is asked for once, and not at each page", async () => {
  const server = new Server();
  await open(server).login(ANNA);
  closeAll();
  server.live.clear();
  assert.equal(await open(server).restore(), false);
  assert.equal(await open(server).restore(), false);
  assert.equal(server.refreshes, 1);
});
