/** The browser client of drf-tessera. See docs/howto/browser.md. */

export interface ClientOptions {
  /** Where the token endpoints are, such as `"/api/token/"` or `"https://api.example.com/api/token/"`. */
  baseUrl: string;
  /** `"cookie"` (default): the refresh token is where no script can read it. `"header"`: in this page's memory. */
  transport?: "cookie" | "header";
  /** The server's `REFRESH_GRACE` in seconds: a refresh that takes longer than half of it is asked for again. */
  grace?: number;
  /** Seconds that a call waits for a refresh while the server cannot be reached. */
  patience?: number;
  /** The server's `HEADER_PREFIX`. */
  headerPrefix?: string;
  /** The name of Django's CSRF cookie, for browsers that send neither `Origin` nor `Sec-Fetch-Site`. */
  csrfCookie?: string;
  /** Origins besides that of `baseUrl` that get the access token. */
  origins?: string[];
  /** What the page has instead of the browser's own, for tests. */
  environment?: Partial<Environment>;
}

export interface Environment {
  fetch: typeof fetch;
  locks: LockManager | undefined;
  BroadcastChannel: typeof BroadcastChannel | undefined;
  location: { href: string; origin: string };
  /** The text of `document.cookie`. */
  cookies(): string;
  /** Milliseconds of a clock that is never set. */
  monotonic(): number;
  /** Milliseconds of the clock that people set. */
  wall(): number;
  /** From 0 to 1. */
  random(): number;
  onOnline(listener: () => void): void;
  offOnline(listener: () => void): void;
  reportError(error: unknown): void;
}

export interface Credentials {
  username?: string;
  email?: string;
  password: string;
  /** A name for this device, in the list of sessions. */
  device?: string;
}

/** What the server's `USER_SERIALIZER` writes. */
export interface User {
  id: number | string;
  username: string;
  name: string;
  email: string;
}

export interface Session {
  id: string;
  /** Whether it is this client's own. */
  current: boolean;
  device: string;
  user_agent: string;
  ip: string | null;
  started_at: string;
  last_used_at: string;
  idle_expires_at: string;
  expires_at: string;
}

export interface SignedIn<U = User> {
  user: U | null;
  session: string;
  /** Seconds that the access token has left. */
  expiresIn: number;
}

export interface SignedOut<U = User> {
  /** `"logout"`, `"logout_all"`, or the server's code, such as `"refresh_reused"`. */
  reason: string;
  user: U | null;
  session: string;
}

export interface Client<U = User> {
  /** Log in; rejects with a `TesseraError`, `login_failed` for a wrong name or password. */
  login(credentials: Credentials): Promise<U>;
  /**
   * Log out here, at once, and in all tabs, and tell the server. Rejects if the server could not be told:
   * then its session goes on, and with the transport "cookie" a reload finds it again.
   */
  logout(): Promise<{ revoked: boolean }>;
  /** Log out everywhere. */
  logoutAll(): Promise<{ revoked: number }>;
  /** Log out everywhere else. */
  logoutOthers(): Promise<{ revoked: number }>;
  /** List the sessions of the user, the latest login first. */
  sessions(): Promise<Session[]>;
  /** End one session. */
  endSession(id: string): Promise<void>;
  /**
   * Get a new access token. Needed only before something that is not `fetch`; calls at the same time are
   * one request. Rejects with `passing: true` if the server could not be reached in time; nobody is logged
   * out then.
   */
  refresh(): Promise<void>;
  /** After a reload: find out by the cookie whether somebody is logged in. */
  restore(): Promise<boolean>;
  /**
   * Like `window.fetch`, with the access token: refreshed before it ends, and the request repeated once
   * after a 401. Requests to other origins, and those with an `Authorization` header, go out as they are.
   * Rejects with a `TesseraError` if a refresh was needed and refused, or could not be had in time.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** An access token that will last for a request, for a WebSocket say; `null`: nobody, or it is in a cookie. */
  token(): Promise<string | null>;
  /** Hear of what happens; gives a function that ends it. */
  on(event: "signedin" | "refreshed", listener: (detail: SignedIn<U>) => void): () => void;
  on(event: "signedout", listener: (detail: SignedOut<U>) => void): () => void;
  /** Stop, and say nothing more; the session goes on. */
  close(): void;
  readonly user: U | null;
  readonly session: string | null;
  readonly signedIn: boolean;
  /** Seconds that the access token has left. */
  readonly expiresIn: number;
}

export class TesseraError extends Error {
  constructor(
    code: string,
    detail: string,
    options?: { status?: number; retryAfter?: number; passing?: boolean; cause?: unknown },
  );
  /** Stable: the server's, or `unavailable`, `signed_out`, `superseded`. */
  code: string;
  detail: string;
  /** The HTTP status; 0: there was no answer. */
  status: number;
  /** Seconds that the server asks to wait. */
  retryAfter: number;
  /** Whether the same request may succeed in a moment. */
  passing: boolean;
}

export function createClient<U = User>(options: ClientOptions): Client<U>;
