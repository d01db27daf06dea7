/** The client for pages and frameworks: grants from elsewhere, one store, storages of apps, a log. */

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { ANNA, answer, closeAll, open, openTabs, refuse, Server, settle, tabs } from "./world.mjs";

const API = "https://api.example.com/notes/";

afterEach(closeAll);

describe("a grant from elsewhere", () => {
  const grant = { access: "a", expires_in: 300, session: "s", user: { id: 3, username: "carl" } };

  test("logs in, here and in the other tabs", async () => {
    const [, [first, second]] = tabs(2);
    assert.deepEqual(await first.accept(grant), grant.user);
    assert.deepEqual([first.session, await first.token(), first.events], ["s", "a", ["signedin"]]);
    await settle();
    assert.equal(second.user.username, "carl");
  });

  test("takes the place of another login", async () => {
    const client = open(new Server());
    await client.login(ANNA);
    await client.accept(grant);
    assert.equal(client.user.username, "carl");
  });

  for (const transport of ["cookie", "header"]) {
    test(`can be given twice, as React does it in development (${transport})`, async () => {
      const server = new Server();
      const client = open(server, { transport });
      server.live.add("s");
      [server.cookie, server.marker] = ["s:0", true];
      for (let time = 0; time < 2; time += 1) await client.accept({ ...grant, refresh: "s:0" });
      await client.refresh();
      assert.deepEqual([client.user, client.events], [grant.user, ["signedin", "refreshed", "refreshed"]]);
    });
  }

  test("that is none is a mistake, and changes nothing", async () => {
    const client = open(new Server());
    for (const bad of [null, {}, { access: "a" }, { ...grant, expires_in: 0 }]) {
      await assert.rejects(client.accept(bad), { code: "misconfigured" });
    }
    assert.equal(client.signedIn, false);
    await client.login(ANNA);
    await assert.rejects(client.accept({}), { code: "misconfigured", passing: false });
    assert.equal(client.user.username, "anna");
  });
});

describe("the fields of a refused form", () => {
  test("are on the error", async () => {
    const server = new Server();
    const fields = { password: [{ message: "This field is required.", code: "required" }] };
    server.faults.push(() => answer(400, { detail: "The request is not valid.", code: "invalid_request", fields }));
    const error = await open(server).login({ email: "a", anything: [1, 2] }).catch((caught) => caught);
    assert.deepEqual([error.fields, error.code], [fields, "invalid_request"]);
    assert.deepEqual(JSON.parse(server.log[0].text).anything, [1, 2]);
    server.faults.push(() => refuse(401, "login_failed"));
    assert.equal((await open(server).login(ANNA).catch((caught) => caught)).fields, null);
  });
});

describe("the store", () => {
  test("has one object until something changes", async () => {
    const server = new Server();
    const client = open(server);
    const seen = [];
    const off = client.subscribe((snapshot) => seen.push(snapshot));
    assert.equal(seen[0], client.getSnapshot()); // at once, as Svelte wants it
    await client.login(ANNA);
    const during = client.getSnapshot();
    await client.refresh();
    await client.refresh();
    assert.equal(client.getSnapshot(), during); // a refresh renders nothing again
    await client.logout();
    off();
    await client.login(ANNA);
    assert.deepEqual(seen.map(({ status }) => status), ["unknown", "signedin", "signedout"]);
    assert.deepEqual(during, { status: "signedin", user: { id: 1, username: "anna" }, session: "session-1" });
  });

  test("knows when nobody is logged in", async () => {
    const client = open(new Server());
    assert.equal(client.status, "unknown");
    await client.restore();
    assert.equal(client.status, "signedout");
  });

  test("is told of a refusal, and of another tab's logout", async () => {
    const [server, [first, second]] = await openTabs(2);
    await first.logout();
    await settle();
    assert.equal(second.status, "signedout");
    await first.login(ANNA);
    server.live.clear();
    await assert.rejects(first.refresh());
    assert.equal(first.status, "signedout");
  });

  test("a watcher that throws disturbs nobody", async () => {
    const client = open(new Server());
    client.subscribe(() => {
      throw new Error("mine");
    });
    const seen = [];
    client.subscribe(({ status }) => seen.push(status));
    await client.login(ANNA);
    assert.deepEqual(seen, ["unknown", "signedin"]);
  });
});

test("the user can be loaded again", async () => {
  const server = new Server();
  const client = open(server);
  await client.login(ANNA);
  assert.deepEqual(await client.reloadUser(), { id: 1, username: "restored" });
  assert.equal(client.getSnapshot().user.username, "restored");
  await client.refresh();
  assert.equal(JSON.parse(server.log.at(-1).text).with_user, undefined);
});

test("the user is loaded again, also if another tab refreshes meanwhile", async () => {
  const [server, [first, second]] = await openTabs(2);
  server.delay = 30;
  await Promise.all([second.refresh(), first.reloadUser()]);
  assert.equal(first.user.username, "restored");
});

describe("a storage of the app", () => {
  /** Like AsyncStorage of React Native. */
  class Storage extends Map {
    getItem = async (key) => (await settle(1), this.get(key) ?? null);
    setItem = async (key, text) => (await settle(1), void this.set(key, text));
    removeItem = async (key) => (await settle(1), void this.delete(key));
  }

  test("keeps the session over a restart of the app", async () => {
    const server = new Server();
    const storage = new Storage();
    const first = open(server, { transport: "header", storage });
    await first.login(ANNA);
    assert.deepEqual([...storage.values()], ["session-1:0"]);
    await first.refresh();
    assert.deepEqual([...storage.values()], ["session-1:1"]);
    closeAll();
    const client = open(server, { transport: "header", storage });
    assert.equal(await client.restore(), true);
    assert.equal((await client.fetch(API)).status, 200);
    assert.equal(client.user.username, "restored");
    await client.logout();
    await settle();
    assert.equal(storage.size, 0);
    assert.equal(await client.restore(), false);
  });

  test("is read at each refresh, because another window may have refreshed", async () => {
    const server = new Server();
    const storage = new Storage();
    const [first, second] = [1, 2].map(() => open(server, { transport: "header", storage }));
    await first.login(ANNA);
    await second.restore();
    await first.refresh();
    await second.refresh();
    const sent = server.log.map(({ text }) => JSON.parse(text).refresh);
    assert.deepEqual(sent.slice(1), ["session-1:0", "session-1:1", "session-1:2"]);
  });

  test("has the new token before anybody hears of it", async () => {
    const server = new Server();
    const storage = new Storage();
    const client = open(server, { transport: "header", storage });
    await client.login(ANNA);
    let stored;
    client.on("refreshed", () => (stored = [...storage.values()]));
    await client.refresh();
    assert.deepEqual(stored, ["session-1:1"]);
  });

  test("within the grace window keeps its token", async () => {
    const server = new Server();
    const storage = new Storage();
    const client = open(server, { transport: "header", storage });
    await client.login(ANNA);
    server.inWindow = true;
    await client.refresh();
    assert.deepEqual([...storage.values()], ["session-1:0"]);
  });

  test("loses a token that the server refuses", async () => {
    const server = new Server();
    const storage = new Storage();
    const client = open(server, { transport: "header", storage });
    await client.login(ANNA);
    server.live.clear();
    await assert.rejects(client.refresh(), { code: "session_revoked" });
    await settle();
    assert.equal(storage.size, 0);
  });
});

test("the log tells what happened, and no token", async () => {
  const server = new Server();
  const lines = [];
  const client = open(server, { debug: (...line) => lines.push(line) });
  await client.login(ANNA);
  server.faults.push(() => Promise.reject(new TypeError("offline")));
  await client.refresh();
  await client.logout();
  assert.deepEqual(lines.map(([what]) => what), ["answer", "signedin", "silence", "answer", "refreshed", "signedout", "answer"]);
  assert.equal(JSON.stringify(lines).includes("access-"), false);
});

test("a client on a server has a snapshot, and nobody is logged in", () => {
  const client = open(new Server(), { environment: { location: undefined, cookies: () => null } });
  assert.deepEqual(client.getSnapshot(), { status: "unknown", user: null, session: null });
});
