// The clock of the page, and its time lapse.

import { make, byId, pause, quiet } from "./dom.js";
import { state } from "./state.js";
import { fill, gettext } from "./texts.js";
import { graceLeft, update } from "./timeline.js";

const FRAMES = 40;
const LAPSE_MS = 2000; // the length of the time lapse on the screen

let skipped = 0; // milliseconds by which this page's clock is ahead, after time lapses

export const now = () => performance.now() + skipped;
export const wall = () => Date.now() + skipped;

/**
 * Let some seconds pass in two. The server moves the last rotation of the session into the past, and this page
 * moves its own clock. If the server refuses, the page waits for the real time.
 */
export async function lapse(seconds) {
  const sign = byId("lapse");
  sign.replaceChildren(...fill(gettext("%(time)s pass"), { time: make("strong", {}, gettext("%(seconds)s s", { seconds })) }));
  sign.hidden = false;
  try {
    const passed = await ask(seconds);
    const frames = quiet() ? 1 : FRAMES;
    for (let frame = 0; frame < frames; frame += 1) {
      await pause(passed ? (quiet() ? 0 : LAPSE_MS) / frames : (seconds * 1000) / frames);
      if (passed) skipped += (seconds * 1000) / frames;
    }
    await update().catch(() => {});
  } finally {
    sign.hidden = true;
  }
}

async function ask(seconds) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${state.holders.you.access?.text}` };
  const init = { method: "POST", headers, body: JSON.stringify({ seconds }), credentials: "omit" };
  const response = await fetch("/api/timeline/lapse/", init);
  return response.ok;
}

/** Wait until the grace window has closed, by a time lapse. */
export async function closeWindow(grace) {
  await update();
  const left = graceLeft(state.session, grace);
  if (left > 0) await lapse(Math.ceil(left / 1000) + 1);
  while (graceLeft(state.session, grace) > 0) await pause(200);
}
