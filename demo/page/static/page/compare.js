// The same scenes under three rules. The model of the refresh rule has played them (scenes.js).

import { byId, make } from "./dom.js";
import { SCENES } from "./scenes.js";
import { gettext, ngettext } from "./texts.js";

export function drawScenes() {
  byId("scenes").replaceChildren(...SCENES.scenes.map(drawScene), drawFigures());
}

function drawScene({ name, cells }) {
  const rules = make("ul", { class: "cells" }, ...cells.map((cell, index) => drawCell(SCENES.rules[index], cell)));
  return make("li", {}, make("h3", {}, gettext(name)), rules);
}

function drawCell(rule, cell) {
  const [words, colour] = judge(cell);
  const steps = make("ol", {}, ...cell.steps.map((step) => make("li", {}, gettext(step))));
  const summary = make("summary", { "aria-label": gettext("Step by step under %(rule)s", { rule: gettext(rule) }) }, gettext("Step by step"));
  return make("li", { class: rule === "drf-tessera" ? "cell ours" : "cell" },
    make("strong", { class: "rule" }, gettext(rule)), make("span", { class: `outcome ${colour}` }, words), make("details", {}, summary, steps));
}

function judge({ you, thief }) {
  if (thief === null) return you ? [gettext("✓ You stay logged in"), "good"] : [gettext("✕ You are logged out, without a thief"), "bad"];
  return thief ? [gettext("✕ The thief stays in, and nobody notices"), "bad"] : [gettext("✓ Noticed: the thief is out, and you log in again"), "good"];
}

function drawFigures() {
  const cells = SCENES.rules.map((rule, index) =>
    make("li", { class: rule === "drf-tessera" ? "cell ours" : "cell" },
      make("strong", { class: "rule" }, gettext(rule)),
      make("span", { class: "outcome" }, gettext("Logged out without a thief: %(when)s.", { when: tellLoss(SCENES.loss[index]) })),
      make("span", { class: "outcome" }, gettext("A thief gets in beside you: %(times)s.", { times: tellBound(SCENES.bound[index]) }))));
  return make("li", {}, make("h3", {}, gettext("The worst case of all cases")), make("ul", { class: "cells" }, ...cells));
}

function tellLoss(loss) {
  if (!loss) return loss === null ? gettext("never") : gettext("two tabs are enough");
  return ngettext("only after %(count)s lost answer", "only after %(count)s lost answers in a row", loss);
}

function tellBound(bound) {
  if (!bound) return bound === null ? gettext("without end") : gettext("not once");
  return ngettext("%(count)s time at most", "%(count)s times at most", bound);
}
