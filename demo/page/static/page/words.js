// The meaning of codes, claims, answers and ends of sessions, in plain words.

import { count } from "./dom.js";

/** The meaning of each code. `exceptions.py` of drf-tessera has all codes. */
export const CODES = {
  login_failed: "The password is wrong, or the account is unknown or inactive. The answer is the same in all three cases, so that nobody can find out which accounts exist.",
  throttled: "There were too many attempts to log in. Retry-After is the number of seconds to wait.",
  not_authenticated: "No access token was sent.",
  token_bad_signature: "The signature does not match: somebody has changed the token, and only the server can sign.",
  token_unsupported: "The header names an algorithm that this server does not accept.",
  token_key_unknown: "The header names a key that this server does not have.",
  token_malformed: "This is not a token.",
  token_expired: "The access token has expired. The client refreshes and tries again.",
  session_ended: "The access token has a valid signature and has not expired, but its session has ended. Therefore the server refuses the token at once.",
  refresh_invalid: "This is not a refresh token of this server.",
  refresh_missing: "Nobody is logged in in this browser, because there is no refresh cookie.",
  refresh_reused: "THEFT: this token is neither the current token nor its parent, so somebody kept a copy. The server cannot tell the thief from the owner, so the session was ended for both. The owner logs in again.",
  refresh_lost: "Too many answers to this client were lost in a row. Nothing shows a theft, but the server cannot rule it out. The user logs in again.",
  transport_mismatch: "This refresh token was issued for another transport.",
  session_unknown: "The session no longer exists. Log in again.",
  session_revoked: "The session was ended by a logout, a theft or a changed password. Log in again.",
  session_expired: "The session has reached its time limit. Log in again.",
  session_not_found: "This user has no such live session.",
  user_gone: "The user of this token no longer exists.",
  user_inactive: "The user of this token may no longer log in.",
  refresh_contended: "Other requests changed this session at the same time. Nothing is lost. Try again.",
  personal_token_invalid: "This is not a personal access token of this server.",
  personal_token_refused: "This view does not accept personal access tokens.",
  personal_tokens_full: "This user has 100 tokens. End one of them.",
  challenge_required: "The password is right, and the account has a second factor. The login hands out a ticket, and waits for the code.",
  challenge_failed: "The code is wrong, or was used before. The ticket can be used again.",
  ticket_invalid: "This step took too long, or was done before. Log in again.",
  email_unconfirmed: "The address of this account was never confirmed.",
  incorrect_code: "This is not the code.",
  not_found: "The note does not exist, or it belongs to another user. The answer is the same in both cases.",
};

export const CLAIMS = {
  alg: "The algorithm of the signature",
  kid: "The key of the signature",
  typ: "The type: an access token (RFC 9068)",
  iss: "The issuer",
  sub: "The user’s id",
  aud: "The services that accept the token",
  iat: "The time of issue",
  exp: "The time from which the token is refused",
  jti: "The token’s own id; no two tokens have the same id",
  sid: "The token’s session; when the session ends, the token ends too",
  auth_time: "The time of the password check; a refresh does not change this time",
  amr: "The ways of the login: pwd is a password, otp a code",
  acr: "The last step of the login",
  scope: "The permitted uses of the token",
};

/** The reasons why a session ended: reasons of the client, reasons of the server, and codes. */
export const ENDS = {
  logout: "logged out",
  logout_elsewhere: "you were logged out in another tab",
  logout_all: "logged out everywhere",
  password_changed: "the password was changed",
  user_inactive: "the account was deactivated",
  user_deleted: "the account was deleted",
  evicted: "too many sessions",
  refresh_reused: "a stolen token was used",
  refresh_lost: "too many answers were lost",
  session_revoked: "it was ended by another client",
  admin: "an administrator ended it",
};

/** The states of a refresh token. */
export const STATES = {
  current: "current",
  parent: "just replaced",
  replaced: "replaced",
  skipped: "skipped",
  dead: "dead",
};

/** The steps of allauth that may be missing, with what is to be done. */
const PENDING = { verify_email: "The account is made. One step is missing: the code of the message in the mailbox." };

/** Return the step that an answer of allauth waits for, or undefined. */
export const findPending = (data) => (Array.isArray(data?.data?.flows) ? data.data.flows.find((flow) => flow.is_pending)?.id : undefined);

export function explain(status, data, fallback) {
  const [wrong] = Array.isArray(data?.errors) ? data.errors : [];
  return CODES[data?.code ?? wrong?.code] ?? wrong?.message ?? PENDING[findPending(data)] ?? data?.detail ?? (status ? `The server answered ${status}.` : fallback);
}

/** Return what an answer means. `made` is the refresh token that a refresh has made, or null. */
export function describe(entry, refreshing, made) {
  const { status, data } = entry;
  if (!status) return entry.answer;
  if (status >= 300) return REFUSALS[nameRequest(entry)] ?? explain(status, data);
  return refreshing ? describeRefresh(made) : (ANSWERS[nameRequest(entry)]?.(data) ?? "Done.");
}

const nameRequest = ({ method, path }) => `${method} ${path.replace(/^\/(api|_allauth\/app\/v1)\//, "").replace(/(notes|sessions|personal-tokens)\/(?!others).+/, "$1/…")}`;

const ANSWERS = {
  "POST token/": (data) =>
    data.refresh
      ? `A session for ${data.user.username} has started, with an access token and the first refresh token.`
      : `A session for ${data.user.username} has started, with an access token for this page’s memory and a refresh token in a cookie that no script can read.`,
  "POST token/revoke/": (data) =>
    data.revoked
      ? "Logged out. The session has ended, and its access token too, although the token has not expired."
      : "There was no session to end. A second logout is not an error.",
  "GET token/sessions/": (data) => `${count(data.length, "live session")} of this user.`,
  "DELETE token/sessions/": (data) => `${count(data.revoked, "session")} ended, including this session.`,
  "DELETE token/sessions/others/": (data) => `${count(data.revoked, "other session")} ended. This session continues.`,
  "DELETE token/sessions/…": () => "That session has ended. The answer to its next request is 401.",
  "GET notes/": (data) => `${count(data.length, "note")} of this user.`,
  "POST notes/": (data) => `Note ${data.id} is saved.`,
  "GET notes/…": (data) => `Note ${data.id} says: ${data.text}`,
  "POST personal-tokens/": () => "The token is made. Only this answer has its text, because the server keeps a digest.",
  "GET personal-tokens/": (data) => `${count(data.length, "live token")} of this user.`,
  "DELETE personal-tokens/…": () => "The token has ended. The answer to its next request is 401.",
  "DELETE notes/…": () => "The note is deleted.",
  "POST ticket/": (data) => `A one-time ticket: it opens one socket within ${data.expires_in} seconds.`,
  "GET keys/": (data) => `${count(data.length, "key")} of this server, newest first.`,
  "POST keys/": () => "The next key is published. Verifiers fetch it before it signs.",
  "POST keys/lapse/": () => "The times of the keys were moved into the past. Only the demo can do this.",
  "GET /.well-known/jwks.json": (data) => `${count(data.keys.length, "public key")}. Any service may keep them for a while.`,
  "POST auth/email/verify": () => "The address is confirmed. The answer has an access token and the first refresh token of a new session.",
  "POST auth/reauthenticate": () => "allauth wants the password once more before it changes the factors of an account.",
  "POST account/authenticators/totp": () => "The second factor is on.",
};

const REFUSALS = {
  "GET account/authenticators/totp": "There is no second factor yet, so the answer has a secret for a phone.",
};

function describeRefresh(made) {
  if (!made) return "Within the grace window: nothing is rotated. The client keeps its refresh token, and nobody is logged out.";
  if (made.how === "recovered") {
    return `Recovered: the successor of this token was never used, so the answer with it must have been lost. The server issued no. ${made.number}. If somebody sends the skipped token, the session ends.`;
  }
  return `Rotated: the answer has a new access token and refresh token no. ${made.number}. The token that was sent is now its parent.`;
}
