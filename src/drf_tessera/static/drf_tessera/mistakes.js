/** The texts for mistakes in the configuration. client.js loads this module only after a mistake. */

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/;
const HINTS = {
  301: "The address redirects. Write it as the server does, with https and with the slash at its end.",
  403: "A proxy or a middleware in front of the endpoints refused the request.",
  404: "Nothing is at this address. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.",
  405: "Another view is at this address. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.",
  415: "The view does not read JSON. Another view is at this address, or a proxy changed the Content-Type.",
};
const OTHER = "This is not an answer of drf-tessera. Compare baseUrl with the place of drf_tessera.rest.urls in your urls.";

/** Return what to look at, or `undefined` if nothing shows a mistake. `detail` says what happened. */
export async function explain(kind, detail, facts) {
  return { answer: explainAnswer, silence: explainSilence, cookie: explainCookie, page: explainPage }[kind](detail, facts);
}

function explainAnswer(detail, { status }) {
  return `${detail}. ${HINTS[status] ?? OTHER}`;
}

/** The browser does not tell a script why a request failed. A request without CORS shows if a server is there. */
async function explainSilence(href, { page, fetch }) {
  if (page.protocol === "https:" && href.startsWith("http:") && !LOOPBACK.test(new URL(href).hostname)) {
    return `The browser does not let a page with https call ${href}. Use https in baseUrl, too.`;
  }
  try {
    await fetch(href, { mode: "no-cors", credentials: "omit", cache: "no-store" });
  } catch {
    return undefined; // the server cannot be reached, and nothing shows a mistake
  }
  return (
    `${href} can be reached, but the browser does not let this page read the answer. Set in Django: ` +
    `CORS_ALLOWED_ORIGINS = ["${page.origin}"], CORS_ALLOW_CREDENTIALS = True and ` +
    `CSRF_TRUSTED_ORIGINS = ["${page.origin}"], and put CorsMiddleware above all other middleware.`
  );
}

function explainCookie(detail, { base, page, sameOrigin }) {
  const begin = `${detail} Nobody would stay logged in. `;
  const plain = base.protocol === "http:";
  if (plain && !LOOPBACK.test(base.hostname)) {
    return `${begin}The address ${base.href} has no TLS. Use https or http://localhost. For a network that you trust, set TESSERA["COOKIE_SECURE"] = False in development.`;
  }
  if (plain && sameOrigin) {
    return `${begin}Cookies without TLS need DEBUG = True, or TESSERA["COOKIE_SECURE"] = False in development.`;
  }
  if (sameOrigin) return `${begin}Either the browser blocks all cookies, or a proxy removes the header Set-Cookie.`;
  return `${begin}${base.href} is another site for the page ${page.origin}. Set TESSERA["COOKIE_SAMESITE"] = "None", serve both with https, or serve both from one domain. Some browsers never keep cookies of other sites; use transport "header" for them.`;
}

function explainPage(address) {
  return `"${address}" is a relative address, and there is no page that it belongs to. Outside a browser write the whole address, such as "https://example.com/api/token/".`;
}
