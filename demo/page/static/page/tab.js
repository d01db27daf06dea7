// The second tab in this page. It shares the refresh token of this tab, and does not know the client.

import { arrival, callAs, refreshAs, revokeAs } from "./net.js";
import { say } from "./log.js";
import { drawStage } from "./stage.js";
import { held, state } from "./state.js";
import { gettext } from "./texts.js";

export function openTab() {
  state.holders.tab.open = true;
  drawStage();
  say(gettext("The second tab is open. Both tabs share one refresh token."));
}

export async function refreshTab() {
  if (!state.holders.tab.open) openTab();
  const { entry } = await refreshAs("tab", held()?.text);
  await arrival();
  return entry;
}

export async function callTab() {
  if (!state.holders.tab.access) await refreshTab();
  await callAs("tab", state.holders.tab.access?.text);
  await arrival();
}

/** Log out in the second tab, which is not this client. This tab finds out by its next request, or by its socket. */
export async function logOutTab() {
  if (!state.holders.tab.open) openTab();
  await revokeAs("tab", held()?.text);
  await arrival();
}
