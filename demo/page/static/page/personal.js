// Personal access tokens: make one, call with it as a script does, and end it.

import { byId, make, moment, setText } from "./dom.js";
import { ask } from "./free.js";
import { log, record, say } from "./log.js";
import { NOTES } from "./net.js";
import { run } from "./run.js";
import { gettext, ngettext } from "./texts.js";
import { explain } from "./words.js";

const TOKENS = "/api/personal-tokens/";
const SCOPE = "notes:read";
const DAYS = 30;

let made = ""; // the text of the newest token, which the server has shown once

/** Forget the token, because somebody else has logged in. */
export function forgetToken() {
  made = "";
  setText(byId("personal-line"), "");
  byId("personal-tokens").replaceChildren();
  byId("personal-made").hidden = true;
}

export async function makeToken() {
  const found = await ask("POST", TOKENS, { name: byId("personal-name").value, scope: SCOPE, days: DAYS });
  if (!found) return;
  made = found.token;
  setText(byId("personal-line"), `curl -H "Authorization: Bearer ${made}" ${new URL(NOTES, location)}`);
  byId("personal-made").hidden = false;
  tell("");
  byId("personal-tokens").prepend(showToken(found.session));
}

export async function copyLine() {
  try {
    await navigator.clipboard.writeText(byId("personal-line").textContent);
    tell(gettext("The line is copied."));
  } catch {
    getSelection().selectAllChildren(byId("personal-line")); // the browser does not allow it
    tell(gettext("The line is selected. Copy it with the keyboard."));
  }
}

/** Send the request of the line, without the tokens and the cookies of this page. */
export async function callAsScript() {
  const headers = { Accept: "application/json", Authorization: `Bearer ${made}` };
  const { entry } = await record(new Request(new URL(NOTES, location), { headers, credentials: "omit" }), gettext("The script"));
  const words = describeCall(entry);
  log(entry, words);
  tell(`${entry.status || gettext("No answer")}: ${words}`);
}

function describeCall({ status, data, answer }) {
  if (status === 200) return ngettext("The script reads %(count)s note. It has not logged in.", "The script reads %(count)s notes. It has not logged in.", data.length);
  return status === 401 ? gettext("The token was ended, and the server refuses it at once.") : explain(status, data, answer);
}

function tell(text) {
  setText(byId("personal-answer"), text);
  byId("personal-answer").hidden = !text;
}

export async function listTokens() {
  const found = await ask("GET", TOKENS);
  if (found) byId("personal-tokens").replaceChildren(...found.map(showToken));
}

function showToken(row) {
  const facts = gettext("%(scope)s · until %(time)s", { scope: row.scope, time: moment(row.expires_at) });
  const title = make("div", {}, row.device, make("br"), make("span", { class: "quiet" }, facts));
  const button = make("button", { type: "button", class: "small", "aria-label": gettext("End the token %(name)s", { name: row.device }) }, gettext("End"));
  const item = make("li", {}, title, button);
  button.addEventListener("click", () => run(async () => {
    if (!(await ask("DELETE", `${TOKENS}${row.id}/`))) return;
    item.remove();
    byId("personal-list").focus();
    say(gettext("The token %(name)s was ended. Call as the script again, and the server refuses it.", { name: row.device }));
  }, button));
  return item;
}
