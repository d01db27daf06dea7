// All sessions since the start of the demo: a lane for each, with a mark for each of its refresh tokens.

import { byId, clock, make, nameDevice, setText } from "./dom.js";
import { state } from "./state.js";
import { RTL, gettext, ngettext } from "./texts.js";
import { allLanes } from "./timeline.js";
import { ENDS, STATES } from "./words.js";

const MAX_LANES = 8;

/** Draw the live sessions and the session of this page. The others have ended, and fold away. */
export function drawLanes() {
  const shown = allLanes().reverse();
  const open = shown.filter(([session, lane]) => !lane.end || session === state.session).slice(0, MAX_LANES);
  const ended = shown.filter(([session, lane]) => lane.end && session !== state.session).slice(0, MAX_LANES);
  byId("lanes-empty").hidden = open.length > 0;
  byId("lanes").replaceChildren(...open.map(([session, lane]) => drawLane(session, lane)));
  byId("ended-lanes").hidden = ended.length === 0;
  setText(byId("ended-count"), ngettext("%(count)s session that ended", "%(count)s sessions that ended", ended.length));
  byId("ended-list").replaceChildren(...ended.map(([session, lane]) => drawLane(session, lane)));
  for (const strip of document.querySelectorAll(".strip")) strip.scrollLeft = RTL ? -strip.scrollWidth : strip.scrollWidth;
}

function drawLane(session, lane) {
  const name = lane.about?.user ?? gettext("somebody");
  const title = make("h3", {}, `${name} `, make("span", { class: "quiet" }, nameDevice(lane.about?.device ?? "")));
  if (session === state.session) title.append(" ", make("span", { class: "badge good" }, gettext("this page")));
  const tokens = make("ol", { class: "strip", tabindex: "0", "aria-label": gettext("Refresh tokens of a session of %(user)s", { user: name }) });
  tokens.append(...lane.tokens.map(drawToken));
  if (lane.end) tokens.append(drawEnd(lane));
  return make("li", { class: lane.end ? "lane over" : "lane" }, title, tokens);
}

const HOW = {
  started: gettext("from the login"),
  rotated: gettext("from a refresh"),
  recovered: gettext("from a recovery after a lost answer"),
  resynced: gettext("from a refresh after the server lost data"),
};

function drawToken(token) {
  const words = [make("span", { class: "dot", "aria-hidden": "true" }, String(token.number))];
  words.push(make("span", { class: "sr" }, gettext("No. %(number)s, %(how)s: ", { number: token.number, how: HOW[token.how] })));
  words.push(make("span", { class: "state" }, STATES[token.state]));
  if (token.graces) {
    const copies = ngettext(": %(count)s more access token in the grace window", ": %(count)s more access tokens in the grace window", token.graces);
    words.push(make("span", { class: "graces" }, `+${token.graces}`, make("span", { class: "sr" }, copies)));
  }
  const title = gettext("No. %(number)s, %(time)s, %(how)s", { number: token.number, time: clock(new Date(token.at)), how: HOW[token.how] });
  return make("li", { class: `node ${token.state} ${token.how}`, title }, ...words);
}

function drawEnd(lane) {
  const why = ENDS[lane.end.reason] ?? lane.end.reason;
  const mark = lane.reused ? "✕" : "■";
  return make(
    "li",
    { class: `node end ${lane.reused ? "stolen" : ""}`, title: clock(new Date(lane.end.at)) },
    make("span", { class: "dot", "aria-hidden": "true" }, mark),
    make("span", { class: "state" }, make("span", { class: "sr" }, gettext("The session ended: ")), why),
  );
}
