// The stage: browser, wire and server, with tokens as objects that travel.
//
// `depart` and `land` move a parcel with copies of the tokens. The holders are drawn when the parcel has arrived,
// because before that moment they do not have the tokens. The server's side is drawn as soon as it is known.

import { byId, make, pause, quiet, setText } from "./dom.js";
import { held, state } from "./state.js";
import { gettext, ngettext } from "./texts.js";
import { now } from "./time.js";
import { graceLeft, laneOf } from "./timeline.js";
import { ENDS, STATES } from "./words.js";

const FLIGHT_MS = 600;
const CHAIN = 3; // the number of tokens that the side of the server shows
const GRACE_MS = Number(document.body.dataset.grace) * 1000;
const LIFETIME = Number(document.body.dataset.lifetime);

let flights = 0;
let clocks = []; // the access tokens on the stage: { node, holder }

// -- Tokens as objects -----------------------------------------------------------------------------

/** A refresh token: a tablet with its number. */
export function tablet(number, kind = "current") {
  const words = make("span", { class: "sr" }, gettext("Refresh token %(number)s, %(state)s", { number, state: STATES[kind] ?? kind }));
  return make("span", { class: `tablet ${kind}` }, make("span", { "aria-hidden": "true" }, String(number)), words);
}

/** An access token: a ticket. */
function ticket(...words) {
  return make("span", { class: "ticket" }, make("span", { class: "left" }, ...words));
}

export const accessTicket = () => ticket(gettext("access"));

/** A socket that is open, and the one-time ticket that opens it. */
export const openSocket = () => make("span", { class: "chip open" }, gettext("socket"));
export const oneTimeTicket = () => make("span", { class: "chip" }, gettext("one time"));

const stateOf = (number) => laneOf(state.session)?.tokens[number - 1]?.state ?? "current";

// -- The browser -----------------------------------------------------------------------------------

function drawBrowser() {
  clocks = [];
  for (const key of Object.keys(state.holders)) drawHolder(key);
}

function drawHolder(key) {
  const holder = state.holders[key];
  const box = byId(`holder-${key}`);
  const number = numberOf(key);
  const out = key !== "thief" && state.session && state.over;
  box.classList.toggle("absent", !isPresent(key));
  box.classList.toggle("out", Boolean(out && isPresent(key)));
  box.classList.toggle("refused", holder.refused);
  setText(box.querySelector(".status"), describeHolder(key, number, out));
  const tokens = [];
  if (number && !out) tokens.push(make("li", {}, tablet(number, stateOf(number))));
  if (holder.access && !out) {
    const node = ticket();
    clocks.push({ node, holder });
    tokens.push(make("li", {}, node));
  }
  if (holder.socket) tokens.push(make("li", {}, openSocket()));
  box.querySelector(".tokens").replaceChildren(...tokens);
}

function isPresent(key) {
  if (key === "you") return Boolean(state.session);
  return key === "tab" ? state.holders.tab.open : Boolean(state.stolen || state.holders.thief.access);
}

/** Return the number of a holder's refresh token. The tabs share one; a cookie holds the newest. */
function numberOf(key) {
  if (key === "thief") return state.stolen?.number;
  if (!isPresent(key)) return undefined;
  return state.transport === "cookie" ? laneOf(state.session)?.tokens.length : held()?.number;
}

function describeHolder(key, number, out) {
  const holder = state.holders[key];
  if (key === "thief") {
    if (!isPresent(key)) return gettext("has nothing");
    return holder.refused ? gettext("refused") : gettext("has a copy of %(number)s", { number });
  }
  if (!isPresent(key)) return key === "tab" ? gettext("not open") : gettext("nobody is logged in");
  if (out) return gettext("logged out");
  if (key === "tab") return state.transport === "cookie" ? gettext("shares the cookie") : gettext("shares the refresh token");
  const user = state.user?.username ?? gettext("somebody");
  return state.transport === "cookie" ? gettext("%(user)s is logged in, by a cookie", { user }) : gettext("%(user)s is logged in", { user });
}

// -- The server ------------------------------------------------------------------------------------

/** Draw the row of the session: the numbers of its tokens, and its end. */
export function drawServer() {
  const lane = laneOf(state.session);
  const tokens = lane?.tokens.slice(-CHAIN) ?? [];
  const items = tokens.map((token) => {
    const words = make("span", { class: "word", "aria-hidden": "true" }, STATES[token.state]);
    return make("li", {}, tablet(token.number, token.state), words);
  });
  if (lane && lane.tokens.length > CHAIN) items.unshift(make("li", { class: "more" }, "…"));
  byId("chain").replaceChildren(...items);
  const user = lane?.about?.user ?? state.user?.username ?? "";
  setText(byId("row-title"), state.session ? gettext("Session of %(user)s", { user }) : gettext("No session"));
  setText(byId("row-fact"), ngettext(
    "One row for %(count)s token, with a digest of the secret. A copy of the row lets nobody in.",
    "One row for %(count)s tokens, with a digest of the secret. A copy of the row lets nobody in.",
    lane?.tokens.length ?? 1));
  byId("row-fact").hidden = !state.session;
  byId("row").classList.toggle("absent", !state.session);
  byId("row").classList.toggle("out", Boolean(lane?.end));
  drawVerdict(lane);
  tickStage();
}

function drawVerdict(lane) {
  const verdict = byId("verdict");
  const shown = Boolean(state.session && lane?.end);
  verdict.hidden = !shown;
  if (!shown) return;
  verdict.className = lane.reused ? "theft" : "";
  const outcomes = describeEnd(lane).map((text) => make("li", {}, text));
  verdict.replaceChildren(make("strong", {}, lane.reused ? gettext("THEFT") : gettext("ENDED")), make("ul", {}, ...outcomes));
}

/** Return what an end means for each holder. */
export function describeEnd(lane) {
  if (!lane.reused) return [gettext("The session is over: %(reason)s", { reason: ENDS[lane.end.reason] ?? lane.end.reason })];
  const tab = state.holders.tab.open ? [gettext("The second tab: logged out")] : [];
  return [gettext("The thief: refused"), gettext("This tab: logged out"), ...tab];
}

// -- The wire --------------------------------------------------------------------------------------

/** Send a parcel from a holder to the server. Return a promise of its arrival. */
export async function depart(who, request, cargo, times = 1) {
  const path = new URL(request.url).pathname.replace(/^\/(api|_allauth\/app\/v1)\//, "");
  const copies = times > 1 ? ` × ${times}` : "";
  write("wire-request", `${request.method} ${path}${copies}`, cargo);
  byId("wire-answer").replaceChildren();
  byId("wire").dataset.who = who;
  await fly(byId(`holder-${who}`), byId("row"), cargo, "out");
}

/** Send the answer back, and draw the holder when it has arrived. */
export async function land(who, status, cargo, words) {
  const good = status >= 100 && status < 300;
  const stamp = make("span", { class: `stamp ${good ? "good" : "bad"}` }, status ? String(status) : gettext("no answer"));
  write("wire-answer", words, [stamp, ...cargo.map((node) => node.cloneNode(true))]);
  await fly(byId("row"), byId(`holder-${who}`), [stamp.cloneNode(true), ...cargo], good ? "back" : "back refused");
  drawStage();
}

/** Move a copy of a token from one holder to another. */
export async function copyAcross(from, to, number) {
  await fly(byId(`holder-${from}`), byId(`holder-${to}`), [tablet(number, stateOf(number))], "copy");
  drawStage();
}

function write(id, words, nodes) {
  const copies = nodes.map((node) => node.cloneNode(true));
  byId(id).replaceChildren(make("span", { class: "words" }, words), make("span", { class: "cargo" }, ...copies));
}

async function fly(from, to, cargo, kind) {
  if (quiet()) return;
  const parcel = make("div", { class: `parcel ${kind}`, "aria-hidden": "true" }, ...cargo);
  const scene = byId("scene");
  scene.append(parcel);
  flights += 1;
  try {
    const frames = [from, to].map((node) => ({ transform: place(node, scene, parcel) }));
    await parcel.animate(frames, { duration: FLIGHT_MS, easing: "cubic-bezier(.45,.05,.35,1)", fill: "both" }).finished;
    if (kind === "out") await pause(80);
  } finally {
    flights -= 1;
    parcel.remove();
  }
}

/** Return the transformation that centres the parcel on the lower half of a box. */
function place(node, scene, parcel) {
  const [box, whole] = [node.getBoundingClientRect(), scene.getBoundingClientRect()];
  const x = box.left - whole.left + box.width / 2 - parcel.offsetWidth / 2;
  const y = box.top - whole.top + box.height / 2 - parcel.offsetHeight / 2;
  return `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
}

/** Wait until no parcel is on its way. */
export async function settle() {
  while (flights) await pause(50);
}

// -- Drawing ---------------------------------------------------------------------------------------

/** Draw everything. While a parcel is on its way, its holder waits for it. */
export function drawStage() {
  if (!flights) drawBrowser();
  drawServer();
}

/** Update the times on the stage. */
export function tickStage() {
  for (const { node, holder } of clocks) {
    const left = Math.max(0, holder.access.until - now()) / 1000;
    const words = state.over ? gettext("refused") : left ? gettext("%(seconds)s s", { seconds: Math.ceil(left) }) : gettext("expired");
    setText(node.firstChild, words);
    node.classList.toggle("gone", Boolean(state.over) || !left);
    node.style.setProperty("--left", `${Math.min(100, (left / LIFETIME) * 100)}%`);
  }
  const lane = laneOf(state.session);
  const left = lane && !lane.end ? graceLeft(state.session, GRACE_MS) / 1000 : 0;
  setText(byId("grace-left"), left ? gettext("%(seconds)s s", { seconds: Math.ceil(left) }) : gettext("closed"));
  byId("grace").hidden = !lane || Boolean(lane.end);
  byId("grace").classList.toggle("open", left > 0);
}

// The focused element must not hide behind the stage, which is above the steps on a narrow screen.
new ResizeObserver(([{ target }]) => {
  document.documentElement.style.setProperty("--stage", `${target.offsetHeight + 12}px`);
}).observe(byId("stage"));
