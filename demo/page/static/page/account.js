// A new account through allauth: the sign-up, the code in the mailbox, and a second factor.

import { byId, clock, make, setText } from "./dom.js";
import { acceptGrant, client, logIn, logOut, open } from "./login.js";
import { ALLAUTH, arrival, readGrant, transmit } from "./net.js";
import { hidePhone, secretOf, showPhone, spend, teach } from "./phone.js";
import { say } from "./log.js";
import { run } from "./run.js";
import { state } from "./state.js";
import { gettext } from "./texts.js";
import { explain } from "./words.js";

let session = ""; // the token of allauth's own session, which its pages need
let fresh = null; // { email, password } of the account that was made here
let secret = ""; // the secret of the second factor, until it is on

/** Send a request to allauth. Return the log entry, and keep the newest token of allauth's session. */
async function ask(path, body) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (session) headers["X-Session-Token"] = session;
  const init = { method: body ? "POST" : "GET", headers, credentials: "omit", body: body && JSON.stringify(body) };
  const { entry } = await transmit("you", new Request(new URL(`${ALLAUTH}${path}`, location), init));
  session = entry.data?.meta?.session_token ?? session;
  await arrival();
  return entry;
}

function tell(form, text) {
  setText(byId(`${form}-error`), text);
  byId(`${form}-error`).hidden = !text;
}

// -- The sign-up -----------------------------------------------------------------------------------

/** Put an address into the form that nobody has yet. */
export function proposeAddress() {
  byId("sign-up-email").value = `new-${Math.random().toString(36).slice(2, 6)}@example.com`;
}

export async function signUp() {
  const [email, password] = ["email", "password"].map((name) => byId(`sign-up-${name}`).value);
  tell("sign-up", "");
  session = "";
  const entry = await ask("auth/signup", { email, password });
  if (entry.status !== 401) {
    tell("sign-up", explain(entry.status, entry.data, entry.answer));
    return;
  }
  fresh = { email, password };
  tell("verify", "");
  byId("verify-code").value = "";
  showAccount();
  setText(byId("mailbox-title"), gettext("Mailbox of %(address)s", { address: email }));
  await readMailbox();
  byId("account-part").scrollIntoView({ block: "start" });
  byId("mailbox-title").focus({ preventScroll: true });
}

async function readMailbox() {
  const response = await fetch(`/api/postbox/?to=${encodeURIComponent(fresh.email)}`, { credentials: "omit" });
  const [newest] = await response.json();
  byId("mails").replaceChildren(...(newest ? [showMail(newest)] : []));
}

function showMail({ subject, text, at }) {
  const [code] = text.match(/^[A-Z0-9]{3,}-?[A-Z0-9]{3,}$/m) ?? [];
  const paragraphs = text.trim().split(/\n\n+/).map((part) => (part === code ? make("p", {}, make("strong", { class: "code" }, code)) : make("p", {}, part)));
  const use = () => {
    byId("verify-code").value = code;
    byId("verify-code").focus();
  };
  const button = code ? [make("button", { type: "button", class: "small", onclick: use }, gettext("Copy the code"))] : [];
  const head = make("p", { class: "head" }, make("strong", {}, subject), " ", make("span", { class: "quiet" }, clock(new Date(at))));
  return make("li", {}, head, ...paragraphs, ...button);
}

/** Send the code. The answer to a right code has the tokens of a new session. */
export async function verify() {
  if (state.transport !== "header" || client.signedIn) open("header"); // allauth sends the tokens in the body
  const entry = await ask("auth/email/verify", { key: byId("verify-code").value.trim() });
  if (entry.status !== 200) {
    tell("verify", explain(entry.status, entry.data, entry.answer));
    byId("verify-code").focus();
    return;
  }
  await acceptGrant(readGrant(entry));
  byId("factor-add").focus();
}

// -- The second factor -----------------------------------------------------------------------------

/** Ask allauth for a secret, and give it to the phone. allauth wants the password once more before that. */
export async function addFactor() {
  await ask("auth/reauthenticate", { password: fresh.password });
  const entry = await ask("account/authenticators/totp");
  secret = entry.data?.meta?.secret ?? "";
  if (!secret) return say(explain(entry.status, entry.data, entry.answer));
  tell("factor", "");
  byId("factor-code").value = "";
  showAccount();
  await showPhone("factor-phone", "factor-code", secret);
  byId("factor-code").focus();
}

export async function turnOn() {
  const entry = await ask("account/authenticators/totp", { code: byId("factor-code").value.replace(/\s/g, "") });
  if (entry.status !== 200) {
    tell("factor", explain(entry.status, entry.data, entry.answer));
    byId("factor-code").focus();
    return;
  }
  teach([state.user.email, state.user.username], secret);
  hidePhone();
  showAccount();
  byId("factor-try").focus();
}

/** Log out, and log in again with the password that was chosen here. The login then asks for the code. */
export async function tryFactor() {
  const { email, password } = fresh;
  await logOut();
  run(async () => { // after the end of the session was shown
    byId("ended").hidden = true;
    byId("account").value = email;
    byId("password").value = password;
    await logIn(email, password);
  });
}

// -- The visible part ------------------------------------------------------------------------------

/** Show the part that comes next: the form, the mailbox, the second factor, or that somebody else is logged in. */
export function showAccount() {
  const mine = Boolean(client.signedIn && fresh && state.user?.email === fresh.email);
  const on = mine && Boolean(secretOf(fresh.email));
  byId("sign-up-form").hidden = client.signedIn || Boolean(fresh);
  byId("verify").hidden = client.signedIn || !fresh || !session;
  byId("account-other").hidden = !client.signedIn || mine;
  byId("factor").hidden = !mine;
  byId("factor-off").hidden = on || Boolean(secret);
  byId("factor-form").hidden = on || !secret;
  byId("factor-on").hidden = !on;
}

/** Forget allauth's session, because the login has ended. Somebody may sign up again. */
export function leaveAccount() {
  [session, secret] = ["", ""];
  fresh = null;
  proposeAddress();
  showAccount();
}

// -- The code at the login -------------------------------------------------------------------------

let ticket = "";

/** Ask for the code of a person whose password was right. */
export async function askForCode(account, error) {
  ticket = error.body.ticket;
  tell("code", "");
  byId("code").value = "";
  byId("login-form").hidden = true;
  byId("code-form").hidden = false;
  await showPhone("code-phone", "code", secretOf(account));
  byId("code").focus();
}

export async function sendCode() {
  const answer = byId("code").value.replace(/\s/g, "");
  try {
    await client.login({ ticket, answer });
  } catch (error) {
    tell("code", explain(error.status, error.body, error.detail));
    byId("code").focus();
    return;
  }
  spend();
  closeCode();
  byId("session-title").focus();
}

/** Show the form for the password again. */
export function closeCode() {
  hidePhone();
  byId("code-form").hidden = true;
  byId("login-form").hidden = false;
}
