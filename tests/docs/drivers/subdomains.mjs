/** The pages of docs/howto/subdomains.md, with a server that checks what RFC 7636 says. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

const went = [];
const kept = new Map();
const calls = [];

function open(address) {
  const { host, hash, pathname, search } = new URL(address);
  const go = (target) => went.push(target);
  globalThis.location = { host, hash, pathname, search, assign: go, replace: go };
}

globalThis.sessionStorage = {
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
};
globalThis.history = { replaceState: (state, title, address) => went.push(address) };
const answer = (body, ok = true) => ({ ok, json: async () => body });
const { begin, handOver, finish } = await import("./handover.mjs");

test("the ticket comes back to the page that has asked for it", async () => {
  open("https://shop.example.com/basket/?page=2");
  await begin();
  open(went.pop());
  assert.equal(location.host, "app.example.com");
  await handOver({ fetch: async (path, { body }) => answer({ ticket: `${path} ${body}:+/=` }) });
  const back = went.pop();
  assert.ok(back.startsWith("https://shop.example.com/#"));
  open(back);
  globalThis.fetch = async (path, { body }) => {
    calls.push([path, JSON.parse(body)]);
    return answer({ access: "x" });
  };
  assert.deepEqual(await finish(), { access: "x" });
  const [[path, { ticket, verifier }]] = calls;
  assert.equal(path, "/api/token/accept/");
  assert.ok(ticket.startsWith("/api/token/handover/ ") && ticket.endsWith(":+/="));
  const asked = JSON.parse(ticket.slice(ticket.indexOf("{"), -4));
  assert.match(verifier, /^[\w-]{43}$/);
  assert.deepEqual(asked, {
    audience: "shop.example.com",
    challenge: createHash("sha256").update(verifier).digest("base64url"),
  });
  assert.equal(went.pop(), "/", "the ticket leaves the address");
  assert.equal(await finish(), null, "and is not used again");
});

test("a ticket that nobody has asked for, and one that is refused, log nobody in", async () => {
  open("https://shop.example.com/#ticket=of-a-stranger");
  assert.equal(await finish(), null);
  await begin();
  globalThis.fetch = async () => answer({}, false);
  assert.equal(await finish(), null);
});

test("no ticket leaves for a host that is not ours", async () => {
  open("https://app.example.com/hand-over/#audience=evil.example.com&challenge=x");
  await assert.rejects(handOver({ fetch: () => assert.fail() }), /not one of ours/);
});
