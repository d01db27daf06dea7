// The script of the page. It logs in with drf-tessera's own client (client.js), and shows each request, each
// answer and the state of the tokens. The script stores nothing.

import { createClient } from "../drf_tessera/client.js";
import { byId, clock, count, make, moment, nameDevice, setText, shorten } from "./dom.js";
import { log, record, say } from "./log.js";
import { claim, graceLeft, laneOf, recoveriesOf, update, watch } from "./timeline.js";
import { CLAIMS, CODES, ENDS, explain } from "./words.js";

const GRACE_MS = Number(document.body.dataset.grace) * 1000;
const MAX_RECOVERIES = Number(document.body.dataset.recoveries);
const LOGIN = "/api/token/";
const REFRESH = "/api/token/refresh/";
const REVOKE = "/api/token/revoke/";
const SESSIONS = "/api/token/sessions/";
const NOTES = "/api/notes/";

let client = null;
let transport = "cookie";
let session = null; // the session of this page, also after its end
let over = ""; // the reason for the end of the session
let access = null; // the last access token; it is kept to show that the server refuses it later
let copies = 1; // how many times the next refresh is sent at once
let seen = []; // the refresh tokens that this page has seen: { text, number, holder, item }
let stolen = null; // the token in `seen` that the thief holds

// Run the tasks one after the other, because the task of a button depends on the result of the task before.
let queue = Promise.resolve();
function run(task) {
  queue = queue.then(task).catch((error) => say(CODES[error.code] ?? error.detail ?? `This page failed: ${error.message}`));
  return queue;
}
const onClick = (id, task) => byId(id).addEventListener("click", () => run(task));
function onSubmit(id, task) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    run(task);
  });
}

// -- The client, and a log of its requests ---------------------------------------------------------

function open(chosen) {
  client?.close();
  transport = chosen;
  const fetch = (input, init) => listen(new Request(new URL(input.url ?? input, location), input.url ? input : init));
  client = createClient({ baseUrl: LOGIN, transport, grace: GRACE_MS / 1000, environment: { fetch } });
  // A tab that hears of a login in another tab knows the session after its own first refresh.
  client.on("signedin", (login) => (login.session ? begin(login) : run(() => client.refresh().then(() => begin(client)))));
  client.on("refreshed", showAccess);
  client.on("signedout", ({ reason }) => run(() => finish(reason)));
}

/** Send a request of the client, and log it. */
async function listen(request) {
  const refreshing = new URL(request.url).pathname === REFRESH;
  if (refreshing && copies > 1) return multiply(request);
  const before = refreshing ? await stand() : null;
  const { entry, response, error } = await record(request, "");
  learn(entry, "you");
  report(entry, before);
  if (error) throw error;
  return response;
}

/** Send the client's refresh many times at once, like many tabs. The client gets one of the answers. */
async function multiply(request) {
  const length = copies;
  copies = 1;
  const before = await stand();
  const sent = Array.from({ length }, () => record(request.clone(), ""));
  const answers = await Promise.all(sent);
  const good = answers.filter(({ entry }) => entry.status === 200);
  const winner = answers.find(({ entry }) => entry.data?.refresh && entry.data.rotated !== false) ?? good[0] ?? answers[0];
  learn(winner.entry, "you");
  await update();
  const rotations = (laneOf(session)?.tokens.length ?? 0) - before.tokens;
  const tokens = new Set(good.map(({ entry }) => entry.data.access)).size;
  log(winner.entry, `${answers.length} refreshes at once, with one refresh token: ${count(good.length, "answer")} with status 200, ${count(tokens, "access token")}, ${count(rotations, "rotation")}. Simultaneous requests log nobody out. (This is one of the answers.)`);
  if (winner.error) throw winner.error;
  return winner.response;
}

/** Return the state of the session on the timeline, to compare it with the state after a refresh. */
async function stand() {
  await update().catch(() => {});
  return { tokens: laneOf(session)?.tokens.length ?? 0 };
}

async function report(entry, before) {
  await update().catch(() => {}); // the timeline shows the result for the refresh token
  const token = before && (laneOf(session)?.tokens.length ?? 0) > before.tokens ? laneOf(session).tokens.at(-1) : null;
  log(entry, describe(entry, before, token));
  tick();
}

function describe(entry, before, token) {
  const { status, data, method, path } = entry;
  if (!status) return entry.answer;
  if (status >= 300) return explain(status, data);
  if (before) return describeRefresh(token);
  const key = path.startsWith(SESSIONS) && path !== SESSIONS ? `${method} session` : path.startsWith(NOTES) && path !== NOTES ? `${method} note` : `${method} ${path}`;
  return (
    {
      [`POST ${LOGIN}`]: () =>
        data.refresh
          ? `A session for ${data.user.username} has started, with an access token and the first refresh token.`
          : `A session for ${data.user.username} has started, with an access token for this page’s memory and a refresh token in a cookie that no script can read.`,
      [`POST ${REVOKE}`]: () =>
        data.revoked
          ? "Logged out. The session has ended, and its access token too, although the token has not expired."
          : "There was no session to end. A second logout is not an error.",
      [`GET ${SESSIONS}`]: () => `${count(data.length, "live session")} of this user.`,
      [`DELETE ${SESSIONS}`]: () => `${count(data.revoked, "session")} ended, including this session.`,
      "DELETE session": () => (data ? `${count(data.revoked, "other session")} ended. This session continues.` : "That session has ended. The answer to its next request is 401."),
      [`GET ${NOTES}`]: () => `${count(data.length, "note")} of this user.`,
      [`POST ${NOTES}`]: () => `Note ${data.id} is saved.`,
      "GET note": () => `Note ${data.id} says: ${data.text}`,
      "DELETE note": () => "The note is deleted.",
    }[key]?.() ?? "Done."
  );
}

function describeRefresh(token) {
  if (!token) return "Within the grace window: nothing is rotated. The client keeps its refresh token, and nobody is logged out.";
  if (token.how === "recovered") {
    return `Recovered: the successor of this token was never used, so the answer with it must have been lost. The server issued no. ${token.number}. If somebody sends the skipped token, the session ends.`;
  }
  return `Rotated: the answer has a new access token and refresh token no. ${token.number}. The token that was sent is now its parent.`;
}

// -- Log in and out --------------------------------------------------------------------------------

async function logIn(account, password) {
  const chosen = document.querySelector('input[name="transport"]:checked').value;
  const device = byId("device").value.trim();
  if (chosen !== transport || client.signedIn) open(chosen);
  const name = account.includes("@") ? { email: account } : { username: account };
  const remember = byId("remember").checked;
  await client.login({ ...name, password, remember, ...(device ? { device } : {}) });
  byId("session-title").focus();
}

/** Show a new login, which may come from this page, from a reload or from another tab. */
async function begin({ user, session: started }) {
  session = started;
  over = "";
  setText(byId("who"), user ? `${user.username} (${user.email})` : "somebody");
  setText(byId("how"), transport === "cookie"
    ? "The refresh token is in a cookie. You stay logged in after a reload, and all tabs share the cookie."
    : "The tokens are in this page’s memory. A reload deletes them.");
  for (const id of ["session-list", "note-list"]) byId(id).replaceChildren();
  byId("ended").hidden = true;
  claim(session);
  show();
  await showAccess();
}

/** Show the end of the session. The reason from the server takes precedence. */
async function finish(reason) {
  await update().catch(() => {});
  const known = reason.startsWith("logout") ? reason : (laneOf(session)?.end?.reason ?? reason);
  const why = (over = ENDS[known] ?? CODES[known] ?? known);
  setText(byId("ended"), `The session of this page has ended: ${why}.`);
  byId("ended").hidden = false;
  show();
  byId("login-title").focus();
}

function show() {
  const signedIn = client.signedIn;
  byId("login").hidden = signedIn;
  for (const id of ["session", "sessions", "notes"]) byId(id).hidden = !signedIn;
  byId("access").hidden = !session;
  byId("thief").hidden = !session;
  byId("thief-cookie").hidden = transport !== "cookie";
  byId("thief-header").hidden = transport !== "header";
  byId("play").disabled = !signedIn;
  tick();
}

async function logOut() {
  try {
    await client.logout();
  } catch (error) {
    say(`The logout did not reach the server: ${error.detail} This page is logged out nevertheless.`);
  }
}

async function refreshMany() {
  copies = 20;
  try {
    await client.refresh();
  } finally {
    copies = 1;
  }
}

/** Send the last access token without a refresh, also if its session has ended. */
async function sendAccess() {
  const request = new Request(new URL(NOTES, location), { headers: { Accept: "application/json", Authorization: `Bearer ${access}` } });
  const { entry } = await record(request, "");
  log(entry, describe(entry, null));
}

// -- The access token ------------------------------------------------------------------------------

async function showAccess() {
  access = await client.token();
  if (!access) return;
  const [header, claims, signature] = access.split(".");
  const parts = [["header", header], ["claims", claims], ["signature", signature]];
  byId("access-text").replaceChildren(
    ...parts.flatMap(([name, text], index) => [index ? "." : "", make("span", { class: name }, text)]),
  );
  byId("access-header").replaceChildren(...describeClaims(decode(header)));
  byId("access-claims").replaceChildren(...describeClaims(decode(claims)));
  tick();
}

function decode(part) {
  const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function describeClaims(values) {
  return Object.entries(values).map(([name, value]) => {
    const shown = ["iat", "exp", "auth_time"].includes(name)
      ? `${value} (${clock(new Date(value * 1000))})`
      : typeof value === "string" ? value : JSON.stringify(value);
    const words = CLAIMS[name] ?? "A claim of the project";
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, shown), make("td", {}, words));
  });
}

// -- The thief -------------------------------------------------------------------------------------

/** Keep a refresh token that this page has seen. The page never sees the token of a cookie. */
function learn(entry, holder) {
  if (entry.path === LOGIN && entry.status === 200) {
    seen = [];
    stolen = null;
    byId("tokens").replaceChildren();
  }
  const text = entry.data?.refresh;
  if (!text || entry.data.rotated === false) return;
  const token = { text, number: seen.length + 1, holder };
  token.badge = make("span", { class: "badge" });
  token.forecast = make("span", { class: "quiet" });
  const button = make("button", {
    type: "button", class: "small", "aria-label": `Send refresh token ${token.number} as the thief`, onclick: () => run(() => steal(token)),
  }, "Send as the thief");
  const words = make("div", {}, `No. ${token.number} `, make("code", {}, shorten(text)), " ", token.badge, make("br"), token.forecast);
  byId("tokens").prepend(make("li", {}, words, button));
  seen.push(token);
}

/** Send a refresh token from a second client that has stolen the token. */
async function steal(token) {
  const before = await stand();
  const body = JSON.stringify({ refresh: token.text });
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const request = new Request(new URL(REFRESH, location), { method: "POST", headers, body, credentials: "omit" });
  const { entry } = await record(request, "The thief");
  learn(entry, "the thief");
  if (entry.data?.refresh) stolen = seen.at(-1);
  await report(entry, before);
  return entry.status;
}

function tryToCopy() {
  const found = document.cookie;
  setText(byId("cookie-found"), `document.cookie is ${found ? `“${found}”` : "empty"}. ${/tsr_/.test(found) ? "" : "It does not contain the refresh token, because the browser hides that cookie from every script. But a thief can still use this page while it is open."}`);
}

const STEPS = [
  "The thief copies your refresh token",
  "The grace window closes; until then the server accepts a replaced token",
  "You refresh, and your token is replaced",
  "Time passes, and the grace window closes again",
  "You refresh again, so the copy is now two generations old",
  "The thief sends the copy, so the server knows that a copy exists and ends the session",
  "You must log in again, so you know that something was wrong",
];

async function playTheft() {
  byId("steps").replaceChildren(...STEPS.map((text) => make("li", {}, text)));
  const items = [...byId("steps").children];
  const step = (index) => items.forEach((item, other) => (other === index ? item.setAttribute("aria-current", "step") : item.removeAttribute("aria-current")));
  const acts = [
    () => (stolen = held()),
    waitForWindow,
    () => client.refresh(),
    waitForWindow,
    () => client.refresh(),
    () => steal(stolen),
    () => client.refresh().catch(() => {}),
  ];
  for (const [index, act] of acts.entries()) {
    step(index);
    say(STEPS[index]);
    await act();
    await pause(900); // a person needs time to read the step
  }
  step(-1);
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const held = () => seen.findLast((token) => token.holder === "you"); // do not use the state, because the timeline may be late
const stateOf = (token) => laneOf(session)?.tokens[token.number - 1]?.state ?? "unknown";

async function waitForWindow() {
  await update();
  while (graceLeft(session, GRACE_MS) > 0) await pause(200);
  await pause(300);
}

const ROLES = {
  current: ["current", "good"],
  parent: ["just replaced", "warn"],
  replaced: ["replaced long ago", "bad"],
  skipped: ["skipped", "bad"],
  dead: ["its session has ended", "bad"],
  unknown: ["unknown", "quiet"],
};

function foresee(state) {
  if (over || state === "dead") return "If the token is sent now: 401, because the session has ended.";
  if (state === "replaced" || state === "skipped") return "If the token is sent now: 401, and the session ends.";
  if (graceLeft(session, GRACE_MS) > 0) return "If the token is sent now: 200, and nothing is rotated.";
  if (state === "current") return "If the token is sent now: 200, and the token is replaced.";
  if (recoveriesOf(session) >= MAX_RECOVERIES) return "If the token is sent now: 401, and the session ends, because too many answers in a row were lost.";
  return "If the token is sent now: 200, and the server issues another successor (recovery).";
}

// -- Sessions --------------------------------------------------------------------------------------

async function listSessions() {
  byId("session-list").replaceChildren(...(await client.sessions()).map(showSession));
}

function showSession(row) {
  const device = nameDevice(row.device);
  const title = make("div", {}, device, " ");
  if (row.current) title.append(make("span", { class: "badge good" }, "this page"));
  title.append(make("br"), make("span", { class: "quiet" },
    `${row.ip ?? "no address"} · started ${moment(row.started_at)} · last used ${moment(row.last_used_at)}`));
  const button = make("button", { type: "button", class: "small", "aria-label": `End the session on ${device}` }, "End");
  const item = make("li", {}, title, button);
  button.addEventListener("click", () => run(async () => {
    await client.endSession(row.id);
    item.remove();
    if (client.signedIn) byId("sessions-title").focus();
  }));
  return item;
}

async function endOthers() {
  await client.logoutOthers();
  for (const item of [...byId("session-list").children]) if (!item.querySelector(".badge")) item.remove();
}

// -- Notes -----------------------------------------------------------------------------------------

/** Call the API with the client, which refreshes first if necessary. Return the answer, or null after a failure. */
async function ask(method, path, body) {
  const init = { method, headers: { Accept: "application/json" } };
  if (body) Object.assign(init, { body: JSON.stringify(body), headers: { ...init.headers, "Content-Type": "application/json" } });
  const response = await client.fetch(path, init);
  if (!response.ok) return null;
  return response.status === 204 ? true : response.json();
}

async function listNotes() {
  const found = await ask("GET", NOTES);
  if (found) byId("note-list").replaceChildren(...found.map(showNote));
}

function showNote(note) {
  const words = make("div", {}, note.text, make("br"), make("span", { class: "quiet" }, `No. ${note.id} · ${moment(note.created_at)}`));
  const button = make("button", { type: "button", class: "small", "aria-label": `Delete note ${note.id}` }, "Delete");
  const item = make("li", {}, words, button);
  button.addEventListener("click", () => run(async () => {
    if (!(await ask("DELETE", `${NOTES}${note.id}/`))) return;
    item.remove();
    byId("notes-title").focus();
  }));
  return item;
}

async function createNote() {
  const field = byId("note-text");
  const note = await ask("POST", NOTES, { text: field.value });
  if (!note) return;
  byId("note-list").prepend(showNote(note));
  field.value = "";
}

// -- The clock -------------------------------------------------------------------------------------

/** Update everything that depends on the time. */
function tick() {
  if (!session) return;
  const left = over ? 0 : client.expiresIn;
  byId("access-meter").value = left;
  setText(byId("access-left"),
    over ? "Refused, because its session has ended"
      : left ? `Accepted for another ${Math.ceil(left)} s` : "Expired: the next request refreshes first");
  const window = over ? 0 : graceLeft(session, GRACE_MS) / 1000;
  byId("grace-meter").value = window;
  setText(byId("grace-left"), window ? `The grace window closes in ${Math.ceil(window)} s` : "The grace window is closed");
  for (const token of seen) {
    const state = stateOf(token);
    const [words, colour] = ROLES[state];
    const holder = token === stolen ? ", and the thief has it" : token.holder === "you" ? "" : ", held by the thief";
    setText(token.badge, words + holder);
    token.badge.className = `badge ${colour}`;
    setText(token.forecast, foresee(state));
  }
}

// -- Buttons, and the start ------------------------------------------------------------------------

onSubmit("login-form", () => logIn(byId("account").value.trim(), byId("password").value));
for (const button of document.querySelectorAll("[data-password]")) {
  button.addEventListener("click", () => run(() => logIn(button.dataset.name, button.dataset.password)));
}
onClick("refresh", () => client.refresh());
onClick("refresh-many", refreshMany);
onClick("logout", logOut);
onClick("access-send", sendAccess);
onClick("copy-cookie", tryToCopy);
onClick("play", playTheft);
onClick("sessions-list", listSessions);
onClick("sessions-others", endOthers);
onClick("sessions-all", () => client.logoutAll());
onClick("notes-list", listNotes);
onSubmit("note-form", createNote);
onSubmit("read-form", () => ask("GET", `${NOTES}${Number(byId("note-number").value)}/`));

// Nothing is awaited here: a person may press a button at once. The button's task comes after these tasks.
setInterval(tick, 200);
open("cookie");
show();
run(watch);
run(() => client.restore()); // after a reload or in another tab the cookie may exist
