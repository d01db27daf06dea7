// The thief: copies a refresh token and uses it. The page can copy only a token in its own memory.

import { byId, make, pause, setText, shorten } from "./dom.js";
import { say } from "./log.js";
import { copyAcross, describeEnd } from "./stage.js";
import { held, state } from "./state.js";
import { fill, gettext } from "./texts.js";
import { graceLeft, laneOf, recoveriesOf } from "./timeline.js";
import { closeWindow } from "./time.js";

const GRACE_MS = Number(document.body.dataset.grace) * 1000;
const MAX_RECOVERIES = Number(document.body.dataset.recoveries);
const PAUSE_MS = 900; // a person needs time to read a step

export const STEPS = [
  gettext("The thief copies your refresh token"),
  gettext("The grace window closes; until then the server accepts a replaced token"),
  gettext("You refresh, and your token is replaced"),
  gettext("Time passes, and the grace window closes again"),
  gettext("You refresh again, so the copy is now two generations old"),
  gettext("The thief sends the copy, so the server knows that a copy exists and ends the session"),
  gettext("You must log in again, so you know that something was wrong"),
];

/** Give the thief the refresh token of the tabs. */
export async function copyToken() {
  state.stolen = held();
  state.holders.thief.refused = false;
  await copyAcross("you", "thief", state.stolen.number);
  say(gettext("The thief has copied refresh token %(number)s. Nobody notices a copy.", { number: state.stolen.number }));
}

/** Play a theft to its end. The arguments are the functions that refresh as the client and as the thief. */
export async function playTheft({ refresh, steal, settled }) {
  byId("steps").replaceChildren(...STEPS.map((text) => make("li", {}, text)));
  const items = [...byId("steps").children];
  const point = (index) => items.forEach((item, other) => (other === index ? item.setAttribute("aria-current", "step") : item.removeAttribute("aria-current")));
  const acts = [
    copyToken,
    () => closeWindow(GRACE_MS),
    refresh,
    () => closeWindow(GRACE_MS),
    refresh,
    () => steal(state.stolen),
    () => refresh().catch(() => {}),
  ];
  for (const [index, act] of acts.entries()) {
    point(index);
    say(STEPS[index]);
    await act();
    await settled();
    await pause(PAUSE_MS);
  }
  point(-1);
}

/** Return the last word about a theft: the outcome for each holder. */
export function concludeTheft() {
  const lane = laneOf(state.session);
  return lane?.reused ? gettext("THEFT. %(outcomes)s. You can log in again, and the thief cannot.", { outcomes: describeEnd(lane).join(". ") }) : "";
}

export function tryToCopy() {
  const found = document.cookie;
  const words = /tsr_/.test(found) ? "" : gettext("It does not contain the refresh token (tessera_signed_in says only that there may be a session), because the browser hides that cookie from every script. But a thief can still use this page while it is open.");
  const said = found ? gettext("document.cookie is “%(cookie)s”.", { cookie: found }) : gettext("document.cookie is empty.");
  byId("cookie-found").hidden = false;
  setText(byId("cookie-found"), `${said} ${words}`);
}

// -- All tokens that the page has seen -------------------------------------------------------------

const ROLES = {
  current: [gettext("current"), "good"],
  parent: [gettext("just replaced"), "warn"],
  replaced: [gettext("replaced long ago"), "bad"],
  skipped: [gettext("skipped"), "bad"],
  dead: [gettext("its session has ended"), "bad"],
  unknown: [gettext("unknown"), "quiet"],
};
const stateOf = (token) => laneOf(state.session)?.tokens[token.number - 1]?.state ?? "unknown";

let send = () => {};

/** Set the function that sends a token as the thief. */
export const onSend = (action) => (send = action);

/** List the tokens, newest first. A token that the list has already keeps its place. */
export function showTokens() {
  const list = byId("tokens");
  if (list.dataset.session !== state.session) list.replaceChildren();
  list.dataset.session = state.session;
  for (const token of state.seen.slice(list.children.length)) list.prepend(showToken(token));
  tickTokens();
}

function showToken(token) {
  token.badge = make("span", { class: "badge" });
  token.forecast = make("span", { class: "quiet" });
  const { number } = token;
  const about = { class: "small", "aria-label": gettext("Send as the thief: refresh token %(number)s", { number }), onclick: () => send(token) };
  const button = make("button", { type: "button", ...about }, gettext("Send as the thief"));
  const head = fill(gettext("No. %(number)s %(token)s"), { number, token: make("code", {}, shorten(token.text)) });
  return make("li", {}, make("div", {}, ...head, " ", token.badge, make("br"), token.forecast), button);
}

/** Update the state and the forecast of each token. */
export function tickTokens() {
  for (const token of state.seen) {
    if (!token.badge) continue;
    const found = stateOf(token);
    const [words, colour] = ROLES[found];
    const told = { state: words };
    setText(token.badge, token === state.stolen ? gettext("%(state)s, and the thief has it", told)
      : token.holder === "you" ? words : gettext("%(state)s, held by the thief", told));
    token.badge.className = `badge ${colour}`;
    setText(token.forecast, foresee(found));
  }
}

function foresee(found) {
  if (state.over || found === "dead") return gettext("If the token is sent now: 401, because the session has ended.");
  if (found === "replaced" || found === "skipped") return gettext("If the token is sent now: 401, and the session ends.");
  if (graceLeft(state.session, GRACE_MS) > 0) return gettext("If the token is sent now: 200, and nothing is rotated.");
  if (found === "current") return gettext("If the token is sent now: 200, and the token is replaced.");
  if (recoveriesOf(state.session) >= MAX_RECOVERIES) return gettext("If the token is sent now: 401, and the session ends, because too many answers in a row were lost.");
  return gettext("If the token is sent now: 200, and the server issues another successor (recovery).");
}
