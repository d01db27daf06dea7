/** The texts for mistakes in the configuration. checks.js loads this module only if something may be wrong. */

import { LATE, TesseraError, within } from "./errors.js";

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/;
const HINTS = {
  301: "The address redirects. Write it as the server does, with https and with the slash at its end.",
  403: "A proxy or a middleware in front of the endpoints refused the request.",
  404: "Nothing is at this address. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.",
  405: "Another view is at this address. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.",
  415: "The view does not read JSON. Another view is at this address, or a proxy changed the Content-Type.",
};
const OTHER = "This is not an answer of drf-tessera. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.";

const tell = (error, detail) => Object.assign(error, { detail, message: detail, code: "misconfigured", passing: false });

/** Return the error of an answer that is not ours, with what to look at. */
export function answer(error) {
  return tell(error, `${error.detail}. ${HINTS[error.status] ?? OTHER}`);
}

/**
 * Return the error of a request without an answer, with what to look at if something shows a mistake. The browser does
 * not tell a script why a request failed. A request without CORS shows if a server is there.
 */
export async function silence(error, { page }, fetch, href) {
  if (error.cause === LATE || error.cause.name === "AbortError") return error;
  if (page.protocol === "https:" && href.startsWith("http:") && !LOOPBACK.test(new URL(href).hostname)) {
    return tell(error, `The browser does not let a page with https call ${href}. Use https in baseUrl, too.`);
  }
  try {
    await fetch(href, { mode: "no-cors", credentials: "omit", cache: "no-store" });
  } catch {
    return error; // the server cannot be reached, and nothing shows a mistake
  }
  return tell(
    error,
    `${href} can be reached, but the browser does not let this page read the answer. Set in Django: ` +
      `CORS_ALLOWED_ORIGINS = ["${page.origin}"], CORS_ALLOW_CREDENTIALS = True and ` +
      `CSRF_TRUSTED_ORIGINS = ["${page.origin}"], and put CorsMiddleware above all other middleware.`,
  );
}

/** Throw if the browser has not kept the cookies of a login. A page of another origin has to ask the server. */
export async function cookie(_, { base, page, slow, call, mayExist, headerName, headerPrefix }, __, grant) {
  const ask = (signal) => call("refresh/", { optional: true }, { signal });
  if (mayExist() ?? (await within(slow, null, ask))) return;
  const headers = { [headerName]: `${headerPrefix} ${grant.access}` };
  await call("revoke/", {}, { headers }).catch(() => {}); // the session of this login would stay behind
  const begin = "The browser did not keep the cookie of the login. Nobody would stay logged in. ";
  throw new TesseraError("misconfigured", begin + explainCookie(base, page));
}

function explainCookie(base, page) {
  const sameOrigin = base.origin === page.origin;
  const plain = base.protocol === "http:";
  if (plain && !LOOPBACK.test(base.hostname)) {
    return `The address ${base.href} has no TLS. Use https or http://localhost. For a network that you trust, set TESSERA["COOKIE_SECURE"] = False in development.`;
  }
  if (plain && sameOrigin) {
    return `Cookies without TLS need DEBUG = True, or TESSERA["COOKIE_SECURE"] = False in development.`;
  }
  if (sameOrigin) return "Either the browser blocks all cookies, or a proxy removes the header Set-Cookie.";
  return `${base.href} is another site for the page ${page.origin}. Set TESSERA["COOKIE_SAMESITE"] = "None", serve both with https, or serve both from one domain. Some browsers never keep cookies of other sites; use transport "header" for them.`;
}

/** Throw if a request has a relative address, and there is no page that it belongs to. */
export function page(base, _, __, input) {
  const { hostname, pathname } = new URL(input.url ?? input, base);
  if (hostname !== base.hostname) return;
  const detail = `"${pathname}" is a relative address, and there is no page that it belongs to. Outside a browser write the whole address, such as "https://example.com/api/token/".`;
  throw new TesseraError("misconfigured", detail);
}
