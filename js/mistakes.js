/** What is wrong if the client and the server do not fit together. client.js loads this module only then. */

const HINTS = {
  301: "The address redirects. Write it as the server does, with https and with the slash at its end.",
  403: "A proxy or a middleware in front of the endpoints refused the request.",
  404: "Nothing is at this address. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.",
  405: "Another view is at this address. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.",
  415: "The view does not read JSON. Another view is at this address, or a proxy changed the Content-Type.",
};
const OTHER = "This is not an answer of drf-tessera. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.";

export async function explain(kind, facts) {
  return { answer: explainAnswer, silence: explainSilence, cookie: explainCookie, page: explainPage }[kind](facts);
}

function explainAnswer({ method, href, status, type }) {
  const what = type?.includes("html") ? `${status} and a page of HTML` : status;
  return `${method} ${href} was answered with ${what}. ${HINTS[status] ?? OTHER}`;
}

/** The browser does not tell a script why a request failed. A request without CORS shows if a server is there. */
async function explainSilence({ href, page, fetch }) {
  if (page.protocol === "https:" && href.startsWith("http:") && !/^http:\/\/(localhost|127\.|\[::1\])/.test(href)) {
    return `The browser does not let a page with https call ${href}. Use https in baseUrl, too.`;
  }
  try {
    await fetch(href, { mode: "no-cors", credentials: "omit", cache: "no-store" });
  } catch {
    return null; // the server cannot be reached, and nothing shows a mistake
  }
  return (
    `${href} can be reached, but the browser does not let this page read the answer. Set in Django: ` +
    `CORS_ALLOWED_ORIGINS = ["${page.origin}"], CORS_ALLOW_CREDENTIALS = True and ` +
    `CSRF_TRUSTED_ORIGINS = ["${page.origin}"], and put CorsMiddleware above all other middleware.`
  );
}

function explainCookie({ href, page, sameOrigin }) {
  const begin = "The login succeeded, but the browser did not keep its cookie, so nobody would stay logged in. ";
  const plain = href.startsWith("http:");
  if (plain && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/.test(new URL(href).hostname)) {
    return `${begin}The address ${href} has no TLS. Use https or http://localhost. For a network that you trust, set TESSERA["COOKIE_SECURE"] = False in development.`;
  }
  if (plain && sameOrigin) {
    return `${begin}Cookies without TLS need DEBUG = True, or TESSERA["COOKIE_SECURE"] = False in development.`;
  }
  if (sameOrigin) return `${begin}Either the browser blocks all cookies, or a proxy removes the header Set-Cookie.`;
  return `${begin}${href} is another site for the page ${page.origin}. Set TESSERA["COOKIE_SAMESITE"] = "None", serve both with https, or serve both from one domain. Some browsers never keep cookies of other sites; use transport "header" for them.`;
}

function explainPage({ href }) {
  return `"${href}" is a relative address, and there is no page that it belongs to. Outside a browser write the whole address, such as "https://example.com/api/token/".`;
}
