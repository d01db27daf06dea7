// The life of the tokens: a lane for each session, with a mark for each of its refresh tokens.
//
// The events come from the server (GET /api/timeline/), so the lanes show the true state of each token,
// also if another tab, the thief or curl has used the token.

import { byId, clock, make, nameDevice, setText } from "./dom.js";
import { ENDS } from "./words.js";

const MAX_LANES = 8;
const STATES = {
  current: "current",
  parent: "just replaced",
  replaced: "replaced",
  skipped: "skipped",
  dead: "dead",
};

const lanes = new Map(); // by session, oldest first
let since = 0;
let ahead = 0; // milliseconds by which the server's clock is ahead of this clock
let asking = null;
let next = null;

/** Get the latest events and draw them. A request in progress may be too old, so send another one after it. */
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
  if (events.length) draw();
}

/** The lane of a session: { tokens: [{ number, state, graces }], rotatedAt, end, reused }, or undefined. */
export const laneOf = (session) => lanes.get(session);

/** Return the remaining milliseconds of a session's grace window. Each recovery makes the window three times as long. */
export function graceLeft(session, grace) {
  const { rotatedAt, recoveries } = lanes.get(session) ?? {};
  return rotatedAt ? Math.max(0, rotatedAt + grace * 3 ** recoveries - (Date.now() + ahead)) : 0;
}

export const recoveriesOf = (session) => lanes.get(session)?.recoveries ?? 0;

function learn(event, about) {
  if (event.kind === "started") {
    lanes.set(event.session, { about, tokens: [], rotatedAt: null, recoveries: 0, end: null, reused: false, at: event.at });
  }
  const lane = lanes.get(event.session);
  if (!lane) return; // the session started before this server
  const current = lane.tokens.find((token) => token.state === "current");
  if (event.kind === "grace" || event.kind === "repeated") {
    current.graces += 1;
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

// -- Drawing ---------------------------------------------------------------------------------------

let mine = null;

/** Set the session of this page. */
export function claim(session) {
  mine = session;
  draw();
}

function draw() {
  const shown = [...lanes].slice(-MAX_LANES).reverse();
  if (mine && lanes.has(mine) && !shown.some(([session]) => session === mine)) shown.push([mine, lanes.get(mine)]);
  byId("lanes-empty").hidden = shown.length > 0;
  byId("lanes").replaceChildren(...shown.map(([session, lane]) => drawLane(session, lane)));
  for (const strip of byId("lanes").querySelectorAll(".strip")) strip.scrollLeft = strip.scrollWidth;
}

function drawLane(session, lane) {
  const name = lane.about?.user ?? "somebody";
  const title = make("h3", {}, `${name} `, make("span", { class: "quiet" }, nameDevice(lane.about?.device ?? "")));
  if (session === mine) title.append(" ", make("span", { class: "badge good" }, "this page"));
  const tokens = make("ol", { class: "strip", tabindex: "0", "aria-label": `Refresh tokens of a session of ${name}` });
  tokens.append(...lane.tokens.map(drawToken));
  if (lane.end) tokens.append(drawEnd(lane));
  return make("li", { class: lane.end ? "lane over" : "lane" }, title, tokens);
}

const HOW = {
  started: "from the login",
  rotated: "from a refresh",
  recovered: "from a recovery after a lost answer",
  resynced: "from a refresh after the server lost data",
};

function drawToken(token) {
  const words = [make("span", { class: "dot", "aria-hidden": "true" }, String(token.number))];
  words.push(make("span", { class: "sr" }, `No. ${token.number}, ${HOW[token.how]}: `));
  words.push(make("span", { class: "state" }, STATES[token.state]));
  if (token.graces) {
    const copies = token.graces === 1 ? "1 more access token" : `${token.graces} more access tokens`;
    words.push(make("span", { class: "graces" }, `+${token.graces}`, make("span", { class: "sr" }, `: ${copies} in the grace window`)));
  }
  const title = `No. ${token.number}, ${clock(new Date(token.at))}, ${HOW[token.how]}`;
  return make("li", { class: `node ${token.state} ${token.how}`, title }, ...words);
}

function drawEnd(lane) {
  const why = ENDS[lane.end.reason] ?? lane.end.reason;
  const mark = lane.reused ? "✕" : "■";
  return make(
    "li",
    { class: `node end ${lane.reused ? "stolen" : ""}`, title: clock(new Date(lane.end.at)) },
    make("span", { class: "dot", "aria-hidden": "true" }, mark),
    make("span", { class: "state" }, make("span", { class: "sr" }, "The session ended: "), why),
  );
}

/** Update the timeline regularly while the page is visible. */
export function watch() {
  setInterval(() => {
    if (document.visibilityState === "visible") update().catch(() => setText(byId("lanes-empty"), "The demo does not answer."));
  }, 1000);
  return update().catch(() => {});
}
