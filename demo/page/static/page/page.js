// The whole page: it calls the API with fetch, and shows what it sent, what came back, and what that
// means. Data gets into the page as text only (textContent), never as markup. Nothing is stored.

const byId = (id) => document.getElementById(id);
const GRACE_MS = Number(document.body.dataset.grace) * 1000;
const MAX_RECOVERIES = Number(document.body.dataset.recoveries);
const MAX_ENTRIES = 100;

/** What this page knows of its own session; `null` while nobody is logged in. */
let mine = null;

// -- Small things ----------------------------------------------------------------------------------

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value);
  }
  node.append(...children); // a string becomes a text node
  return node;
}

// Written only when it differs: a meter or a text that is set ten times a second keeps screen readers busy.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const shorten = (token) => `${token.slice(0, 12)}…${token.slice(-8)}`;
const shortenAll = (text) => text.replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+|tsr_[\w-]+/g, shorten);
const clock = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const moment = (text) =>
  new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });

// One thing after the other: what a button does depends on what the one before it has changed.
let queue = Promise.resolve();
function run(task) {
  queue = queue.then(task).catch((error) => say(`This page failed: ${error.message}`));
}
const onClick = (id, task) => byId(id).addEventListener("click", () => run(task));
function onSubmit(id, task) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    run(task);
  });
}

// -- Requests and the log --------------------------------------------------------------------------

/** Send one request; give its status (0: no answer), its parsed body, and what the log shows of it. */
async function send(method, path, { body, access } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (access) headers.Authorization = `Bearer ${access}`;
  const written = body ? JSON.stringify(body, hidePassword, 2) : "";
  const heads = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const answer = { method, path, at: new Date(), status: 0, queries: null, data: {}, request: "", response: "" };
  answer.request = [`${method} ${path} HTTP/1.1`, ...heads, "", written].join("\n").trim();
  try {
    const response = await fetch(path, {
      method, headers, body: body && JSON.stringify(body), credentials: "omit", cache: "no-store",
    });
    const text = await response.text();
    answer.status = response.status;
    answer.queries = response.headers.get("X-Queries");
    answer.data = parse(text);
    const shown = ["Content-Type", "WWW-Authenticate", "Retry-After", "X-Queries"].filter((name) => response.headers.has(name));
    answer.response = [
      `${response.status} ${response.statusText}`,
      ...shown.map((name) => `${name}: ${response.headers.get(name)}`),
      "",
      answer.data === null ? text.slice(0, 2000) : text && JSON.stringify(answer.data, null, 2),
    ].join("\n").trim();
    answer.data ??= {};
  } catch {
    answer.response = "No answer came. Is the demo still running in the terminal?";
  }
  return answer;
}

const hidePassword = (name, value) => (name === "password" ? "•••" : value);

function parse(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return null; // no JSON: an error page of the server
  }
}

/** Put an answer on top of the log, with what it means in plain words. */
function log(answer, meaning) {
  const good = answer.status >= 200 && answer.status < 300;
  const status = answer.status ? String(answer.status) : "—";
  const details = make(
    "details",
    {},
    make(
      "summary",
      {},
      make("time", { class: "quiet", datetime: answer.at.toISOString() }, clock(answer.at)), " ",
      make("span", { class: `status ${good ? "good" : "bad"}` }, status), " ",
      make("code", {}, `${answer.method} ${answer.path}`),
      make("span", { class: "quiet" }, answer.queries === null ? "" : ` ${countQueries(answer.queries)}`),
      make("span", { class: "meaning" }, meaning),
    ),
    make("pre", { "aria-label": "Request" }, shortenAll(answer.request)),
    make("pre", { "aria-label": "Answer" }, shortenAll(answer.response)),
  );
  const entries = byId("entries");
  // Only the newest stays open, unless a person has opened others since.
  for (const open of entries.querySelectorAll("details[data-auto][open]")) open.open = false;
  details.open = true;
  details.dataset.auto = "";
  entries.prepend(make("li", {}, details));
  while (entries.childElementCount > MAX_ENTRIES) entries.lastElementChild.remove();
  say(`${status} ${answer.method} ${answer.path}: ${meaning}`);
}

const countQueries = (number) => (number === "1" ? "1 SQL query" : `${number} SQL queries`);

function say(text) {
  setText(byId("latest"), text);
  setText(byId("latest-link"), text.length > 130 ? `${text.slice(0, 128)}…` : text);
  byId("latest-link").hidden = false;
}

/** What each code means; `exceptions.py` of drf-tessera has them all. */
const CODES = {
  login_failed: "Wrong password, unknown account or inactive account: one answer for all three, so that nobody learns which accounts exist.",
  throttled: "Too many attempts to log in. Wait for as many seconds as Retry-After says.",
  not_authenticated: "No access token was sent.",
  token_expired: "The access token has expired. Refresh, and try again.",
  session_ended: "The signature of the access token is right and its time is not over, but its session has ended. So it is refused at once.",
  refresh_invalid: "This is no refresh token that this server issued.",
  refresh_reused: "THEFT: this token is neither the current one nor its parent, so somebody kept a copy. Nobody can tell the thief from the owner, so the session was ended for both; the owner logs in again.",
  session_unknown: "The session does not exist any more. Log in again.",
  session_revoked: "The session was ended before: by a logout, a theft or a changed password. Log in again.",
  session_expired: "The session has reached its time limit. Log in again.",
  session_not_found: "This user has no such live session.",
  user_gone: "The user of this token does not exist any more.",
  user_inactive: "The user of this token may not log in any more.",
  refresh_contended: "Others were changing this session at the same moment. Nothing is lost; try again.",
  not_found: "There is no such note, or it is somebody else’s. The answer does not tell which.",
};

/** These say that the session is over, and not just that something has to be refreshed. */
const FINAL = new Set([
  "session_ended", "refresh_reused", "session_unknown", "session_revoked", "session_expired", "user_gone", "user_inactive",
]);

function explain(answer) {
  const { code, detail } = answer.data;
  if (!answer.status) return answer.response;
  return CODES[code] ?? detail ?? `The server answered ${answer.status}.`;
}

/** Send a request with the access token, log it, and give the answer if it was a success. */
async function ask(method, path, meaning, body) {
  const answer = await send(method, path, { body, access: mine.access });
  const good = answer.status >= 200 && answer.status < 300;
  log(answer, good ? meaning(answer.data) : explain(answer));
  if (FINAL.has(answer.data.code)) end(explain(answer));
  return good ? answer : null;
}

// -- Log in and out --------------------------------------------------------------------------------

async function logIn(account, password, device) {
  const name = account.includes("@") ? { email: account } : { username: account };
  const body = { ...name, password, ...(device ? { device } : {}) };
  const answer = await send("POST", "/api/token/", { body });
  if (answer.status !== 200) {
    log(answer, explain(answer));
    return;
  }
  const { user, session, access, refresh } = answer.data;
  log(answer, `A session for ${user.username} has started: an access token and the first refresh token.`);
  mine = { session, access: null, claims: {}, chain: [], rotatedAt: null, recoveries: 0, ended: "" };
  setText(byId("who"), `${user.username} (${user.email})`);
  byId("ended").hidden = true;
  byId("tokens").replaceChildren();
  byId("session-list").replaceChildren();
  byId("note-list").replaceChildren();
  takeAccess(access);
  takeRefresh(refresh);
  showParts(true);
  byId("session-title").focus();
}

async function logOut() {
  const answer = await send("POST", "/api/token/revoke/", { body: { refresh: current().text } });
  if (answer.status !== 200) {
    log(answer, explain(answer));
    return;
  }
  log(answer, answer.data.revoked
    ? "Logged out. The session has ended, and with it the access token, although its time is not over."
    : "The session had ended before; logging out twice is no error.");
  end("You logged out. The tokens are still on this page, so that you can see them refused: try Refresh or List my notes.");
}

function forget() {
  mine = null;
  showParts(false);
  say("The tokens are forgotten. The server knows nothing of that.");
  byId("login-title").focus();
}

function showParts(loggedIn) {
  byId("login").hidden = loggedIn;
  for (const id of ["session", "access", "chain", "sessions", "notes"]) byId(id).hidden = !loggedIn;
  tick();
}

/** The session is over, as far as this page can tell. */
function end(why) {
  if (!mine.ended) {
    mine.ended = why;
    byId("ended").textContent = `This session has ended. ${why} “Forget the tokens” leads back to the login.`;
    byId("ended").hidden = false;
  }
  tick();
}

// -- The access token ------------------------------------------------------------------------------

const CLAIMS = {
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

function takeAccess(token) {
  const [header, claims, signature] = token.split(".");
  mine.access = token;
  mine.claims = decode(claims);
  const parts = [["header", header], ["claims", claims], ["signature", signature]];
  byId("access-text").replaceChildren(
    ...parts.flatMap(([name, text], index) => [index ? "." : "", make("span", { class: name }, text)]),
  );
  byId("access-header").replaceChildren(...describe(decode(header)));
  byId("access-claims").replaceChildren(...describe(mine.claims));
}

function decode(part) {
  const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function describe(values) {
  return Object.entries(values).map(([name, value]) => {
    const shown = ["iat", "exp", "auth_time"].includes(name)
      ? `${value} (${clock(new Date(value * 1000))})`
      : typeof value === "string" ? value : JSON.stringify(value);
    const words = CLAIMS[name] ?? "A claim of the project’s own";
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, shown), make("td", {}, words));
  });
}

// -- Refresh tokens --------------------------------------------------------------------------------

const current = () => mine.chain.find((token) => token.role === "current");
const graceLeft = () => (mine.rotatedAt === null ? 0 : Math.max(0, mine.rotatedAt + GRACE_MS - performance.now()));

/** Add the newest refresh token. Its list item stays for good, so that focus is never lost. */
function takeRefresh(text) {
  const token = { text, number: mine.chain.length + 1, role: "current" };
  token.badge = make("span", { class: "badge" });
  token.forecast = make("span", { class: "quiet" });
  const replay = make("button", {
    type: "button", class: "small", "aria-label": `Replay refresh token ${token.number}`, onclick: () => run(() => refresh(token)),
  }, "Replay");
  const words = make("div", {}, `No. ${token.number} `, make("code", {}, shorten(text)), " ", token.badge, make("br"), token.forecast);
  byId("tokens").prepend(make("li", {}, words, replay));
  mine.chain.push(token);
}

/** Send one refresh token, whichever, and learn from the answer. */
async function refresh(token) {
  const role = token.role;
  learn(token, role, await send("POST", "/api/token/refresh/", { body: { refresh: token.text } }));
}

async function refreshTwice() {
  const token = current();
  const role = token.role;
  const one = () => send("POST", "/api/token/refresh/", { body: { refresh: token.text } });
  for (const answer of await Promise.all([one(), one()])) learn(token, role, answer);
}

function learn(token, role, answer) {
  if (answer.status !== 200) {
    log(answer, explain(answer));
    if (FINAL.has(answer.data.code)) end(explain(answer));
    return;
  }
  takeAccess(answer.data.access);
  if (!answer.data.refresh) {
    log(answer, "Within the grace window: an access token only. The client keeps the refresh token that it has, and nobody is logged out.");
  } else if (role === "parent") {
    // The server lets the parent stand and skips the generation between.
    current().role = "skipped";
    takeRefresh(answer.data.refresh);
    mine.recoveries += 1;
    log(answer, "Recovered: the successor of this token was never used, so its answer must have been lost. The server issued another; whoever sends the skipped one ends the session.");
    mine.rotatedAt = performance.now();
  } else {
    for (const known of mine.chain) if (known.role === "parent") known.role = "old";
    token.role = "parent";
    takeRefresh(answer.data.refresh);
    mine.recoveries = 0;
    log(answer, `Rotated: a new access token and refresh token no. ${mine.chain.length}. The one that was sent is now its parent.`);
    mine.rotatedAt = performance.now();
  }
  tick();
}

const ROLES = {
  current: ["current", "good"],
  parent: ["parent: just replaced", "warn"],
  old: ["replaced long ago", "bad"],
  skipped: ["skipped", "bad"],
};

function foresee(token) {
  if (mine.ended) return "A replay now: 401, the session has ended.";
  if (token.role === "old" || token.role === "skipped") return "A replay now: 401, and the session ends.";
  if (graceLeft() > 0) return "A replay now: 200, with an access token only.";
  if (token.role === "current") return "A replay now: 200; this is what Refresh does.";
  if (mine.recoveries >= MAX_RECOVERIES) return "A replay now: 401, and the session ends; that many lost answers in a row are no accident.";
  return "A replay now: 200, recovered with another successor.";
}

// -- Sessions --------------------------------------------------------------------------------------

const SESSIONS = "/api/token/sessions/";

async function listSessions() {
  const answer = await ask("GET", SESSIONS, (list) => `${count(list.length, "live session")} of this user.`);
  if (answer) byId("session-list").replaceChildren(...answer.data.map(showSession));
}

function showSession(session) {
  const title = make("div", {}, session.device || "Unknown device", " ");
  if (session.current) title.append(make("span", { class: "badge good" }, "this page"));
  title.append(make("br"), make("span", { class: "quiet" },
    `${session.ip ?? "no address"} · started ${moment(session.started_at)} · last used ${moment(session.last_used_at)}`));
  const button = make("button", { type: "button", class: "small", "aria-label": `End the session on ${session.device || "an unknown device"}` }, "End");
  const item = make("li", {}, title, button);
  button.addEventListener("click", () => run(() => endSession(session.id, item)));
  return item;
}

async function endSession(id, item) {
  const isMine = id === mine.session;
  const meaning = () => (isMine ? "You ended the session of this page." : "That session has ended; its next request is answered 401.");
  if (!(await ask("DELETE", `${SESSIONS}${id}/`, meaning))) return;
  item.remove();
  byId("sessions-title").focus();
  if (isMine) end("You ended it yourself.");
}

async function endOthers() {
  const answer = await ask("DELETE", `${SESSIONS}others/`, ({ revoked }) => `${count(revoked, "other session")} ended. This one goes on.`);
  if (answer) for (const item of [...byId("session-list").children]) if (!item.querySelector(".badge")) item.remove();
}

async function endAll() {
  const answer = await ask("DELETE", SESSIONS, ({ revoked }) => `${count(revoked, "session")} ended, this one too.`);
  if (!answer) return;
  byId("session-list").replaceChildren();
  end("You ended all sessions of this user.");
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

// -- Notes -----------------------------------------------------------------------------------------

const NOTES = "/api/notes/";

async function listNotes() {
  const answer = await ask("GET", NOTES, (list) => `${count(list.length, "note")} of this user’s.`);
  if (answer) byId("note-list").replaceChildren(...answer.data.map(showNote));
}

function showNote(note) {
  const words = make("div", {}, note.text, make("br"), make("span", { class: "quiet" }, `No. ${note.id} · ${moment(note.created_at)}`));
  const button = make("button", { type: "button", class: "small", "aria-label": `Delete note ${note.id}` }, "Delete");
  const item = make("li", {}, words, button);
  button.addEventListener("click", () => run(async () => {
    if (!(await ask("DELETE", `${NOTES}${note.id}/`, () => `Note ${note.id} is deleted.`))) return;
    item.remove();
    byId("notes-title").focus();
  }));
  return item;
}

async function createNote() {
  const field = byId("note-text");
  const answer = await ask("POST", NOTES, (note) => `Note ${note.id} is saved.`, { text: field.value });
  if (!answer) return;
  byId("note-list").prepend(showNote(answer.data));
  field.value = "";
}

const readNote = () =>
  ask("GET", `${NOTES}${Number(byId("note-number").value)}/`, (note) => `Note ${note.id} says: ${note.text}`);

// -- The clock -------------------------------------------------------------------------------------

/** Bring whatever depends on the time up to date. */
function tick() {
  if (!mine) return;
  const left = Math.max(0, mine.claims.exp * 1000 - Date.now());
  byId("access-meter").value = mine.ended ? 0 : left / 1000;
  setText(byId("access-left"),
    mine.ended ? "Refused: its session has ended"
      : left ? `Accepted for ${Math.ceil(left / 1000)} s more` : "Expired: refused until you refresh");
  const open = mine.ended ? 0 : graceLeft();
  byId("grace-meter").value = open / 1000;
  setText(byId("grace-left"),
    mine.ended ? "The session has ended: none of them works"
      : open ? `Grace window: ${Math.ceil(open / 1000)} s more`
        : mine.rotatedAt === null ? "No grace window yet: nothing was rotated" : "The grace window has closed");
  for (const token of mine.chain) {
    const [words, colour] = ROLES[token.role];
    setText(token.badge, words);
    token.badge.className = `badge ${colour}`;
    setText(token.forecast, foresee(token));
  }
}

// -- Buttons ---------------------------------------------------------------------------------------

onSubmit("login-form", () => logIn(byId("account").value.trim(), byId("password").value, byId("device").value.trim()));
for (const button of document.querySelectorAll("[data-password]")) {
  const { name, password } = button.dataset;
  button.addEventListener("click", () => run(() => logIn(name, password, byId("device").value.trim())));
}
onClick("refresh", () => refresh(current()));
onClick("refresh-twice", refreshTwice);
onClick("logout", logOut);
onClick("forget", forget);
onClick("sessions-list", listSessions);
onClick("sessions-others", endOthers);
onClick("sessions-all", endAll);
onClick("notes-list", listNotes);
onSubmit("note-form", createNote);
onSubmit("read-form", readNote);
setInterval(tick, 200);
