// The life of the refresh tokens: for each session its tokens and their states.
//
// The events come from the server (GET /api/timeline/), so the states are true, also if another tab, the thief
// or curl has used a token.

const lanes = new Map(); // by session, oldest first
const watchers = new Set();
let since = 0;
let ahead = 0; // milliseconds by which the server's clock is ahead of this clock
let asking = null;
let next = null;

/** Get the latest events. A request in progress may be too old, so send another one after it. */
export function update() {
  if (asking) return (next ??= asking.catch(() => {}).then(() => ((next = null), update())));
  asking = ask().finally(() => (asking = null));
  return asking;
}

async function ask() {
  const response = await fetch(`/api/timeline/?since=${since}`, { credentials: "omit", cache: "no-store" });
  if (!response.ok) return;
  const { now, events, sessions } = await response.json();
  ahead = now - Date.now();
  for (const event of events) {
    since = event.number;
    learn(event, sessions[event.session]);
  }
  if (events.length) for (const watcher of watchers) watcher();
}

/** Call a function after each change. */
export const onChange = (watcher) => watchers.add(watcher);

/** All sessions since the start of the demo: [session, lane], oldest first. */
export const allLanes = () => [...lanes];

/** The lane of a session: { tokens: [{ number, state, graces }], rotatedAt, end, reused }, or undefined. */
export const laneOf = (session) => lanes.get(session);

/** Return the remaining milliseconds of a session's grace window. Each recovery makes the window three times as long. */
export function graceLeft(session, grace) {
  const { rotatedAt, recoveries } = lanes.get(session) ?? {};
  return rotatedAt ? Math.max(0, rotatedAt + grace * 3 ** recoveries - (Date.now() + ahead)) : 0;
}

/** The time of the server, in milliseconds since 1970. */
export const serverNow = () => Date.now() + ahead;

export const recoveriesOf = (session) => lanes.get(session)?.recoveries ?? 0;

function learn(event, about) {
  if (event.kind === "started") {
    lanes.set(event.session, { about, tokens: [], rotatedAt: null, recoveries: 0, end: null, reused: false, at: event.at });
  }
  const lane = lanes.get(event.session);
  if (!lane) return; // the session started before this server
  const current = lane.tokens.find((token) => token.state === "current");
  if (event.kind === "lapsed") {
    if (lane.rotatedAt) lane.rotatedAt -= Number(event.reason) * 1000;
  } else if (event.kind === "grace" || event.kind === "repeated") {
    if (current) current.graces += 1;
  } else if (event.kind === "revoked") {
    lane.end ??= { reason: event.reason, at: event.at };
    for (const token of lane.tokens) if (token.state === "current" || token.state === "parent") token.state = "dead";
  } else if (event.kind === "reused") {
    lane.reused = true;
  } else {
    lane.recoveries = event.kind === "recovered" ? lane.recoveries + 1 : 0;
    if (event.kind === "rotated") for (const token of lane.tokens) if (token.state === "parent") token.state = "replaced";
    if (current) current.state = event.kind === "recovered" ? "skipped" : "parent";
    if (event.kind !== "started") lane.rotatedAt = event.at;
    lane.tokens.push({ number: lane.tokens.length + 1, state: "current", how: event.kind, graces: 0, at: event.at });
  }
}

/** Update regularly while the page is visible. `fail` is called when the demo does not answer. */
export function watch(fail) {
  setInterval(() => {
    if (document.visibilityState === "visible") update().catch(fail);
  }, 1000);
  return update().catch(() => {});
}
