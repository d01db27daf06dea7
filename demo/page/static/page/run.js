// The tasks of the buttons, one after the other, because a task depends on the result of the task before.

import { byId } from "./dom.js";
import { say } from "./log.js";
import { gettext } from "./texts.js";
import { CODES } from "./words.js";

let queue = Promise.resolve();
let waiting = 0;

/** Run a task after the tasks before it. The stage and the button show that something is going on. */
export function run(task, button = null) {
  mark(1, button);
  queue = queue.then(task).catch(report).finally(() => mark(-1, button));
  return queue;
}

function report(error) {
  say(CODES[error.code] ?? error.detail ?? gettext("This page failed: %(error)s", { error: error.message }));
}

function mark(change, button) {
  waiting += change;
  byId("busy").hidden = waiting === 0;
  if (button) button.toggleAttribute("data-busy", change > 0);
}

export const onClick = (id, task) => byId(id).addEventListener("click", () => run(task, byId(id)));

export function onSubmit(id, task) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    run(task, event.submitter);
  });
}
