// The log: each request with its answer and an explanation.

import { byId, clock, make, setText, shortenAll } from "./dom.js";
import { gettext, isolate, ngettext } from "./texts.js";

const MAX_ENTRIES = 100;
const SHOWN = ["Content-Type", "WWW-Authenticate", "Retry-After", "X-Queries"];
const NO_ANSWER = gettext("No answer came. Is the demo still running in the terminal?");

// A reader of the log, or of a picture of it, must not be able to use these.
const SECRET = new Set(["password", "session_token", "ticket", "secret", "totp_url"]);
const hideSecrets = (name, value) => (SECRET.has(name) && value ? "•••" : value);
export const countQueries = (number) => ngettext("%(count)s SQL query", "%(count)s SQL queries", Number(number));

/** Send a request. Return the browser's response, and a log entry for request and response. */
export async function record(request, who) {
  const copy = request.clone();
  const written = await copy.text();
  const path = new URL(copy.url).pathname;
  const heads = [...copy.headers].map(([name, value]) => `${name}: ${name === "x-session-token" ? "•••" : value}`);
  if (copy.credentials === "include") heads.push(gettext("(and the cookies of this server)"));
  const entry = { who, method: copy.method, path, at: new Date(), status: 0, queries: null, data: null, answer: NO_ANSWER };
  entry.request = [`${copy.method} ${path} HTTP/1.1`, ...heads, "", show(written)].join("\n").trim();
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    return { entry, error };
  }
  const text = await response.clone().text();
  entry.status = response.status;
  entry.queries = response.headers.get("X-Queries");
  entry.data = parse(text);
  const shown = SHOWN.filter((name) => response.headers.has(name));
  entry.answer = [
    `${response.status} ${response.statusText}`,
    ...shown.map((name) => `${name}: ${response.headers.get(name)}`),
    "",
    entry.data === null ? text.slice(0, 2000) : JSON.stringify(entry.data, hideSecrets, 2),
  ].join("\n").trim();
  return { entry, response };
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null; // not JSON, for example an error page of the server
  }
}

function show(text) {
  const body = parse(text);
  return body === null ? text : JSON.stringify(body, hideSecrets, 2);
}

/** Put an entry on top of the log. */
export function log(entry, meaning) {
  const good = entry.status >= 200 && entry.status < 300;
  const status = entry.status ? String(entry.status) : "—";
  const summary = make(
    "summary",
    {},
    make("time", { class: "quiet", datetime: entry.at.toISOString() }, clock(entry.at)), " ",
    make("span", { class: `status ${good ? "good" : "bad"}` }, status), " ",
    make("code", {}, `${entry.method} ${entry.path}`),
    make("span", { class: "quiet" }, entry.queries === null ? "" : ` ${countQueries(entry.queries)}`),
    make("span", { class: "meaning" }, ...(entry.who ? [make("strong", {}, `${entry.who}: `)] : []), meaning),
  );
  const details = make(
    "details",
    {},
    summary,
    make("pre", { "aria-label": gettext("Request"), role: "group", tabindex: "0" }, shortenAll(entry.request)),
    make("pre", { "aria-label": gettext("Answer"), role: "group", tabindex: "0" }, shortenAll(entry.answer)),
  );
  const entries = byId("entries");
  // Only the newest entry stays open, and each entry that a person has opened.
  for (const open of entries.querySelectorAll("details[data-auto][open]")) open.open = false;
  details.open = true;
  details.dataset.auto = "";
  entries.prepend(make("li", {}, details));
  while (entries.childElementCount > MAX_ENTRIES) entries.lastElementChild.remove();
  const path = entry.path.replace("/_allauth/app/v1/", "");
  say([entry.who, isolate(`${status} ${entry.method} ${path}`), meaning].filter(Boolean).join(": "));
}

/** Show a message on the stage. Screen readers read the message too. */
export function say(text) {
  setText(byId("latest"), text);
}
