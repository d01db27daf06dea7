/** Step-up: a view wants a proof, the page asks the person, and the request is repeated once. */

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { ANNA, answer, closeAll, demand, hang, open, openTabs, refuse, Server, settle } from "./world.mjs";

const PAY = "https://api.example.com/payments/";
const POST = { method: "POST", body: "7 euros" };
const PASSWORD = { password: "right" };

afterEach(closeAll);

/** Open a page that answers each demand with this proof. `asked` has the demands. */
async function openAsking(proof = PASSWORD, { server = new Server(), ...options } = {}) {
  const client = open(server, options);
  await client.login(ANNA);
  const asked = [];
  client.on("stepup", async (what) => {
    asked.push(what);
    if (proof) await client.prove(proof);
  });
  return { server, client, asked };
}

const paid = (server) => server.count("POST", "/payments/");

for (const transport of ["cookie", "header"]) {
  test(`a demand is an event, and after the proof the request is repeated (${transport})`, async () => {
    const { server, client, asked } = await openAsking(PASSWORD, { transport });
    const found = await (await client.fetch(PAY, POST)).json();
    assert.deepEqual([found.text, found.token], ["7 euros", "access-session-1-1"]);
    assert.deepEqual(asked, [{ maxAge: 300, acrValues: [] }]);
    assert.deepEqual([paid(server), server.count("POST", "/api/token/prove/"), server.refreshes], [2, 1, 0]);
    assert.equal((await client.fetch(PAY, POST)).status, 200);
    assert.equal(asked.length, 1); // the later tokens of the session have the proof
    const sent = JSON.parse(server.log.find(({ path }) => path === "/api/token/prove/").text);
    assert.deepEqual([sent.password, sent.refresh], ["right", transport === "header" ? "session-1:0" : undefined]);
  });
}

test("the ways that a view wants are told", async () => {
  const { server, client, asked } = await openAsking(null);
  server.apiFaults.push(() => demand('acr_values="otp pop"'));
  assert.equal((await client.fetch(PAY)).status, 401);
  assert.deepEqual(asked, [{ maxAge: null, acrValues: ["otp", "pop"] }]);
});

test("a page of another origin that cannot read the challenge knows of the demand by its code", async () => {
  const { server, client, asked } = await openAsking();
  server.apiFaults.push(() => answer(401, { errors: [{ code: "insufficient_user_authentication" }] }));
  assert.equal((await client.fetch(PAY, POST)).status, 200);
  assert.deepEqual(asked, [{ maxAge: null, acrValues: [] }]);
});

test("without a listener the page gets the 401, and nothing is sent", async () => {
  const server = new Server();
  const client = open(server);
  await client.login(ANNA);
  const response = await client.fetch(PAY, POST);
  assert.deepEqual([response.status, (await response.json()).code], [401, "insufficient_user_authentication"]);
  assert.deepEqual([paid(server), server.refreshes, client.signedIn], [1, 0, true]);
});

describe("the request is not repeated, and its caller gets the 401", () => {
  test("if the person gives up", async () => {
    const { server, client, asked } = await openAsking(null);
    assert.equal((await client.fetch(PAY, POST)).status, 401);
    assert.deepEqual([asked.length, paid(server)], [1, 1]);
  });

  test("if the listener throws, which is reported", async () => {
    const reported = [];
    const environment = { reportError: (error) => reported.push(error.code) };
    const { server, client } = await openAsking({ password: "wrong" }, { environment });
    assert.equal((await client.fetch(PAY, POST)).status, 401);
    assert.deepEqual([reported, paid(server), client.signedIn], [["login_failed"], 1, true]);
  });

  test("a second time, if the proof was not enough", async () => {
    const { server, client, asked } = await openAsking();
    server.apiFaults.push(() => demand("max_age=1"), () => demand("max_age=1"));
    assert.equal((await client.fetch(PAY, POST)).status, 401);
    assert.deepEqual([asked.length, paid(server)], [1, 2]);
  });

  test("if the page has switched the repetition off", async () => {
    const { server, client, asked } = await openAsking();
    assert.equal((await client.fetch(PAY, { ...POST, repeat: false })).status, 401);
    assert.deepEqual([asked.length, paid(server)], [0, 1]);
  });

  test("if another person has logged in meanwhile", async () => {
    const { server, client } = await openAsking(null);
    client.on("stepup", async () => {
      await client.login({ username: "bob", password: "right" });
      await client.prove(PASSWORD);
    });
    assert.equal((await client.fetch(PAY, POST)).status, 401);
    assert.equal(paid(server), 1);
  });
});

test("requests at once with one demand are one question", async () => {
  const { server, client, asked } = await openAsking();
  const responses = await Promise.all([1, 2, 3].map(() => client.fetch(PAY, POST)));
  assert.deepEqual(responses.map(({ status }) => status), [200, 200, 200]);
  assert.deepEqual([asked.length, server.count("POST", "/api/token/prove/")], [1, 1]);
});

test("a 401 that comes after the proof of another request asks nobody again", async () => {
  const { server, client, asked } = await openAsking();
  let release;
  server.apiFaults.push(async () => {
    await new Promise((resolve) => (release = resolve));
    return demand("max_age=300");
  });
  const late = client.fetch(PAY, POST);
  await settle();
  assert.equal((await client.fetch(PAY, POST)).status, 200);
  release();
  assert.equal((await late).status, 200);
  assert.equal(asked.length, 1);
});

test("different demands are asked for one after the other", async () => {
  const { server, client } = await openAsking(null);
  const steps = [];
  client.on("stepup", async ({ maxAge }) => {
    steps.push(`begin ${maxAge}`);
    await settle();
    await client.prove(PASSWORD);
    steps.push(`end ${maxAge}`);
  });
  server.apiFaults.push(() => demand("max_age=300"), () => demand("max_age=60"));
  const responses = await Promise.all([client.fetch(PAY, POST), client.fetch(PAY, POST)]);
  assert.deepEqual(responses.map(({ status }) => status), [200, 200]);
  assert.deepEqual(steps, ["begin 300", "end 300", "begin 60", "end 60"]);
});

describe("a request that begins while a person is asked gets its 401 at once, because the listener may have made it", () => {
  for (const [name, what] of [["the same", "max_age=300"], ["another", "max_age=60"]]) {
    test(`with ${name} demand`, async () => {
      const { server, client } = await openAsking(null);
      const steps = [];
      client.on("stepup", async ({ maxAge }) => {
        steps.push(maxAge);
        await settle(); // a request after the first pause of the listener
        server.apiFaults.push(() => demand(what));
        steps.push((await client.fetch(PAY)).status);
        await client.prove(PASSWORD);
        steps.push((await client.fetch(PAY)).status);
      });
      assert.equal((await client.fetch(PAY, POST)).status, 200);
      assert.deepEqual(steps, [300, 401, 200]);
    });
  }

  test("also of the list of sessions", async () => {
    const { server, client } = await openAsking(null);
    const caught = [];
    client.on("stepup", async () => {
      server.faults.push(() => demand("max_age=300"));
      await client.sessions().catch((error) => caught.push(error.code));
    });
    assert.equal((await client.fetch(PAY, POST)).status, 401);
    assert.deepEqual(caught, ["insufficient_user_authentication"]);
  });

  test("unless the proof came first", async () => {
    const { server, client } = await openAsking(null);
    let late;
    client.on("stepup", async () => {
      server.apiFaults.push(async () => {
        await client.prove(PASSWORD);
        return demand("max_age=300");
      });
      late = await client.fetch(PAY, POST);
    });
    assert.equal((await client.fetch(PAY, POST)).status, 200);
    assert.equal(late.status, 200);
  });

  test("and the next demand is a question again", async () => {
    const { client, asked } = await openAsking(null);
    for (const count of [1, 2]) {
      assert.equal((await client.fetch(PAY, POST)).status, 401);
      assert.equal(asked.length, count);
    }
  });
});

test("an expired token is refreshed first, and the demand comes after it", async () => {
  const { server, client, asked } = await openAsking();
  server.valid.clear();
  assert.equal((await client.fetch(PAY, POST)).status, 200);
  assert.deepEqual([asked.length, server.refreshes, paid(server)], [1, 1, 3]);
});

test("a caller that gives up does not wait for the person", async () => {
  const { client } = await openAsking(null);
  client.on("stepup", () => new Promise(() => {}));
  const controller = new AbortController();
  const pending = client.fetch(PAY, { ...POST, signal: controller.signal });
  await settle();
  controller.abort();
  await assert.rejects(pending, { name: "AbortError" });
});

describe("a proof", () => {
  test("can be sent without a demand, to an address of the project", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    assert.deepEqual(await client.prove(PASSWORD), { id: 1, username: "anna" });
    server.apiFaults.push(() => answer(200, { access: "b", expires_in: 300, session: "session-1" }));
    await client.prove({ passkey: "x" }, "../passkeys/prove/");
    assert.equal(server.log.at(-1).path, "/api/passkeys/prove/");
    assert.equal(await client.token(), "b");
    assert.deepEqual(client.events, ["signedin", "refreshed", "refreshed"]);
  });

  test("that is wrong changes nothing, and is not sent again", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    await assert.rejects(client.prove({ password: "wrong" }), { code: "login_failed", status: 401 });
    server.faults.push(() => refuse(503, "temporarily_unavailable"));
    await assert.rejects(client.prove(PASSWORD), { code: "temporarily_unavailable", passing: true });
    assert.deepEqual([client.signedIn, server.count("POST", "/api/token/prove/")], [true, 2]);
  });

  test("of nobody is refused without a request", async () => {
    const server = new Server();
    await assert.rejects(open(server).prove(PASSWORD), { code: "signed_out" });
    assert.equal(server.log.length, 0);
  });

  test("is not sent for another user, who logged in while it waited", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.faults.push(hang);
    const refreshed = client.refresh();
    const proved = client.prove(PASSWORD);
    await settle();
    await Promise.all([
      assert.rejects(proved, { code: "superseded" }),
      refreshed,
      client.login({ username: "bob", password: "right" }),
    ]);
    assert.deepEqual([server.count("POST", "/api/token/prove/"), client.user.username], [0, "bob"]);
  });

  test("for a session that has ended logs out", async () => {
    const server = new Server();
    const client = open(server);
    await client.login(ANNA);
    server.live.clear();
    await assert.rejects(client.prove(PASSWORD), { code: "session_revoked" });
    assert.deepEqual(client.events, ["signedin", "signedout: session_revoked"]);
  });

  test("waits for a refresh that is on its way, and the next refresh waits for the proof", async () => {
    const server = new Server();
    const client = open(server, { transport: "header" });
    await client.login(ANNA);
    server.delay = 30;
    await Promise.all([client.refresh(), client.prove(PASSWORD), client.prove(PASSWORD)]);
    await Promise.all([client.prove(PASSWORD), client.refresh()]);
    const sent = server.log.slice(1).map(({ text }) => JSON.parse(text).refresh);
    assert.deepEqual(sent, [0, 1, 2, 3, 4].map((number) => `session-1:${number}`)); // no token was used twice
  });

  test("is sent also if another tab has just refreshed", async () => {
    const [server, [first, second]] = await openTabs(2);
    server.delay = 30;
    await Promise.all([first.refresh(), second.prove(PASSWORD)]);
    assert.equal(server.count("POST", "/api/token/prove/"), 1);
    assert.equal((await second.fetch(PAY, POST)).status, 200);
    await settle();
    assert.equal((await first.fetch(PAY, POST)).status, 200); // the other tab has got the token with the proof
  });

  test("that gets no answer in time is told", async () => {
    const server = new Server();
    const client = open(server, { grace: 0.1 });
    await client.login(ANNA);
    server.faults.push(hang);
    await assert.rejects(client.prove(PASSWORD), { code: "unavailable", passing: true });
    assert.equal(client.signedIn, true);
  });
});
