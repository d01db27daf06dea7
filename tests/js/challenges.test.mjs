/** A request is repeated only if its 401 says that the access token was the reason. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, describe, test } from "node:test";

import { ANNA, answer, closeAll, open, Server } from "./world.mjs";

const API = "https://api.example.com/notes/";
const ERRORS = readFileSync(new URL("../../docs/reference/errors.md", import.meta.url), "utf8");

afterEach(closeAll);

/** Return how often a request was sent, and how many refreshes there were, if its first answer is this 401. */
async function send(body, headers, { init, ...options } = {}) {
  const server = new Server();
  const client = open(server, options);
  await client.login(ANNA);
  server.apiFaults.push(() => answer(401, body, headers));
  const response = await client.fetch(API, { method: "POST", body: "x", ...init });
  return [server.count("POST", "/notes/"), server.refreshes, response.status];
}

const REPEATED = [2, 1, 200];
const LEFT_ALONE = [1, 0, 401];
const bearer = (error) => ({ "WWW-Authenticate": `Bearer realm="api"${error ? `, error="${error}"` : ""}` });

test("the challenge decides", async () => {
  assert.deepEqual(await send("", bearer("invalid_token")), REPEATED);
  assert.deepEqual(await send("", bearer("")), LEFT_ALONE); // for example a login that the view itself refuses
  assert.deepEqual(await send({ code: "token_expired" }, bearer("")), LEFT_ALONE);
  assert.deepEqual(await send("", bearer("invalid_request")), LEFT_ALONE);
  assert.deepEqual(await send("", { "WWW-Authenticate": 'Basic realm="x"' }), LEFT_ALONE);
});

test("without a readable challenge the code decides, as for a page of another origin", async () => {
  assert.deepEqual(await send({ detail: "No.", code: "token_expired" }), REPEATED);
  assert.deepEqual(await send({ errors: [{ code: "session_revoked" }] }), REPEATED);
  assert.deepEqual(await send({ detail: "Wrong PIN.", code: "pin_wrong" }), LEFT_ALONE);
  assert.deepEqual(await send({ detail: "No." }), LEFT_ALONE);
  assert.deepEqual(await send("<h1>No</h1>"), LEFT_ALONE);
  assert.deepEqual(await send(""), LEFT_ALONE);
});

describe("a page can switch the repetition off", () => {
  const expired = { code: "token_expired" };
  test("for one request", async () => {
    assert.deepEqual(await send(expired, {}, { init: { repeat: false } }), LEFT_ALONE);
  });
  test("for all requests, and on again for one", async () => {
    assert.deepEqual(await send(expired, {}, { repeat: false }), LEFT_ALONE);
    assert.deepEqual(await send(expired, {}, { repeat: false, init: { repeat: true } }), REPEATED);
  });
});

test("a request can go out without the token", async () => {
  const server = new Server();
  const client = open(server);
  await client.login(ANNA);
  assert.equal((await client.fetch(API, { token: false })).status, 401);
  assert.equal(server.log.at(-1).headers.has("Authorization"), false);
  assert.equal(server.refreshes, 0);
});

test("a body that can be read only once is sent once", async () => {
  async function* write() {
    yield new TextEncoder().encode("x");
  }
  for (const body of [new Blob(["x"]).stream(), write()]) {
    assert.deepEqual(await send({ code: "token_expired" }, {}, { init: { body, duplex: "half" } }), LEFT_ALONE);
  }
  // axios sets the option for other bodies, too.
  assert.deepEqual(await send({ code: "token_expired" }, {}, { init: { body: "x", duplex: "half" } }), REPEATED);
});

test("docs/reference/errors.md and the client agree about each code of a 401", async () => {
  const rows = [...ERRORS.matchAll(/^\| `(\w+)`(?:, `\w+`)* \| 401 \| (?:`\w+` \| )?(.*) \|$/gm)].map((row) => row[1]);
  assert.ok(rows.length > 30);
  const prefixes = /^- ([^:]*): the access token was the reason/m.exec(ERRORS)[1].match(/`\w+_\*`/g);
  const told = (code) => prefixes.some((prefix) => code.startsWith(prefix.slice(1, -2)));
  for (const code of rows) {
    assert.deepEqual(await send({ detail: "No.", code }), told(code) ? REPEATED : LEFT_ALONE, code);
  }
});

test("docs/reference/errors.md and the client agree about what ends a session at a refresh", async () => {
  const rows = [...ERRORS.matchAll(/^\| `(\w+)` \| 401 \|/gm)].map((row) => row[1]);
  const line = /^- ([^:]*), as the answer to a refresh: the session has ended/m.exec(ERRORS)[1].match(/`\w+\*?`/g);
  const patterns = line.map((pattern) => new RegExp(`^${pattern.slice(1, -1).replace("*", ".*")}$`));
  for (const code of rows) {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(() => answer(401, { detail: "No.", code }));
    await assert.rejects(client.refresh(), { code });
    assert.equal(client.signedIn, !patterns.some((pattern) => pattern.test(code)), code);
    closeAll();
  }
});
