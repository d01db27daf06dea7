// The same scenes under three rules. The model of the refresh rule has played them (scenes.js).

import { byId, make } from "./dom.js";
import { SCENES } from "./scenes.js";

export function drawScenes() {
  byId("scenes").replaceChildren(...SCENES.scenes.map(drawScene), drawFigures());
}

function drawScene({ name, cells }) {
  const rules = make("ul", { class: "cells" }, ...cells.map((cell, index) => drawCell(SCENES.rules[index], cell)));
  return make("li", {}, make("h3", {}, name), rules);
}

function drawCell(rule, cell) {
  const [words, colour] = judge(cell);
  const steps = make("ol", {}, ...cell.steps.map((step) => make("li", {}, step)));
  const summary = make("summary", {}, "Step by step", make("span", { class: "sr" }, ` under ${rule}`));
  return make("li", { class: rule === "drf-tessera" ? "cell ours" : "cell" },
    make("strong", { class: "rule" }, rule), make("span", { class: `outcome ${colour}` }, words), make("details", {}, summary, steps));
}

function judge({ you, thief }) {
  if (thief === null) return you ? ["✓ You stay logged in", "good"] : ["✕ You are logged out, without a thief", "bad"];
  return thief ? ["✕ The thief stays in, and nobody notices", "bad"] : ["✓ Noticed: the thief is out, and you log in again", "good"];
}

function drawFigures() {
  const cells = SCENES.rules.map((rule, index) =>
    make("li", { class: rule === "drf-tessera" ? "cell ours" : "cell" },
      make("strong", { class: "rule" }, rule),
      make("span", { class: "outcome" }, `Logged out without a thief: ${tellLoss(SCENES.loss[index])}.`),
      make("span", { class: "outcome" }, `A thief gets in beside you: ${tellBound(SCENES.bound[index])}.`)));
  return make("li", {}, make("h3", {}, "The worst case of all cases"), make("ul", { class: "cells" }, ...cells));
}

const tellLoss = (loss) => (loss === null ? "never" : loss === 0 ? "two tabs are enough" : `only after ${loss} lost answers in a row`);
const tellBound = (bound) => (bound === null ? "without end" : bound === 0 ? "not once" : `${bound} times at most`);
