// The chat: a ticket opens the socket, and the server closes the socket when the session ends.

import { byId, clock, make, setText } from "./dom.js";
import { ask } from "./free.js";
import { client } from "./login.js";
import { arrival } from "./net.js";
import { run } from "./run.js";
import { say } from "./log.js";
import { depart, drawStage, land, oneTimeTicket, openSocket } from "./stage.js";
import { state } from "./state.js";
import { gettext } from "./texts.js";
import { laneOf, serverNow, update } from "./timeline.js";

const TICKET = "/api/ticket/";
const PLACE = "/ws/chat/";
const MAX_LINES = 50;
const GONE = new Set(["session_ended", "session_unknown", "session_revoked"]);

/** The ends of a session whose words are not a sentence. */
const BECAUSE = {
  logout: gettext("you logged out"),
  logout_all: gettext("you logged out everywhere"),
  evicted: gettext("there were too many sessions"),
};

let socket = null;

/** Forget the messages, because somebody else has logged in. */
export function forgetChat() {
  byId("chat-lines").replaceChildren();
  byId("chat-room").hidden = true;
  tell("");
}

export async function joinChat() {
  if (socket) return socket.close(1000);
  const found = await ask("POST", TICKET);
  if (!found) return;
  await arrival();
  forgetChat();
  const address = new URL(PLACE, location);
  await depart("you", { url: address.href, method: "SOCKET" }, [oneTimeTicket()]);
  address.protocol = address.protocol.replace("http", "ws");
  address.searchParams.set("ticket", found.ticket);
  socket = new WebSocket(address);
  socket.addEventListener("message", ({ data }) => hear(JSON.parse(data)));
  const opened = new Promise((done) => socket.addEventListener("open", () => done(true)));
  const closed = new Promise((done) => socket.addEventListener("close", () => done(false)));
  socket.addEventListener("close", (event) => {
    const at = serverNow(); // now, because the queue of tasks may take a while
    run(() => end(event, at));
  });
  if (!(await Promise.race([opened, closed]))) return; // the listener above tells why
  state.holders.you.socket = true;
  showChat();
  await land("you", 101, [openSocket()], gettext("a socket is open"));
  say(gettext("The socket is open. No token was in its address, and the ticket is of no use to anybody now."));
  byId("chat-text").focus();
}

export function sendText() {
  const field = byId("chat-text");
  if (!field.value.trim()) return;
  socket?.send(JSON.stringify({ text: field.value }));
  field.value = "";
}

function hear({ kind, user, text, at }) {
  const news = kind === "joined" ? gettext("%(user)s has joined.", { user }) : gettext("%(user)s has left.", { user });
  const words = kind === "said" ? [make("strong", {}, make("bdi", {}, user), ": "), make("bdi", {}, text)] : [make("span", { class: "quiet" }, news)];
  const lines = byId("chat-lines");
  const room = byId("chat-room");
  room.hidden = false;
  lines.append(make("li", {}, make("time", { class: "quiet", datetime: new Date(at).toISOString() }, clock(new Date(at))), " ", ...words));
  while (lines.childElementCount > MAX_LINES) lines.firstElementChild.remove();
  room.scrollTop = room.scrollHeight;
}

/** Tell why the socket was closed. If its session has ended, let the client find out, too. */
async function end({ code, reason }, at) {
  const session = state.session;
  const wasOpen = state.holders.you.socket;
  socket = null;
  state.holders.you.socket = false;
  showChat();
  drawStage();
  if (code === 1000) return tell(gettext("You have left the chat."));
  if (!reason) return tell(gettext("The socket was lost. Is the demo still running in the terminal?"));
  if (!wasOpen) return tell(gettext("The server refused the socket (%(code)s).", { code: `${code} ${reason}` }));
  await update().catch(() => {});
  const ended = laneOf(session)?.end;
  const delay = ended ? Math.max(0, (at - ended.at) / 1000) : null;
  await land("you", code, [], reason);
  // The session of this tab was ended elsewhere. The client asks for a token, and hears the reason.
  if (GONE.has(reason) && client.signedIn) await client.refresh().catch(() => {});
  run(() => conclude(code, reason, delay)); // after the end of the session was shown
}

function conclude(code, reason, delay) {
  const words = describeClose({ code: `${code} ${reason}`, seconds: delay?.toFixed(1), reason: BECAUSE[state.cause] ?? state.over });
  tell(words);
  if (!laneOf(state.session)?.reused) say(words); // the last word about a theft is another one
}

function describeClose(facts) {
  if (facts.seconds && facts.reason) return gettext("The server closed the socket %(seconds)s s after the session had ended, because %(reason)s (%(code)s).", facts);
  if (facts.seconds) return gettext("The server closed the socket %(seconds)s s after the session had ended (%(code)s).", facts);
  if (facts.reason) return gettext("The server closed the socket, because %(reason)s (%(code)s).", facts);
  return gettext("The server closed the socket (%(code)s).", facts);
}

function tell(text) {
  setText(byId("chat-state"), text);
  byId("chat-state").hidden = !text;
}

export function showChat() {
  const joined = state.holders.you.socket;
  byId("chat-nobody").hidden = client.signedIn;
  byId("chat-parts").hidden = !client.signedIn;
  byId("chat-form").hidden = !joined;
  byId("chat-out").hidden = !joined;
  setText(byId("chat-join"), joined ? gettext("Leave the chat") : gettext("Join the chat"));
}
