// All sessions since the start of the demo: a lane for each, with a mark for each of its refresh tokens.

import { byId, clock, count, make, nameDevice, setText } from "./dom.js";
import { state } from "./state.js";
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
  setText(byId("ended-count"), `${count(ended.length, "session")} that ended`);
  byId("ended-list").replaceChildren(...ended.map(([session, lane]) => drawLane(session, lane)));
  for (const strip of document.querySelectorAll(".strip")) strip.scrollLeft = strip.scrollWidth;
}

function drawLane(session, lane) {
  const name = lane.about?.user ?? "somebody";
  const title = make("h3", {}, `${name} `, make("span", { class: "quiet" }, nameDevice(lane.about?.device ?? "")));
  if (session === state.session) title.append(" ", make("span", { class: "badge good" }, "this page"));
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
