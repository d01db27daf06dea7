// Log in and out with drf-tessera's own client (client.js).

import { createClient } from "../drf_tessera/client.js";
import { askForCode, closeCode, leaveAccount, showAccount } from "./account.js";
import { forgetChat, showChat } from "./chat.js";
import { showDevices } from "./devices.js";
import { byId, setText } from "./dom.js";
import { showAccess } from "./jwt.js";
import { showKeys } from "./keys.js";
import { drawLanes } from "./lanes.js";
import { say } from "./log.js";
import { LOGIN, listen } from "./net.js";
import { forgetToken } from "./personal.js";
import { run } from "./run.js";
import { drawStage } from "./stage.js";
import { reset, state } from "./state.js";
import { gettext } from "./texts.js";
import { concludeTheft, showTokens } from "./theft.js";
import { now, wall } from "./time.js";
import { laneOf, update } from "./timeline.js";
import { drawTour, reach } from "./tour.js";
import { CODES, ENDS } from "./words.js";

const GRACE = Number(document.body.dataset.grace);

export let client = null;
let leaving = false; // whether this page is logging out

export function open(transport) {
  client?.close();
  state.transport = transport;
  client = createClient({ baseUrl: LOGIN, transport, grace: GRACE, environment: { fetch: listen, monotonic: now, wall } });
  // A tab that hears of a login in another tab knows the session after its own first refresh.
  client.on("signedin", (login) => (login.session ? begin(login) : run(() => client.refresh().then(() => begin(client)))));
  client.on("refreshed", () => showAccess(client));
  client.on("signedout", ({ reason }) => run(() => finish(reason)));
}

/** Find the session of the cookie after a reload. The client sends no request if there is no such cookie. */
export const restore = () => client.restore();

// -- The form --------------------------------------------------------------------------------------

export async function logIn(account, password) {
  const chosen = document.querySelector('input[name="transport"]:checked').value;
  const device = byId("device").value.trim();
  tell("");
  if (chosen !== state.transport || client.signedIn) open(chosen);
  const name = account.includes("@") ? { email: account } : { username: account };
  const credentials = { ...name, password, remember: byId("remember").checked, ...(device ? { device } : {}) };
  try {
    await client.login(credentials);
  } catch (error) {
    if (error.code === "challenge_required") return askForCode(account, error);
    tell((CODES[error.code] ?? error.detail).split(/\. |[。।]/)[0]); // the log has the whole text
    byId("password").focus();
    return;
  }
  byId("session-title").focus();
}

/** Take the tokens that another endpoint than the login has sent, and show the login. */
export const acceptGrant = (grant) => client.accept(grant);

/** Show at the form why a login has failed. */
function tell(text) {
  setText(byId("login-error"), text);
  byId("login-error").hidden = !text;
  for (const id of ["account", "password"]) byId(id).toggleAttribute("aria-invalid", Boolean(text));
}

export async function logOut() {
  leaving = true;
  try {
    await client.logout();
  } catch (error) {
    say(gettext("The logout did not reach the server: %(reason)s This page is logged out nevertheless.", { reason: error.detail }));
  } finally {
    leaving = false;
  }
}

export async function logOutEverywhere() {
  leaving = true;
  await client.logoutAll().finally(() => (leaving = false));
}

// -- The session -----------------------------------------------------------------------------------

/** Show a new login, which may come from this page, from a reload or from another tab. */
async function begin({ user, session }) {
  if (state.session !== session) reset();
  Object.assign(state, { session, user, over: "", cause: "" });
  setText(byId("who"), user ? `${user.username} (${user.email})` : gettext("somebody"));
  setText(byId("how"), state.transport === "cookie"
    ? gettext("The refresh token is in a cookie. You stay logged in after a reload, and all tabs share the cookie.")
    : gettext("The tokens are in this page’s memory. A reload deletes them."));
  for (const id of ["session-list", "note-list", "key-list", "steps"]) byId(id).replaceChildren();
  for (const id of ["ended", "cookie-found", "forgery", "keys-answer"]) byId(id).hidden = true;
  forgetToken();
  forgetChat();
  reach("login");
  show();
  await showAccess(client);
}

/** Show the end of the session. The reason from the server takes precedence. */
async function finish(reason) {
  await update().catch(() => {});
  const told = reason.startsWith("logout") ? reason : (laneOf(state.session)?.end?.reason ?? reason);
  state.cause = told === "logout" && !leaving ? "logout_elsewhere" : told;
  state.over = ENDS[state.cause] ?? CODES[state.cause] ?? state.cause;
  const words = gettext("The session of this page has ended: %(reason)s.", { reason: state.over });
  setText(byId("ended"), words);
  byId("ended").hidden = false;
  leaveAccount();
  show();
  say(concludeTheft() || words);
  byId("login-title").focus();
}

/** Show the parts of the page that belong to the state of the login. */
export function show() {
  const signedIn = client.signedIn;
  byId("login").hidden = signedIn;
  for (const id of ["session", "play", "sessions", "notes"]) byId(id).hidden = !signedIn;
  byId("personal-parts").hidden = !signedIn;
  byId("personal-nobody").hidden = signedIn;
  byId("access").hidden = !state.session;
  byId("thief-cookie").hidden = state.transport !== "cookie";
  byId("thief-header").hidden = state.transport !== "header";
  if (signedIn) closeCode();
  showAccount();
  showChat();
  showDevices();
  showKeys(signedIn);
  drawTour(signedIn);
  drawLanes();
  showTokens();
  drawStage();
}
