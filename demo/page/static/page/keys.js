// The signing keys: their stages, a rotation, and this page as a service that verifies a token by itself.

import { byId, distance, make, moment, setText } from "./dom.js";
import { ask } from "./free.js";
import { lastToken, readToken } from "./jwt.js";
import { arrival, transmit } from "./net.js";
import { state } from "./state.js";
import { gettext } from "./texts.js";

const KEYS = "/api/keys/";
const SET = "/.well-known/jwks.json";

const STAGES = {
  published: [gettext("published"), "warn", gettext("Verifiers fetch it now, and it does not sign yet.")],
  signing: [gettext("signing"), "good", gettext("Each new access token is signed with it.")],
  retiring: [gettext("retiring"), "quiet", gettext("It signs nothing, and verifies the tokens that it has signed.")],
  gone: [gettext("gone"), "quiet", gettext("No token of it can be valid.")],
  revoked: [gettext("revoked"), "bad", gettext("It was stolen, and all its tokens are refused.")],
};

export const listKeys = async () => show(await ask("GET", KEYS));

export async function rotate() {
  const found = await ask("POST", KEYS);
  show(found);
  const next = found?.find((key) => key.stage === "published");
  if (next) tell(gettext("The next key is in the set now. It signs %(time)s, when no verifier can have an older set.", { time: distance(next.signs_at - Date.now()) }));
}

export async function lapseKeys() {
  show(await ask("POST", `${KEYS}lapse/`));
  tell(gettext("The time has passed, and the newest key signs. Refresh in “Free play”: the next access token has its kid, and the tokens of the old key stay valid."));
}

function show(found) {
  if (found) byId("key-list").replaceChildren(...found.map(showKey));
}

function showKey(key) {
  const [words, colour, about] = STAGES[key.stage];
  const title = make("div", {}, make("code", {}, `${key.kid.slice(0, 8)}…`), ` ${key.alg} `, make("span", { class: `badge ${colour}` }, words));
  const mine = lastToken() && readToken(lastToken()).header.kid === key.kid;
  if (mine) title.append(" ", make("span", { class: "badge" }, gettext("your token")));
  const time = key.stage === "published" ? gettext("It signs from %(time)s.", { time: moment(key.signs_at) })
    : key.stage === "retiring" ? gettext("It leaves the set at %(time)s.", { time: moment(key.gone_at) }) : "";
  title.append(make("br"), make("span", { class: "quiet" }, `${about} ${time}`.trim()));
  return make("li", {}, title);
}

/** Find a key in the set. The browser keeps the set for a while. If the key is unknown, fetch the set again. */
async function findKey(kid) {
  for (const cache of ["default", "reload"]) {
    const init = { headers: { Accept: "application/json" }, credentials: "omit", cache };
    const { entry } = await transmit("you", new Request(new URL(SET, location), init));
    await arrival();
    const found = entry.data?.keys?.find((key) => key.kid === kid);
    if (found) return found;
  }
  return null;
}

/** Verify the last access token with the public keys alone, as another service does. */
export async function verifyToken() {
  const { header, claims, signed, signature } = readToken(lastToken());
  const jwk = await findKey(header.kid);
  if (!jwk) return tell(gettext("Refused: the set has no key %(key)s….", { key: header.kid.slice(0, 8) }));
  let good;
  try {
    const algorithm = { name: "Ed25519" };
    const key = await crypto.subtle.importKey("jwk", { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, algorithm, false, ["verify"]);
    good = await crypto.subtle.verify(algorithm, key, signature, signed);
  } catch {
    return tell(gettext("This browser cannot verify Ed25519 signatures. A newer one can."));
  }
  if (!good) return tell(gettext("Refused: the signature does not match."));
  const left = claims.exp * 1000 - Date.now();
  if (left <= 0) return tell(gettext("The signature matches, and the token has expired. Let this page refresh, and check again."));
  const facts = { key: header.kid.slice(0, 8), user: claims.sub, time: distance(left) };
  const words = gettext("Accepted: signed with key %(key)s…, for user %(user)s, and it expires %(time)s. This page has checked the signature by itself, and nobody was asked about the token.", facts);
  const over = state.over ? gettext("The session has ended, and this service cannot know it: the token is good there until it expires.") : "";
  return tell(`${words} ${over}`.trim());
}

function tell(text) {
  setText(byId("keys-answer"), text);
  byId("keys-answer").hidden = !text;
}

export function showKeys(signedIn) {
  for (const id of ["keys-list", "keys-rotate", "keys-lapse"]) byId(id).hidden = !signedIn;
  byId("keys-verify").hidden = !state.session;
  byId("keys-nobody").hidden = Boolean(signedIn || state.session);
}
