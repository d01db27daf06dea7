// The five stops. Each one has a sentence, a button, a tick when it is done, and what the person has just seen.

import { byId, setText } from "./dom.js";
import { gettext } from "./texts.js";

const STOPS = ["login", "call", "wait", "tab", "thief"];
const done = new Set();

/** Tick a stop, and say what the person has just seen. Only the newest of these texts stays open. */
export function reach(stop, seen = "") {
  const fresh = !done.has(stop);
  done.add(stop);
  if (seen) setText(byId(`seen-${stop}`).querySelector("p"), seen);
  for (const other of STOPS) byId(`seen-${other}`).open = other === stop;
  drawTour();
  const next = STOPS.find((other) => !done.has(other));
  if (fresh && next) byId(`stop-${next}`).scrollIntoView({ block: "nearest" });
}

let signedIn = false;

function label(button, title, again) {
  button.dataset.label ??= button.textContent;
  setText(button, again ? gettext("Again") : button.dataset.label);
  if (again) button.setAttribute("aria-label", gettext("Again: %(title)s", { title }));
  else button.removeAttribute("aria-label");
}

/** Draw the ticks. The first stop that is not done is open, and its button works after a login. */
export function drawTour(now = signedIn) {
  signedIn = now;
  const current = STOPS.find((stop) => !done.has(stop));
  for (const stop of STOPS) {
    const item = byId(`stop-${stop}`);
    item.classList.toggle("done", done.has(stop));
    item.classList.toggle("current", stop === current);
    if (stop === current) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    byId(`seen-${stop}`).hidden = !done.has(stop);
    setText(item.querySelector(".sr"), done.has(stop) ? gettext("Done: ") : "");
    const button = item.querySelector("button.act");
    if (!button) continue;
    button.disabled = !signedIn;
    button.classList.toggle("primary", stop === current && signedIn);
    button.classList.toggle("small", done.has(stop));
    label(button, item.querySelector("h3").lastChild.textContent, done.has(stop));
    button.hidden = !(stop === current || (done.has(stop) && signedIn));
  }
  byId("stop-count").value = done.size;
  setText(byId("stop-words"), done.size === STOPS.length ? gettext("All five stops are done.") : gettext("%(done)s of %(all)s stops are done.", { done: done.size, all: STOPS.length }));
}
