// The script of the page: it connects the buttons. The state of the tokens is in state.js, and each request
// goes through net.js.

import { byId, setText } from "./dom.js";
import { addFactor, closeCode, leaveAccount, sendCode, signUp, tryFactor, turnOn, verify } from "./account.js";
import { joinChat, sendText } from "./chat.js";
import { drawScenes } from "./compare.js";
import { endOthers, listSessions, logInOnPhone } from "./devices.js";
import { createNote, listNotes, readNote } from "./free.js";
import { forge, propose, sendAccess, tickAccess, watchParts } from "./jwt.js";
import { lapseKeys, listKeys, rotate, verifyToken } from "./keys.js";
import { drawLanes } from "./lanes.js";
import { client, logIn, logOut, logOutEverywhere, open, restore, show } from "./login.js";
import { arrival, callAs, multiplyNext, refreshAs } from "./net.js";
import { callAsScript, copyLine, listTokens, makeToken } from "./personal.js";
import { tickPhone } from "./phone.js";
import { onClick, onSubmit, run } from "./run.js";
import { drawStage, tickStage } from "./stage.js";
import { state } from "./state.js";
import { callTab, logOutTab, openTab, refreshTab } from "./tab.js";
import { gettext, ngettext } from "./texts.js";
import { concludeTheft, copyToken, onSend, playTheft, tickTokens, tryToCopy } from "./theft.js";
import { closeWindow, lapse } from "./time.js";
import { laneOf, onChange, watch } from "./timeline.js";
import { reach } from "./tour.js";
import { say } from "./log.js";

const GRACE_MS = Number(document.body.dataset.grace) * 1000;
const LIFETIME = Number(document.body.dataset.lifetime);

const refresh = async () => {
  await client.refresh();
  await arrival();
};

async function refreshMany() {
  multiplyNext(20);
  await client.refresh().finally(() => multiplyNext(1));
}

// -- The five stops --------------------------------------------------------------------------------

async function stopCall() {
  const found = await listNotes();
  await arrival();
  if (found) reach("call", ngettext(
    "The answer has %(count)s note, for one SQL query. The server read the user from the signed token, and asked the database neither for the token nor for the user. (About once a second, one more query finds out which sessions have ended.)",
    "The answer has %(count)s notes, for one SQL query. The server read the user from the signed token, and asked the database neither for the token nor for the user. (About once a second, one more query finds out which sessions have ended.)",
    found.length));
}

async function stopWait() {
  const before = laneOf(state.session)?.tokens.length ?? 0;
  await lapse(LIFETIME + 5);
  drawStage();
  const found = await listNotes();
  await arrival();
  const after = laneOf(state.session)?.tokens.length ?? 0;
  if (found) reach("wait", gettext("The access token had expired, so the client sent refresh token %(before)s first, and got number %(after)s and a new access token. Then it sent the call. Nobody had to log in again.", { before, after }));
}

async function stopTab() {
  if (!state.holders.tab.open) openTab();
  await closeWindow(GRACE_MS);
  const both = await Promise.all([client.refresh().then(() => true), refreshTab().then((entry) => entry.status === 200)]);
  await arrival();
  if (both.every(Boolean)) reach("tab", gettext("Both tabs sent the same token. One request replaced it, and the other one came within the grace window and got an access token only. Under strict rotation, the second request ends the session."));
}

async function stopThief() {
  if (state.transport === "cookie") {
    tryToCopy();
    reach("thief", gettext("A script cannot copy a refresh token in a cookie that is HttpOnly. To see a theft that works, log out, and log in with the token in this page’s memory."));
    return;
  }
  await playTheft({ refresh, steal, settled: arrival });
  const words = concludeTheft();
  if (words) run(() => conclude(words)); // after the end of the session
}

function conclude(words) {
  reach("thief", gettext("The copy was two generations old, so the server knew that two clients hold tokens of this session. It cannot tell which of them is you, so it ended the session for both. You can log in again, and the thief cannot."));
  say(words);
}

// -- Free play -------------------------------------------------------------------------------------

/** Send a refresh token from a second client that has stolen the token. */
async function steal(token) {
  const { entry } = await refreshAs("thief", token.text);
  await arrival();
  return entry.status;
}

async function stealNow() {
  if (!state.stolen) await copyToken();
  await steal(state.stolen);
}

async function callThief() {
  if (!state.holders.thief.access) return say(gettext("The thief has no access token yet. The thief refreshes first."));
  await callAs("thief", state.holders.thief.access.text);
  return arrival();
}

async function refreshBoth() {
  if (!state.holders.tab.open) openTab();
  await Promise.all([client.refresh(), refreshTab()]);
}

/** Open the part of the sign-up, and go to its form. */
function goToSignUp(event) {
  event.preventDefault();
  byId("account-part").open = true;
  byId("account-part").scrollIntoView({ block: "nearest" });
  byId("sign-up-email").focus();
}

/** Update everything that depends on the time. */
function tick() {
  tickPhone();
  if (!state.session) return;
  const left = state.over ? 0 : client.expiresIn;
  byId("access-meter").value = left;
  setText(byId("access-left"),
    state.over ? gettext("Refused, because its session has ended")
      : left ? gettext("Accepted for another %(seconds)s s", { seconds: Math.ceil(left) }) : gettext("Expired: the next request refreshes first"));
  tickStage();
  tickAccess();
  tickTokens();
}

// -- Buttons, and the start ------------------------------------------------------------------------

onSubmit("login-form", () => logIn(byId("account").value.trim(), byId("password").value));
for (const button of document.querySelectorAll("[data-password]")) {
  button.addEventListener("click", () => run(() => logIn(button.dataset.name, button.dataset.password), button));
}
onClick("act-call", stopCall);
onClick("act-wait", stopWait);
onClick("act-tab", stopTab);
onClick("act-thief", stopThief);
onClick("play-theft", stopThief);
onClick("refresh", refresh);
onClick("refresh-many", refreshMany);
onClick("refresh-both", refreshBoth);
onClick("logout", logOut);
onClick("tab-refresh", refreshTab);
onClick("tab-call", callTab);
onClick("thief-copy", copyToken);
onClick("thief-refresh", stealNow);
onClick("thief-call", callThief);
onClick("access-send", sendAccess);
onClick("copy-cookie", tryToCopy);
onClick("sessions-list", listSessions);
onClick("sessions-others", endOthers);
onClick("sessions-all", logOutEverywhere);
onClick("notes-list", listNotes);
onSubmit("note-form", createNote);
onSubmit("read-form", readNote);
onSubmit("forge-form", forge);
onSubmit("personal-form", makeToken);
onClick("personal-copy", copyLine);
onClick("personal-call", callAsScript);
onClick("personal-list", listTokens);
onClick("tab-logout", logOutTab);
onClick("chat-out", logOutTab);
onClick("chat-join", joinChat);
onSubmit("chat-form", sendText);
onClick("sessions-phone", logInOnPhone);
onClick("keys-list", listKeys);
onClick("keys-rotate", rotate);
onClick("keys-lapse", lapseKeys);
onClick("keys-verify", verifyToken);
onSubmit("sign-up-form", signUp);
onSubmit("verify-form", verify);
onClick("verify-back", leaveAccount);
onClick("factor-add", addFactor);
onSubmit("factor-form", turnOn);
onClick("factor-try", tryFactor);
onSubmit("code-form", sendCode);
onClick("code-back", closeCode);
byId("to-sign-up").addEventListener("click", goToSignUp);
byId("forge-claim").addEventListener("change", propose);
onSend((token) => run(() => steal(token)));
onChange(() => {
  drawLanes();
  drawStage();
});

// Nothing is awaited here: a person may press a button at once. The button's task comes after these tasks.
setInterval(tick, 200);
drawScenes();
watchParts();
open("cookie");
leaveAccount();
show();
run(() => watch(() => setText(byId("lanes-empty"), gettext("The demo does not answer."))));
run(restore); // after a reload or in another tab the cookie may exist
