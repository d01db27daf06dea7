/** The browser client of drf-tessera. See docs/howto/browser.md. */

export interface ClientOptions {
  /** The address of the token endpoints, such as `"/api/token/"` or `"https://api.example.com/api/token/"`. */
  baseUrl: string;
  /** `"cookie"` (default): the refresh token is in a cookie that no script can read. `"header"`: in this page's memory. */
  transport?: "cookie" | "header";
  /** The server's `REFRESH_GRACE` in seconds. A refresh that takes longer than half of it is repeated. */
  grace?: number;
  /** How many seconds a call waits for a refresh while the server cannot be reached. */
  patience?: number;
  /** The server's `HEADER_PREFIX`. */
  headerName?: string;
  headerPrefix?: string;
  /** The name of Django's CSRF cookie, for browsers that send neither `Origin` nor `Sec-Fetch-Site`. */
  csrfCookie?: string;
  /** Other origins that get the access token, in addition to the origin of `baseUrl`. */
  origins?: string[];
  /** Whether a request is repeated after a 401 that blames the access token or wants a proof. `true` by default. */
  repeat?: boolean;
  /** For the transport `"header"`: where an app keeps the refresh token, such as `AsyncStorage` of React Native. */
  storage?: TokenStorage | null;
  /** A function that gets each step of the client, such as `console.debug`. It never gets a token. */
  debug?: (step: string, detail: unknown) => void;
  /** Replacements for functions of the browser, for tests. */
  environment?: Partial<Environment>;
}

/** A storage whose methods may return promises. `localStorage` has the same form, but any script can read it. */
export interface TokenStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

/** The options of `fetch`, and of the way in which the client handles the request. */
export interface RequestOptions extends RequestInit {
  /** `false` sends the request without the access token. */
  token?: boolean;
  /** Whether this request is repeated after a 401 that blames the access token or wants a proof. */
  repeat?: boolean;
}

export interface Environment {
  fetch: typeof fetch;
  locks: LockManager | undefined;
  BroadcastChannel: typeof BroadcastChannel | undefined;
  crypto: SubtleCrypto | undefined;
  location: URL | Location | undefined;
  /** The text of `document.cookie`, or `null` if there is none. */
  cookies(): string | null;
  /** Delete the cookie that says that somebody is logged in. */
  dropMarker(): void;
  /** Milliseconds after which a silent tab loses the lock. */
  lease: number;
  /** Milliseconds of a clock that nobody can set. */
  monotonic(): number;
  /** Milliseconds of the clock that people can set. */
  wall(): number;
  /** A random number from 0 to 1. */
  random(): number;
  onOnline(listener: () => void): void;
  offOnline(listener: () => void): void;
  reportError(error: unknown): void;
}

export interface Credentials {
  username?: string;
  email?: string;
  password?: string;
  /** A name for this device, in the list of sessions. */
  device?: string;
  /** If the server has `REMEMBER_ME`: whether the session has the longer lifetimes and outlives the browser. */
  remember?: boolean;
  /** The second step of a login: the ticket of the error `challenge_required`, and what the user has shown. */
  ticket?: string;
  answer?: unknown;
  /** A field that your server's own serializer reads. */
  [field: string]: unknown;
}

/** The proof of a person, in the fields that the endpoint reads. */
export interface Proof {
  password?: string;
  /** The answer to the challenge of the server's `CHALLENGE`. */
  answer?: unknown;
  /** A field that your server's own serializer reads. */
  [field: string]: unknown;
}

/** The demand of a view. Both members are empty if a page of another origin cannot read the challenge. */
export interface StepUp {
  /** How many seconds old the proof may be, or `null`. */
  maxAge: number | null;
  /** The ways, one of which the person has to use, such as `"otp"`. */
  acrValues: string[];
}

/** The user as the login view returns it: the output of its `user_serializer_class`. */
export interface User {
  id: number | string;
  username: string;
  name: string;
  email: string;
}

export interface Session {
  id: string;
  /** Whether the session is this client's own session. */
  current: boolean;
  /** Whether this is a personal access token. Its name is `device`. */
  personal: boolean;
  /** The person who acts as the user, as in `sub`. Usually empty. */
  actor: string;
  device: string;
  scope: string;
  ip: string | null;
  started_at: string;
  last_used_at: string;
  idle_expires_at: string;
  expires_at: string;
}

/** The server's answer to a login. See `accept`. */
export interface Grant<U = User> {
  session: string;
  expires_in: number;
  access?: string;
  refresh?: string;
  user?: U;
}

/** The state of a client. The object is another one only after a change. */
export interface Snapshot<U = User> {
  /** `"unknown"` until the client knows whether somebody is logged in. */
  readonly status: "unknown" | "signedin" | "signedout";
  readonly user: U | null;
  readonly session: string | null;
}

export interface SignedIn<U = User> {
  user: U | null;
  /** `null` in a tab that has heard of a login in another tab, until this tab asks for a token. */
  session: string | null;
  /** The remaining lifetime of the access token, in seconds. */
  expiresIn: number;
}

export interface SignedOut<U = User> {
  /** `"logout"`, `"logout_all"`, or a code of the server, such as `"refresh_reused"` or `"refresh_lost"`. */
  reason: "logout" | "logout_all" | ErrorCode;
  user: U | null;
  session: string | null;
}

export interface Client<U = User> {
  /** Log in. Rejects with a `TesseraError`; the code of a wrong name or password is `login_failed`. */
  login(credentials: Credentials): Promise<U>;
  /** Take a grant that the page got elsewhere, such as from your own registration or a social login. */
  accept(grant: Grant<U>): Promise<U | null>;
  /**
   * Log out at once, here and in all tabs, and send the logout to the server. Rejects if the server cannot be
   * reached. The session then continues, and with the transport "cookie" a reload is logged in again.
   */
  logout(): Promise<{ revoked: boolean }>;
  /** Log out everywhere. */
  logoutAll(): Promise<{ revoked: number }>;
  /** End all other sessions of the user. */
  logoutOthers(): Promise<{ revoked: number }>;
  /** List the sessions of the user, with the latest login first. */
  sessions(): Promise<Session[]>;
  /** End one session. */
  endSession(id: string): Promise<void>;
  /**
   * Get a new access token. Call this only if you do not use `fetch`. Simultaneous calls share one request.
   * Rejects with `passing: true` if the server could not be reached in time. Nobody is logged out by this.
   */
  refresh(): Promise<void>;
  /**
   * Find out whether somebody is logged in: after a reload, or after a login in a popup or in a page of the server.
   * A page that can see that the cookie does not exist sends no request.
   */
  restore(): Promise<boolean>;
  /** Load the user again, for example after a change of the profile. */
  reloadUser(): Promise<U | null>;
  /**
   * Like `window.fetch`, with the access token. The token is refreshed before it expires, and a request is
   * repeated once after a 401 that blames the access token, and once after a proof that a view wants (`stepup`). No proof is
   * asked for a request that begins while a person is asked. A request to another origin, or with an `Authorization` header, is sent unchanged. Rejects with a `TesseraError` if a necessary refresh was refused, or took too long.
   */
  fetch(input: RequestInfo | URL, init?: RequestOptions): Promise<Response>;
  /**
   * Return an access token that is valid long enough for a request, for example of a WebSocket. `null` means
   * that nobody is logged in, or that the token is in a cookie.
   */
  token(): Promise<string | null>;
  /**
   * Prove again who the person is, within the session. `path` is the address of the endpoint, as seen from `baseUrl`:
   * `"prove/"` by default. Rejects with `login_failed` or `challenge_failed` after a wrong proof, which changes nothing.
   */
  prove(proof: Proof, path?: string): Promise<U | null>;
  /** Listen to an event. Returns a function that removes the listener. */
  on(event: "signedin" | "refreshed", listener: (detail: SignedIn<U>) => void): () => void;
  on(event: "signedout", listener: (detail: SignedOut<U>) => void): () => void;
  /**
   * A view wants a recent or a certain proof (`insufficient_user_authentication`). The listener asks the person, calls
   * `prove`, and returns a promise. After it the request is repeated once. Without a proof its caller gets the 401.
   */
  on(event: "stepup", listener: (demand: StepUp) => unknown): () => void;
  /** Call a listener with the snapshot, now and after each change. For stores of React, Vue, Svelte and others. */
  subscribe(listener: (snapshot: Snapshot<U>) => void): () => void;
  getSnapshot(): Snapshot<U>;
  /** Stop this client and all its events. The session continues. */
  close(): void;
  readonly status: Snapshot["status"];
  readonly user: U | null;
  readonly session: string | null;
  readonly signedIn: boolean;
  /** The remaining lifetime of the access token, in seconds. */
  readonly expiresIn: number;
}

/**
 * Stable codes: those of the client, those of the server (docs/reference/errors.md), and those of your own server.
 * `unavailable`: there was no answer. `signed_out`: nobody is logged in. `superseded`: somebody logged in or out
 * meanwhile. `misconfigured`: the client and the server do not fit together, and the detail says what to look at.
 */
export type ErrorCode =
  | "unavailable"
  | "signed_out"
  | "superseded"
  | "misconfigured"
  | "invalid_request"
  | "email_login_unavailable"
  | "token_missing"
  | "transport_unavailable"
  | "session_not_found"
  | "session_missing"
  | "insufficient_scope"
  | "insufficient_user_authentication"
  | "impersonated"
  | "personal_tokens_full"
  | "scope_unavailable"
  | "invalid_client"
  | "csrf_failed"
  | "csrf_origin"
  | "csrf_fetch_site"
  | "csrf_token"
  | "cookie_ambiguous"
  | "refused"
  | "login_failed"
  | "login_refused"
  | "challenge_required"
  | "challenge_failed"
  | "ticket_invalid"
  | "header_malformed"
  | "token_invalid"
  | "token_malformed"
  | "token_too_large"
  | "token_unsupported"
  | "token_wrong_type"
  | "token_key_unknown"
  | "token_bad_signature"
  | "token_claim_invalid"
  | "token_wrong_issuer"
  | "token_wrong_audience"
  | "token_expired"
  | "token_not_yet_valid"
  | "personal_token_invalid"
  | "personal_token_refused"
  | "refresh_invalid"
  | "refresh_missing"
  | "transport_mismatch"
  | "refresh_reused"
  | "refresh_lost"
  | "session_ended"
  | "session_unknown"
  | "session_revoked"
  | "session_expired"
  | "user_gone"
  | "user_conflict"
  | "user_inactive"
  | "password_changed"
  | "throttled"
  | "temporarily_unavailable"
  | "database_unavailable"
  | "login_busy"
  | "refresh_contended"
  | "revocation_unavailable"
  | "issuer_unavailable"
  | "keys_unavailable"
  | "invalid"
  | "null"
  | "account_required"
  | "account_ambiguous"
  | "parse_error"
  | "not_authenticated"
  | "method_not_allowed"
  | "not_acceptable"
  | "body_too_large"
  | "unsupported_media_type"
  | (string & {});

export class TesseraError extends Error {
  constructor(
    code: ErrorCode,
    detail: string,
    options?: { status?: number; retryAfter?: number; passing?: boolean; body?: unknown; cause?: unknown },
  );
  code: ErrorCode;
  detail: string;
  /** The HTTP status. 0 means that there was no answer. */
  status: number;
  /** How many seconds the server asks the client to wait. */
  retryAfter: number;
  /** Whether the same request may succeed in a moment. */
  passing: boolean;
  /** The body of the answer, such as the fields of a refused form, or `null`. */
  body: any;
  /** The wrong fields of a refused form, or `null`. */
  readonly fields: Record<string, { message: string; code: string }[]> | null;
}

export function createClient<U = User>(options: ClientOptions): Client<U>;
