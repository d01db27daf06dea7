// The sessions of the user: the names of the devices, an end for each, and a second device to try it.

import { byId, make, moment, nameDevice } from "./dom.js";
import { client } from "./login.js";
import { log, record } from "./log.js";
import { LOGIN, NOTES, arrival } from "./net.js";
import { run } from "./run.js";
import { state } from "./state.js";
import { gettext } from "./texts.js";
import { explain } from "./words.js";

const phones = new Map(); // the access tokens of the other devices, by their sessions

export async function listSessions() {
  byId("session-list").replaceChildren(...(await client.sessions()).map(showSession));
}

function showSession(row) {
  const device = nameDevice(row.device);
  const title = make("div", {}, make("strong", {}, device), " ");
  if (row.current) title.append(make("span", { class: "badge good" }, gettext("this page")));
  if (row.personal) title.append(make("span", { class: "badge warn" }, gettext("personal token")));
  title.append(make("br"), make("span", { class: "quiet" },
    gettext("%(address)s · started %(start)s · last used %(use)s", { address: row.ip ?? gettext("no address"), start: moment(row.started_at), use: moment(row.last_used_at) })));
  const button = make("button", { type: "button", class: "small", "aria-label": gettext("End the session on %(device)s", { device }) }, gettext("End"));
  const item = make("li", {}, title, button);
  button.addEventListener("click", () => run(async () => {
    await client.endSession(row.id);
    item.remove();
    if (client.signedIn) byId("sessions-title").focus();
    if (phones.has(row.id)) await callAsPhone(row.id);
  }, button));
  return item;
}

export async function endOthers() {
  await client.logoutOthers();
  for (const item of [...byId("session-list").children]) if (!item.querySelector(".badge.good")) item.remove();
  for (const session of phones.keys()) await callAsPhone(session);
}

// -- A second device -------------------------------------------------------------------------------

/** Return the password of the user, if this is one of the people of the demo. */
const passwordOf = (user) => document.querySelector(`[data-name="${CSS.escape(user?.username ?? "")}"]`)?.dataset.password;

/** Log in once more, without the cookies of this browser and under another name of the device. */
export async function logInOnPhone() {
  const body = JSON.stringify({ username: state.user.username, password: passwordOf(state.user), device: gettext("Phone"), transport: "header" });
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const { entry } = await record(new Request(new URL(LOGIN, location), { method: "POST", headers, body, credentials: "omit" }), gettext("The phone"));
  log(entry, entry.status === 200 ? gettext("The phone is logged in. Its session is one of its own.") : explain(entry.status, entry.data, entry.answer));
  if (entry.status !== 200) return;
  phones.set(entry.data.session, entry.data.access);
  await listSessions();
}

/** Call as a device whose session has ended. */
async function callAsPhone(session) {
  const headers = { Accept: "application/json", Authorization: `Bearer ${phones.get(session)}` };
  phones.delete(session);
  await arrival();
  const { entry } = await record(new Request(new URL(NOTES, location), { headers, credentials: "omit" }), gettext("The phone"));
  log(entry, entry.status === 401 ? gettext("The phone calls, and is refused at once. Its token would have been good for longer.") : gettext("The phone calls."));
}

export function showDevices() {
  byId("sessions-phone").hidden = !passwordOf(state.user);
}
