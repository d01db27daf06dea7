// Each request of the page: it travels over the stage, and its answer is explained and logged.

import { readToken } from "./jwt.js";
import { countQueries, log, record } from "./log.js";
import { accessTicket, depart, drawStage, land, oneTimeTicket, tablet } from "./stage.js";
import { held, keep, state } from "./state.js";
import { gettext, ngettext } from "./texts.js";
import { now } from "./time.js";
import { laneOf, update } from "./timeline.js";
import { describe, findPending } from "./words.js";
import { showTokens } from "./theft.js";

export const LOGIN = "/api/token/";
export const REFRESH = "/api/token/refresh/";
export const REVOKE = "/api/token/revoke/";
export const NOTES = "/api/notes/";
export const ALLAUTH = "/_allauth/app/v1/";

let copies = 1; // how many times the next refresh of the client is sent at once

/** Send the next refresh of the client so many times at once. */
export const multiplyNext = (number) => (copies = number);

/** Send a request of the client of this tab, for the option `environment.fetch`. */
export async function listen(input, init) {
  // A Request must not be the options of another one: its body would become a stream, which needs HTTP/2.
  let request = input instanceof Request ? input : new Request(new URL(input, location), init);
  const refreshing = new URL(request.url).pathname === REFRESH;
  if (refreshing && state.transport === "header") request = await share(request);
  const times = refreshing ? copies : 1;
  if (refreshing) copies = 1;
  const { response, error } = await (times > 1 ? multiply(request, times) : transmit("you", request));
  if (error) throw error;
  return response;
}

/** Put the token into the body that the tabs share, because the second tab may have refreshed since. */
async function share(request) {
  const body = await request.clone().json();
  return new Request(request, { body: JSON.stringify({ ...body, refresh: held()?.text ?? body.refresh }) });
}

/** Send a request of a holder. Return { entry, response, error }. The answer travels on after this. */
export async function transmit(who, request) {
  const before = await stand(request);
  const arrived = depart(who, request, await pack(request));
  const result = await record(request, who === "you" ? "" : state.holders[who].name);
  receive(who, result.entry, before, arrived);
  return result;
}

/** Send a refresh many times at once, like many tabs. The client gets one of the answers. */
async function multiply(request, times) {
  const before = await stand(request);
  const arrived = depart("you", request, await pack(request), times);
  const answers = await Promise.all(Array.from({ length: times }, () => record(request.clone(), "")));
  const good = answers.filter(({ entry }) => entry.status === 200);
  const winner = answers.find(({ entry }) => entry.data?.refresh && entry.data.rotated !== false) ?? good[0] ?? answers[0];
  await update();
  const rotations = (laneOf(state.session)?.tokens.length ?? 0) - before.tokens;
  const tokens = new Set(good.map(({ entry }) => entry.data.access)).size;
  const words = gettext("%(times)s refreshes at once, with one refresh token: %(answers)s, %(tokens)s, %(rotations)s. Simultaneous requests log nobody out. (This is one of the answers.)", {
    times,
    answers: ngettext("%(count)s answer with status 200", "%(count)s answers with status 200", good.length),
    tokens: ngettext("%(count)s access token", "%(count)s access tokens", tokens),
    rotations: ngettext("%(count)s rotation", "%(count)s rotations", rotations),
  });
  receive("you", winner.entry, before, arrived, words);
  return winner;
}

/** Return the state of the session before a refresh, to compare it with the state after it. */
async function stand(request) {
  if (new URL(request.url).pathname !== REFRESH) return null;
  await update().catch(() => {});
  return { tokens: laneOf(state.session)?.tokens.length ?? 0 };
}

let last = Promise.resolve();

/** Wait until the last answer has arrived on the stage. */
export const arrival = () => last;

function receive(who, entry, before, arrived, words) {
  const grant = readGrant(entry);
  if (grant && starts(entry) && who === "you") startOver(grant);
  const holder = state.holders[who];
  if (grant) keep(who, grant, now());
  if (entry.status === 401) holder.refused = true;
  last = show(who, entry, before, arrived, words);
}

const starts = ({ path, status }) => status === 200 && (path === LOGIN || path.startsWith(ALLAUTH));

/** Return the tokens of an answer of this package or of allauth, or null. */
export function readGrant({ data }) {
  if (data?.meta?.access_token) return readAllauth(data.meta, data.data.user);
  return data?.session || data?.access ? data : null;
}

/** Return the grant in an answer of allauth, with the names of this package. */
function readAllauth({ access_token: access, refresh_token: refresh, expires_in }, { id, username, email }) {
  return { access, refresh, expires_in, session: readToken(access).claims.sid, user: { id, username, email } };
}

function startOver(grant) {
  const kept = { session: grant.session, user: grant.user, over: "" };
  Object.assign(state, { seen: [], stolen: null, ...kept });
  for (const holder of Object.values(state.holders)) Object.assign(holder, { access: null, refused: false });
  state.holders.tab.open = false;
}

async function show(who, entry, before, arrived, words) {
  await update().catch(() => {}); // the timeline shows the result for the refresh token
  const tokens = laneOf(state.session)?.tokens ?? [];
  const made = before && tokens.length > before.tokens ? tokens.at(-1) : null;
  log(entry, words ?? describe(entry, before !== null, made));
  showTokens();
  await arrived;
  await land(who, entry.status, unpack(entry, made), summarize(entry));
  drawStage();
}

// -- The objects in a parcel -----------------------------------------------------------------------

async function pack(request) {
  if (request.headers.has("Authorization")) return [accessTicket()];
  if (new URL(request.url).pathname !== REFRESH) return [];
  if (state.transport === "cookie") return [tablet(laneOf(state.session)?.tokens.length ?? 1)];
  const { refresh } = await request.clone().json();
  const found = state.seen.find((token) => token.text === refresh);
  return found ? [tablet(found.number, laneOf(state.session)?.tokens[found.number - 1]?.state)] : [];
}

function unpack(entry, made) {
  if (entry.status === 200 && entry.data?.ticket) return [oneTimeTicket()];
  if (!readGrant(entry)?.access) return [];
  if (starts(entry)) return [tablet(1), accessTicket()];
  return made ? [tablet(made.number), accessTicket()] : [accessTicket()];
}

function summarize(entry) {
  if (!entry.status) return "";
  if (entry.status >= 400) return entry.data?.code ?? entry.data?.errors?.[0]?.code ?? findPending(entry.data) ?? "";
  return entry.queries === null ? "" : countQueries(entry.queries);
}

/** Make a request of a holder that is not the client. */
export function ask(who, path, { method = "POST", body, token } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const byCookie = (path === REFRESH || path === REVOKE) && who === "tab" && state.transport === "cookie";
  const credentials = byCookie ? "include" : "omit";
  return transmit(who, new Request(new URL(path, location), { method, headers, credentials, body: body && JSON.stringify(body) }));
}

/** Refresh as the second tab or as the thief. */
export const refreshAs = (who, text) => ask(who, REFRESH, { body: state.transport === "cookie" ? {} : { refresh: text } });

/** Log out as the second tab: this tab does not hear of it. */
export const revokeAs = (who, text) => ask(who, REVOKE, { body: state.transport === "cookie" ? {} : { refresh: text } });

/** Call the API with the access token of a holder, without a refresh. */
export const callAs = (who, token) => ask(who, NOTES, { method: "GET", token });
