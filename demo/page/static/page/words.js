// What the codes, the claims and the ends of sessions mean, in plain words.

/** What each code means; `exceptions.py` of drf-tessera has them all. */
export const CODES = {
  login_failed: "Wrong password, unknown account or inactive account: one answer for all three, so that nobody learns which accounts exist.",
  throttled: "Too many attempts to log in. Wait for as many seconds as Retry-After says.",
  not_authenticated: "No access token was sent.",
  token_expired: "The access token has expired. The client refreshes and tries again.",
  session_ended: "The signature of the access token is right and its time is not over, but its session has ended. So it is refused at once.",
  refresh_invalid: "This is no refresh token that this server issued.",
  refresh_missing: "Nobody is logged in in this browser: there is no refresh cookie.",
  refresh_reused: "THEFT: this token is neither the current one nor its parent, so somebody kept a copy. Nobody can tell the thief from the owner, so the session was ended for both; the owner logs in again.",
  transport_mismatch: "This refresh token was given out to travel another way.",
  session_unknown: "The session does not exist any more. Log in again.",
  session_revoked: "The session was ended before: by a logout, a theft or a changed password. Log in again.",
  session_expired: "The session has reached its time limit. Log in again.",
  session_not_found: "This user has no such live session.",
  user_gone: "The user of this token does not exist any more.",
  user_inactive: "The user of this token may not log in any more.",
  refresh_contended: "Others were changing this session at the same moment. Nothing is lost; try again.",
  not_found: "There is no such note, or it is somebody else’s. The answer does not tell which.",
};

export const CLAIMS = {
  alg: "How it is signed",
  kid: "Which key signed it",
  typ: "What it is: an access token (RFC 9068)",
  iss: "Who issued it",
  sub: "Whose it is: the user’s id",
  aud: "Whom it is for",
  iat: "Issued at",
  exp: "Not accepted from then on",
  jti: "Its own number; no two are alike",
  sid: "The session that it belongs to; when that ends, so does the token",
  auth_time: "When the password was checked; a refresh does not change it",
  amr: "How: by password",
  scope: "What it may be used for",
};

/** Why a session is over: reasons of the client, of the server, and codes. */
export const ENDS = {
  logout: "logged out",
  logout_all: "logged out everywhere",
  password_changed: "the password was changed",
  user_inactive: "the account was deactivated",
  user_deleted: "the account was deleted",
  evicted: "too many sessions",
  refresh_reused: "a stolen token was used",
  session_revoked: "it was ended elsewhere",
  admin: "an administrator ended it",
};

export function explain(status, data, fallback) {
  return CODES[data?.code] ?? data?.detail ?? (status ? `The server answered ${status}.` : fallback);
}
