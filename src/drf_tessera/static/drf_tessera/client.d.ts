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
  /** Replacements for functions of the browser, for tests. */
  environment?: Partial<Environment>;
}

export interface Environment {
  fetch: typeof fetch;
  locks: LockManager | undefined;
  BroadcastChannel: typeof BroadcastChannel | undefined;
  location: { href: string; origin: string };
  /** The text of `document.cookie`. */
  cookies(): string;
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
  device: string;
  ip: string | null;
  started_at: string;
  last_used_at: string;
  idle_expires_at: string;
  expires_at: string;
}

export interface SignedIn<U = User> {
  user: U | null;
  session: string;
  /** The remaining lifetime of the access token, in seconds. */
  expiresIn: number;
}

export interface SignedOut<U = User> {
  /** `"logout"`, `"logout_all"`, or a code of the server, such as `"refresh_reused"` or `"refresh_lost"`. */
  reason: string;
  user: U | null;
  session: string;
}

export interface Client<U = User> {
  /** Log in. Rejects with a `TesseraError`; the code of a wrong name or password is `login_failed`. */
  login(credentials: Credentials): Promise<U>;
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
  /** After a reload, use the cookie to find out whether somebody is logged in. */
  restore(): Promise<boolean>;
  /**
   * Like `window.fetch`, with the access token. The token is refreshed before it expires, and a request is
   * repeated once after a 401. A request to another origin, or with an `Authorization` header, is sent
   * unchanged. Rejects with a `TesseraError` if a necessary refresh was refused, or took too long.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /**
   * Return an access token that is valid long enough for a request, for example of a WebSocket. `null` means
   * that nobody is logged in, or that the token is in a cookie.
   */
  token(): Promise<string | null>;
  /** Listen to an event. Returns a function that removes the listener. */
  on(event: "signedin" | "refreshed", listener: (detail: SignedIn<U>) => void): () => void;
  on(event: "signedout", listener: (detail: SignedOut<U>) => void): () => void;
  /** Stop this client and all its events. The session continues. */
  close(): void;
  readonly user: U | null;
  readonly session: string | null;
  readonly signedIn: boolean;
  /** The remaining lifetime of the access token, in seconds. */
  readonly expiresIn: number;
}

export class TesseraError extends Error {
  constructor(
    code: string,
    detail: string,
    options?: { status?: number; retryAfter?: number; passing?: boolean; body?: unknown; cause?: unknown },
  );
  /** A stable code: the server's code, or `unavailable`, `signed_out` or `superseded`. */
  code: string;
  detail: string;
  /** The HTTP status. 0 means that there was no answer. */
  status: number;
  /** How many seconds the server asks the client to wait. */
  retryAfter: number;
  /** Whether the same request may succeed in a moment. */
  passing: boolean;
  /** The body of the answer, such as the fields of a refused form, or `null`. */
  body: any;
}

export function createClient<U = User>(options: ClientOptions): Client<U>;
