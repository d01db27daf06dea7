// The state of the page: the holders and their tokens. The other modules read it here and change it.

import { gettext } from "./texts.js";

/** The three holders of tokens on the stage. `access` is { text, until }, with `until` on the clock of time.js. */
const holders = () => ({
  you: { name: gettext("This tab"), access: null, refused: false, socket: false },
  tab: { name: gettext("The second tab"), access: null, refused: false, open: false },
  thief: { name: gettext("The thief"), access: null, refused: false },
});

export const state = {
  transport: "header",
  session: null, // the session of this page, also after its end
  user: null,
  over: "", // the reason for the end of the session, in words
  cause: "", // its code
  seen: [], // the refresh tokens that this page has seen: { text, number, holder }
  stolen: null, // the token in `seen` that the thief holds
  holders: holders(),
};

/** Forget the tokens of the login before this one. */
export function reset() {
  Object.assign(state, { session: null, user: null, over: "", cause: "", seen: [], stolen: null, holders: holders() });
}

/** Return the refresh token that the tabs of this browser share. The page never sees the token of a cookie. */
export const held = () => state.seen.findLast((token) => token.holder === "you");

/** Keep the tokens of an answer. */
export function keep(who, data, now) {
  const holder = state.holders[who];
  if (data.access) Object.assign(holder, { access: { text: data.access, until: now + data.expires_in * 1000 }, refused: false });
  if (!data.refresh || data.rotated === false) return;
  const token = { text: data.refresh, number: state.seen.length + 1, holder: who === "thief" ? "thief" : "you" };
  state.seen.push(token);
  if (who === "thief") state.stolen = token;
}
