/** One refresh for all tabs of a browser, with Web Locks and BroadcastChannel. client.js uses this part. */

import { pause } from "./retries.js";

const VERSION = 1; // of the messages between tabs; a message of another version is ignored
// Milliseconds. A message may arrive after its sender has released the lock. So a tab that told the others of a
// token keeps the lock for this time. Nobody waits for it: the message wakes all tabs.
const LINGER = 50;
const encode = (text) => new TextEncoder().encode(text);

/** Return the part of a client that talks to the other tabs, or `undefined` if the browser cannot do it. */
export function tabs(kernel) {
  const { name, ended, take, replace, forget } = kernel;
  const { navigator, crypto, BroadcastChannel } = globalThis;
  const world = { locks: navigator?.locks, crypto: crypto?.subtle, BroadcastChannel, ...kernel.world };
  if (!world.BroadcastChannel) return undefined;
  let isBusy = false; // whether another tab has said that it refreshes
  let inbox = Promise.resolve();
  let channel = new world.BroadcastChannel(name);
  channel.unref?.(); // in Node an open channel would keep the process alive
  channel.onmessage = ({ data }) => (inbox = inbox.then(() => hear(data)).catch(() => {}));

  function tell(type, more) {
    channel?.postMessage({ version: VERSION, type, ...more });
  }

  async function hear({ version, type, tag, reason, user, age, iv, box }) {
    if (version !== VERSION) return;
    const own = kernel.state;
    if (type === "busy") isBusy = true;
    else if (type === "ended") {
      ended.add(tag);
      if (own?.tag === tag) forget(reason);
    } else if (type === "grant" && own?.tag !== tag) {
      if (!user || ended.has(tag)) return;
      replace();
      take({ session: null, tag, user, expires_in: 0 }, 0); // this tab asks for its token when it needs one
    } else if (type === "grant" && box && own.key) {
      const text = await world.crypto.decrypt({ name: "AES-GCM", iv }, own.key, box);
      const grant = JSON.parse(new TextDecoder().decode(text));
      if (kernel.state?.tag === tag) take({ ...grant, tag, key: own.key }, age);
    }
  }

  /**
   * Give a grant its tag and its key. Other scripts of the origin can read the messages between tabs. So messages
   * have the tag in place of the session, and the token is encrypted. Only tabs that got an answer of the server
   * know the session, and so the key.
   */
  async function label(grant) {
    if (!world.crypto) return; // a page without TLS: each tab asks for its own token
    const bits = await world.crypto.digest("SHA-256", encode(name + grant.session));
    grant.tag = String(new Uint8Array(bits, 0, 16));
    grant.key = await world.crypto.importKey("raw", bits.slice(16), "AES-GCM", false, ["encrypt", "decrypt"]);
  }

  /** Tell the other tabs of a grant. */
  async function share({ access, expires_in, session, tag, key, user }, age) {
    const more = {};
    if (key) {
      more.iv = crypto.getRandomValues(new Uint8Array(12));
      const text = encode(JSON.stringify({ access, expires_in, session, user }));
      more.box = await world.crypto.encrypt({ name: "AES-GCM", iv: more.iv }, key, text);
    }
    tell("grant", { tag, user, age, ...more });
  }

  /**
   * Run a refresh under the lock of all tabs, or return because another tab has sent its grant. The lock is a
   * lease: a suspended tab would hold it for ever. So it is taken from a tab that has said nothing for the time of
   * a lease. Two refreshes at once are harmless within the server's grace window.
   */
  async function run(signal, seen, refresh) {
    const work = async () => {
      await inbox; // read the messages that have arrived
      if (kernel.grants !== seen) return false;
      tell("busy");
      return refresh();
    };
    if (!kernel.state?.key || !world.locks) return work(); // a grant of another tab would not help
    const queue = new AbortController();
    let release;
    const until = new Promise((resolve) => (release = resolve));
    const request = (options) =>
      new Promise((resolve, reject) => world.locks.request(name, options, () => (resolve(), until)).catch(reject));
    let mine = false;
    let told = false;
    try {
      const lacks = () => !mine && kernel.grants === seen && !signal.aborted;
      const turn = request({ signal: queue.signal }).then(() => (mine = true));
      do {
        isBusy = false;
        await pause(kernel, world.lease ?? 5000, signal, turn);
      } while (isBusy && lacks());
      queue.abort();
      if (lacks()) {
        await request({ steal: true }).catch(() => {}); // without the lock, if the browser does not allow it
      }
      return (told = await work());
    } finally {
      if (told) setTimeout(release, LINGER);
      else release();
    }
  }

  function close() {
    channel?.close();
    channel = null; // a closed client may still get a token, and tells nobody
  }

  return { label, share, run, tell, close };
}
