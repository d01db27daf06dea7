// The meaning of codes, claims, answers and ends of sessions, in plain words.

import { gettext, ngettext } from "./texts.js";

/** The meaning of each code. `exceptions.py` of drf-tessera has all codes. */
export const CODES = {
  login_failed: gettext("The password is wrong, or the account is unknown or inactive. The answer is the same in all three cases, so that nobody can find out which accounts exist."),
  throttled: gettext("There were too many attempts to log in. Retry-After is the number of seconds to wait."),
  not_authenticated: gettext("No access token was sent."),
  token_bad_signature: gettext("The signature does not match: somebody has changed the token, and only the server can sign."),
  token_unsupported: gettext("The header names an algorithm that this server does not accept."),
  token_key_unknown: gettext("The header names a key that this server does not have."),
  token_malformed: gettext("This is not a token."),
  token_expired: gettext("The access token has expired. The client refreshes and tries again."),
  session_ended: gettext("The access token has a valid signature and has not expired, but its session has ended. Therefore the server refuses the token at once."),
  refresh_invalid: gettext("This is not a refresh token of this server."),
  refresh_missing: gettext("Nobody is logged in in this browser, because there is no refresh cookie."),
  refresh_reused: gettext("THEFT: this token is neither the current token nor its parent, so somebody kept a copy. The server cannot tell the thief from the owner, so the session was ended for both. The owner logs in again."),
  refresh_lost: gettext("Too many answers to this client were lost in a row. Nothing shows a theft, but the server cannot rule it out. The user logs in again."),
  transport_mismatch: gettext("This refresh token was issued for another transport."),
  session_unknown: gettext("The session no longer exists. Log in again."),
  session_revoked: gettext("The session was ended by a logout, a theft or a changed password. Log in again."),
  session_expired: gettext("The session has reached its time limit. Log in again."),
  session_not_found: gettext("This user has no such live session."),
  user_gone: gettext("The user of this token no longer exists."),
  user_inactive: gettext("The user of this token may no longer log in."),
  refresh_contended: gettext("Other requests changed this session at the same time. Nothing is lost. Try again."),
  personal_token_invalid: gettext("This is not a personal access token of this server."),
  personal_token_refused: gettext("This view does not accept personal access tokens."),
  personal_tokens_full: gettext("This user has 100 tokens. End one of them."),
  challenge_required: gettext("The password is right, and the account has a second factor. The login hands out a ticket, and waits for the code."),
  challenge_failed: gettext("The code is wrong, or was used before. The ticket can be used again."),
  ticket_invalid: gettext("This step took too long, or was done before. Log in again."),
  email_unconfirmed: gettext("The address of this account was never confirmed."),
  incorrect_code: gettext("This is not the code."),
  not_found: gettext("The note does not exist, or it belongs to another user. The answer is the same in both cases."),
};

export const CLAIMS = {
  alg: gettext("The algorithm of the signature"),
  kid: gettext("The key of the signature"),
  typ: gettext("The type: an access token (RFC 9068)"),
  iss: gettext("The issuer"),
  sub: gettext("The user’s id"),
  aud: gettext("The services that accept the token"),
  iat: gettext("The time of issue"),
  exp: gettext("The time from which the token is refused"),
  jti: gettext("The token’s own id; no two tokens have the same id"),
  sid: gettext("The token’s session; when the session ends, the token ends too"),
  auth_time: gettext("The time of the password check; a refresh does not change this time"),
  amr: gettext("The ways of the login: pwd is a password, otp a code"),
  acr: gettext("The last step of the login"),
  scope: gettext("The permitted uses of the token"),
};

/** The reasons why a session ended: reasons of the client, reasons of the server, and codes. */
export const ENDS = {
  logout: gettext("logged out"),
  logout_elsewhere: gettext("you were logged out in another tab"),
  logout_all: gettext("logged out everywhere"),
  password_changed: gettext("the password was changed"),
  user_inactive: gettext("the account was deactivated"),
  user_deleted: gettext("the account was deleted"),
  evicted: gettext("too many sessions"),
  refresh_reused: gettext("a stolen token was used"),
  refresh_lost: gettext("too many answers were lost"),
  session_revoked: gettext("it was ended by another client"),
  admin: gettext("an administrator ended it"),
};

/** The states of a refresh token. */
export const STATES = {
  current: gettext("current"),
  parent: gettext("just replaced"),
  replaced: gettext("replaced"),
  skipped: gettext("skipped"),
  dead: gettext("dead"),
};

/** The steps of allauth that may be missing, with what is to be done. */
const PENDING = { verify_email: gettext("The account is made. One step is missing: the code of the message in the mailbox.") };

/** Return the step that an answer of allauth waits for, or undefined. */
export const findPending = (data) => (Array.isArray(data?.data?.flows) ? data.data.flows.find((flow) => flow.is_pending)?.id : undefined);

export function explain(status, data, fallback) {
  const [wrong] = Array.isArray(data?.errors) ? data.errors : [];
  return CODES[data?.code ?? wrong?.code] ?? wrong?.message ?? PENDING[findPending(data)] ?? data?.detail ?? (status ? gettext("The server answered %(status)s.", { status }) : fallback);
}

/** Return what an answer means. `made` is the refresh token that a refresh has made, or null. */
export function describe(entry, refreshing, made) {
  const { status, data } = entry;
  if (!status) return entry.answer;
  if (status >= 300) return REFUSALS[nameRequest(entry)] ?? explain(status, data);
  return refreshing ? describeRefresh(made) : (ANSWERS[nameRequest(entry)]?.(data) ?? gettext("Done."));
}

const nameRequest = ({ method, path }) => `${method} ${path.replace(/^\/(api|_allauth\/app\/v1)\//, "").replace(/(notes|sessions|personal-tokens)\/(?!others).+/, "$1/…")}`;

const ANSWERS = {
  "POST token/": (data) =>
    data.refresh
      ? gettext("A session for %(user)s has started, with an access token and the first refresh token.", { user: data.user.username })
      : gettext("A session for %(user)s has started, with an access token for this page’s memory and a refresh token in a cookie that no script can read.", { user: data.user.username }),
  "POST token/revoke/": (data) =>
    data.revoked
      ? gettext("Logged out. The session has ended, and its access token too, although the token has not expired.")
      : gettext("There was no session to end. A second logout is not an error."),
  "GET token/sessions/": (data) => ngettext("%(count)s live session of this user.", "%(count)s live sessions of this user.", data.length),
  "DELETE token/sessions/": (data) => ngettext("%(count)s session ended, including this session.", "%(count)s sessions ended, including this session.", data.revoked),
  "DELETE token/sessions/others/": (data) => ngettext("%(count)s other session ended. This session continues.", "%(count)s other sessions ended. This session continues.", data.revoked),
  "DELETE token/sessions/…": () => gettext("That session has ended. The answer to its next request is 401."),
  "GET notes/": (data) => ngettext("%(count)s note of this user.", "%(count)s notes of this user.", data.length),
  "POST notes/": (data) => gettext("Note %(number)s is saved.", { number: data.id }),
  "GET notes/…": (data) => gettext("Note %(number)s says: %(text)s", { number: data.id, text: data.text }),
  "POST personal-tokens/": () => gettext("The token is made. Only this answer has its text, because the server keeps a digest."),
  "GET personal-tokens/": (data) => ngettext("%(count)s live token of this user.", "%(count)s live tokens of this user.", data.length),
  "DELETE personal-tokens/…": () => gettext("The token has ended. The answer to its next request is 401."),
  "DELETE notes/…": () => gettext("The note is deleted."),
  "POST ticket/": (data) => gettext("A one-time ticket: it opens one socket within %(seconds)s seconds.", { seconds: data.expires_in }),
  "GET keys/": (data) => ngettext("%(count)s key of this server, newest first.", "%(count)s keys of this server, newest first.", data.length),
  "POST keys/": () => gettext("The next key is published. Verifiers fetch it before it signs."),
  "POST keys/lapse/": () => gettext("The times of the keys were moved into the past. Only the demo can do this."),
  "GET /.well-known/jwks.json": (data) => ngettext("%(count)s public key. Any service may keep them for a while.", "%(count)s public keys. Any service may keep them for a while.", data.keys.length),
  "POST auth/email/verify": () => gettext("The address is confirmed. The answer has an access token and the first refresh token of a new session."),
  "POST auth/reauthenticate": () => gettext("allauth wants the password once more before it changes the factors of an account."),
  "POST account/authenticators/totp": () => gettext("The second factor is on."),
};

const REFUSALS = {
  "GET account/authenticators/totp": gettext("There is no second factor yet, so the answer has a secret for a phone."),
};

function describeRefresh(made) {
  if (!made) return gettext("Within the grace window: nothing is rotated. The client keeps its refresh token, and nobody is logged out.");
  if (made.how === "recovered") {
    return gettext("Recovered: the successor of this token was never used, so the answer with it must have been lost. The server issued no. %(number)s. If somebody sends the skipped token, the session ends.", { number: made.number });
  }
  return gettext("Rotated: the answer has a new access token and refresh token no. %(number)s. The token that was sent is now its parent.", { number: made.number });
}
