/** Runs the recipes of docs/howto/front-ends.md. The test copies this file beside their code. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Window } from "happy-dom";

import { Server } from "./world.mjs";

const ANNA = { username: "anna", password: "right" };
const server = new Server();
const window = new Window({ url: "https://api.example.com/page/" });
Object.assign(globalThis, {
  window,
  document: window.document,
  location: window.location,
  fetch: server.fetch,
  IS_REACT_ACT_ENVIRONMENT: true,
});
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true }); // for React
for (const name of ["Element", "HTMLElement", "SVGElement", "Node", "ShadowRoot", "MathMLElement"]) {
  globalThis[name] = window[name];
}
const { get, set } = { get: () => (server.marker ? "tessera_signed_in=1" : ""), set: () => (server.marker = false) };
Object.defineProperty(window.document, "cookie", { get, set });

const { client } = await import("./client.js");

beforeEach(() => client.login(ANNA));
afterEach(() => client.logout());

const token = () => server.log.at(-1).headers.get("Authorization");

test("no framework", async () => {
  const { start, submit } = await import("./vanilla.js");
  await client.logout();
  const shown = [];
  await start((user) => shown.push(user.username), () => shown.push(null));
  globalThis.FormData = class extends Map {
    constructor(form) {
      super(Object.entries(form));
    }
  };
  assert.deepEqual(await submit({ ...ANNA, password: "x" }), { form: [{ message: "No: login_failed.", code: "login_failed" }] });
  assert.deepEqual(await submit(ANNA), {});
  assert.deepEqual(shown, [null, "anna"]);
});

test("React with TanStack Query", async () => {
  const { App, queries } = await import("./react.js");
  const { act, createElement } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const place = document.createElement("div");
  const root = createRoot(place);
  await act(async () => root.render(createElement(App)));
  const until = async (text) => {
    for (let turn = 0; !place.textContent.includes(text); turn += 1) {
      assert.ok(turn < 1000, place.textContent);
      await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
    }
  };
  await until("Path: /api/notes/");
  assert.match(place.textContent, /^anna/);
  assert.match(token(), /^Bearer access-/);
  await act(() => client.logout());
  await until("Log in");
  assert.equal(queries.getQueryCache().getAll().length, 0);
  await act(async () => root.unmount());
});

test("Vue", async () => {
  const { App } = await import("./vue.js");
  const { createApp, nextTick } = await import("vue");
  const place = document.createElement("div");
  const app = createApp(App);
  app.mount(place);
  assert.equal(place.textContent, "anna");
  await client.logout();
  await nextTick();
  assert.equal(place.textContent, "signedout");
  app.unmount();
});

for (const [name, call] of Object.entries({
  axios: async (api) => (await api.post("https://api.example.com/api/notes/", { text: "x" })).data,
  ky: (api) => api.post("https://api.example.com/api/notes/", { json: { text: "x" } }).json(),
})) {
  test(name, async () => {
    const { api } = await import(`./${name}.js`);
    const before = server.refreshes;
    server.valid.clear(); // the access token has expired
    const found = await call(api);
    assert.deepEqual([found.path, JSON.parse(found.text)], ["/api/notes/", { text: "x" }]);
    assert.match(token(), /^Bearer access-/);
    assert.equal(server.refreshes - before, 1);
  });
}

test("openapi-fetch", async () => {
  const { listDevices } = await import("./openapi.js");
  const devices = await listDevices();
  assert.equal(devices.length, 1);
  assert.match(token(), /^Bearer access-/);
});

test("a storage of an app", async () => {
  const { openApp } = await import("./app.js");
  const kept = new Map();
  const open = () =>
    openApp({
      getItemAsync: async (key) => kept.get(key) ?? null,
      setItemAsync: async (key, value) => void kept.set(key, value),
      deleteItemAsync: async (key) => void kept.delete(key),
    });
  await open().login(ANNA);
  assert.deepEqual([...kept.keys()].filter((key) => !/^\w+$/.test(key)), []);
  const app = open();
  assert.equal(await app.restore(), true);
  await app.logout();
  assert.equal(kept.size, 0);
});

test("the core with tabs", async () => {
  const { client: small } = await import("./small.js");
  await small.login(ANNA);
  assert.equal((await small.fetch("/api/notes/")).status, 200);
  assert.equal(small.sessions, undefined);
  await small.logout();
  small.close();
});
