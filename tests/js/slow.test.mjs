/** A server that answers refreshes too late: the client leaves it alone, and spends no recoveries. */

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { ANNA, answer, closeAll, hang, open, Server } from "./world.mjs";

const API = "https://api.example.com/notes/";

afterEach(closeAll);

async function openSlow(count) {
  const server = new Server();
  const client = open(server, { grace: 0.2 }); // gives up after 0.1 s
  await client.login(ANNA);
  client.clock.advance(300);
  server.faults.push(...Array(count).fill(hang));
  return [server, client];
}

describe("after two refreshes in a row that took too long", () => {
  test("the client does not ask for a while, and says for how long", async () => {
    const [server, client] = await openSlow(2);
    await assert.rejects(client.fetch(API), { code: "unavailable", passing: true, retryAfter: 0.2 });
    for (let number = 0; number < 5; number += 1) {
      await assert.rejects(client.fetch(API), { passing: true });
    }
    assert.equal(server.refreshes, 2);
    client.clock.advance(0.3);
    assert.equal((await client.fetch(API)).status, 200);
    assert.deepEqual([server.refreshes, client.signedIn], [3, true]);
  });

  test("each further one makes the break longer, and a good answer ends the count", async () => {
    const [server, client] = await openSlow(4);
    const breaks = [];
    for (let number = 0; number < 3; number += 1) {
      breaks.push((await client.refresh().catch((error) => error)).retryAfter);
      client.clock.advance(10);
    }
    assert.deepEqual(breaks, [0.2, 0.4, 0.8]);
    await client.refresh();
    server.faults.push(hang);
    await client.refresh(); // one late answer is tried again at once
    assert.equal(client.signedIn, true);
  });

  test("an answer that is an error is no late answer", async () => {
    const [server, client] = await openSlow(1);
    server.faults.push(() => answer(503, ""), hang, () => answer(503, ""), hang);
    await client.refresh();
    assert.equal(server.refreshes, 6);
  });

  test("a network that comes back ends the break", async () => {
    const server = new Server();
    const heard = [];
    const client = open(server, { grace: 0.2, environment: { onOnline: (listener) => heard.push(listener) } });
    await client.login(ANNA);
    server.faults.push(hang, hang);
    await assert.rejects(client.refresh(), { passing: true });
    for (const listener of heard) listener();
    await client.refresh();
  });

  test("the break does not hold up a request whose token is good", async () => {
    const server = new Server();
    const client = open(server, { grace: 0.2 });
    await client.login(ANNA);
    server.faults.push(hang, hang);
    await assert.rejects(client.refresh(), { passing: true });
    assert.equal((await client.fetch(API)).status, 200);
  });
});
