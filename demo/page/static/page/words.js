// The meaning of codes, claims and ends of sessions, in plain words.

/** The meaning of each code. `exceptions.py` of drf-tessera has all codes. */
export const CODES = {
  login_failed: "The password is wrong, or the account is unknown or inactive. The answer is the same in all three cases, so that nobody can find out which accounts exist.",
  throttled: "There were too many attempts to log in. Retry-After is the number of seconds to wait.",
  not_authenticated: "No access token was sent.",
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
  amr: "The method of login: a password",
  scope: "The permitted uses of the token",
};

/** The reasons why a session ended: reasons of the client, reasons of the server, and codes. */
export const ENDS = {
  logout: "logged out",
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

export function explain(status, data, fallback) {
  return CODES[data?.code] ?? data?.detail ?? (status ? `The server answered ${status}.` : fallback);
}
