/** Many tabs: they wait for a token and not for each other, and other scripts of the origin hear no token. */

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { ANNA, BASE, closeAll, Locks, open, openTabs, refuse, settle, tabs } from "./world.mjs";

const API = "https://api.example.com/notes/";
const NAME = `tessera:${BASE}`;

afterEach(closeAll);

/** A tab that has the lock and never gives it back, such as a page in a debugger. */
function suspend(locks) {
  return new Promise((resolve) => locks.request(NAME, {}, () => (resolve(), new Promise(() => {}))).catch(() => {}));
}

/** All messages between the tabs. */
function listen() {
  const channel = new BroadcastChannel(NAME);
  const heard = [];
  channel.onmessage = ({ data }) => heard.push(data);
  channel.unref();
  return Object.assign(heard, { channel });
}

describe("a tab that waits for a token", () => {
  test("goes on with the token of another tab, although it never gets the lock", async () => {
    const locks = new Locks();
    const [server, [first, second]] = await openTabs(2, { locks, lease: 600_000 });
    await suspend(locks);
    second.clock.advance(300);
    const pending = second.fetch(API);
    await settle();
    assert.equal(server.refreshes, 0);
    const environment = { locks: null };
    const third = open(server, { environment, clock: first.clock });
    await third.restore(); // a tab without the lock
    assert.equal((await pending).status, 200);
    assert.equal((await first.fetch(API)).status, 200);
    assert.equal(server.refreshes, 1);
  });

  test("does not wait for a tab that had nothing to tell", async () => {
    const slow = Array.from({ length: 5 }, () => () => refuse(403, "csrf_origin"));
    const [server, clients] = await openTabs(5);
    server.faults.push(...slow);
    const { setTimeout } = globalThis;
    const waits = [];
    globalThis.setTimeout = (action, wait, ...more) => (waits.push(wait), setTimeout(action, wait, ...more));
    try {
      await Promise.allSettled(clients.map((client) => client.refresh()));
    } finally {
      globalThis.setTimeout = setTimeout;
    }
    assert.equal(server.refreshes, 5);
    assert.equal(waits.includes(50), false); // no tab kept the lock
  });

  test("takes the lock from a tab that says nothing for the time of a lease", async () => {
    const locks = new Locks();
    const [server, [first, second]] = await openTabs(2, { locks, lease: 40 });
    await suspend(locks);
    await first.refresh();
    await settle(100);
    await second.refresh(); // the lock is in order again
    assert.equal(server.refreshes, 2);
  });

  test("leaves the lock to a tab that says that it is busy", async () => {
    const locks = new Locks();
    const [server, [first]] = await openTabs(1, { locks, lease: 400 });
    await suspend(locks);
    const other = listen();
    const busy = setInterval(() => other.channel.postMessage({ version: 1, type: "busy" }), 40);
    const pending = first.refresh();
    await settle(1500);
    assert.equal(server.refreshes, 0);
    clearInterval(busy);
    await pending;
    other.channel.close();
  });

  test("whose lock was taken goes on, and is not logged out", async () => {
    const [server, [first, second]] = await openTabs(2, { lease: 40 });
    let release;
    server.faults.push(async (act) => {
      await new Promise((resolve) => (release = resolve));
      return act();
    });
    const pending = first.refresh();
    await settle();
    await second.refresh();
    release();
    await pending;
    await Promise.all([first.refresh(), second.refresh()]);
    assert.deepEqual([first.signedIn, second.signedIn], [true, true]);
  });

  test("goes on without the lock if the browser does not allow it", async () => {
    const locks = { request: () => Promise.reject(new DOMException("No.", "SecurityError")) };
    const [server, clients] = await openTabs(2, { locks, lease: 600_000 });
    await Promise.all(clients.map((client) => client.refresh()));
    assert.equal(server.refreshes, 2);
  });

  test("stops to wait if the user logs out", async () => {
    const locks = new Locks();
    const [, [first, second]] = await openTabs(2, { locks, lease: 600_000 });
    await suspend(locks);
    const pending = assert.rejects(first.refresh(), { code: "superseded" });
    await settle();
    await second.logout();
    await pending;
  });

  test("pauses no longer than until another tab has a token", async () => {
    const [server, [first, second]] = await openTabs(2);
    server.faults.push(() => refuse(503, "temporarily_unavailable", { "Retry-After": "60" }));
    const pending = first.refresh();
    await settle();
    await second.refresh();
    await pending;
  });
});

describe("another script of the origin", () => {
  test("hears neither a token nor a session", async () => {
    const heard = listen();
    const [, [first, second]] = await openTabs(2);
    await first.refresh();
    await settle();
    const token = await second.token();
    await first.logout();
    while (!heard.some(({ type }) => type === "ended")) await settle(); // a busy machine delivers messages late
    heard.channel.close();
    assert.deepEqual([...new Set(heard.map(({ type }) => type))].sort(), ["busy", "ended", "grant"]);
    assert.ok(heard.some(({ box }) => box));
    const text = heard.map((message) => JSON.stringify(message) + Buffer.from(message.box ?? "").toString("latin1")).join();
    assert.ok(token.startsWith("access-session-1-"));
    assert.equal(text.includes("access-"), false);
    assert.equal(text.includes("session-1"), false);
  });

  test("can say anything, and another version of the client too, without harm", async () => {
    const heard = listen();
    const [server, [first, second]] = await openTabs(2);
    const grant = heard.find(({ box }) => box);
    for (const message of [
      null,
      "hello",
      { type: "ended", tag: grant.tag, reason: "logout" },
      { version: 2, type: "ended", tag: grant.tag, reason: "logout" },
      { version: 1, type: "grant", tag: grant.tag, age: 0, iv: grant.iv, box: new Uint8Array(40) },
      { version: 1, type: "grant", tag: grant.tag, age: 0, box: "x" },
      { version: 1, type: "nonsense" },
    ]) {
      heard.channel.postMessage(message);
    }
    await settle();
    heard.channel.close();
    assert.deepEqual([first.signedIn, second.signedIn], [true, true]);
    await first.refresh();
    await settle();
    assert.equal(await first.token(), await second.token());
    assert.equal(server.refreshes, 1);
  });

  test("on a page without TLS there is no key, and each tab asks for its own token", async () => {
    const heard = listen();
    const [server, clients] = await openTabs(3, { crypto: undefined });
    await Promise.all(clients.map((client) => client.refresh()));
    await settle();
    heard.channel.close();
    assert.equal(server.refreshes, 3);
    assert.equal(JSON.stringify(heard).includes("access-"), false);
    await clients[0].logout();
    await settle();
    assert.deepEqual(clients.map(({ signedIn }) => signedIn), [false, false, false]);
  });
});

test("a tab that hears of a login knows the user, and asks for a token when it needs one", async () => {
  const [server, [first, second]] = tabs(2);
  await first.login(ANNA);
  await settle();
  assert.deepEqual([second.signedIn, second.user.username, second.session], [true, "anna", null]);
  assert.equal(server.refreshes, 0);
  assert.equal((await second.fetch(API)).status, 200);
  assert.deepEqual([second.session, server.refreshes], ["session-1", 1]);
});
