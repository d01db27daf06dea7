// A simulated phone: an authenticator app with the secret of one account. It computes the codes as RFC 6238 says.

import { byId, make, setText } from "./dom.js";
import { gettext } from "./texts.js";

const PERIOD = 30;
const KEY = "demo-phones"; // a phone survives a reload, as a real one would

let shown = null; // { secret, box }
let used = -1; // the period of the last code that was sent; the server accepts each code once

const load = () => JSON.parse(sessionStorage.getItem(KEY) ?? "{}");

/** Give the phone of an account its secret. */
export function teach(names, secret) {
  const phones = load();
  for (const name of names) phones[name.toLowerCase()] = secret;
  sessionStorage.setItem(KEY, JSON.stringify(phones));
}

/** Return the secret in the phone of an account, or undefined. */
export const secretOf = (name) => load()[name.toLowerCase()];

/** Show the phone in a place, beside the field that takes its code. Without a secret, show nothing. */
export function showPhone(place, field, secret) {
  hidePhone();
  if (!secret) return;
  const code = make("output", { class: "code", "aria-label": gettext("The code") });
  const left = make("span", { class: "left" });
  const type = () => {
    byId(field).value = code.textContent.replace(" ", "");
    byId(field).focus();
  };
  const button = make("button", { type: "button", class: "small", onclick: type }, gettext("Type it in"));
  const box = make("div", { class: "phone", role: "group", "aria-label": gettext("A simulated phone") }, code, left, button);
  byId(place).replaceChildren(box);
  shown = { secret, code, left, box };
  return tickPhone();
}

export function hidePhone() {
  shown?.box.remove();
  shown = null;
}

/** Remember that the present code was sent, so that the phone goes on to the next one. */
export function spend() {
  used = Math.max(used, period());
  return tickPhone();
}

const period = () => Math.max(Math.floor(Date.now() / 1000 / PERIOD), used + 1);

/** Update the code and the seconds that are left. */
export async function tickPhone() {
  if (!shown) return;
  const { secret, code, left } = shown;
  const number = period();
  const digits = await computeCode(secret, number);
  setText(code, `${digits.slice(0, 3)} ${digits.slice(3)}`);
  setText(left, gettext("%(seconds)s s", { seconds: Math.ceil((number + 1) * PERIOD - Date.now() / 1000) }));
}

async function computeCode(secret, number) {
  const message = new DataView(new ArrayBuffer(8));
  message.setBigUint64(0, BigInt(number));
  const key = await crypto.subtle.importKey("raw", readBase32(secret), { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, message.buffer));
  const value = mac.getUint32(mac.getUint8(19) & 15) & 0x7fffffff;
  return String(value % 1_000_000).padStart(6, "0");
}

function readBase32(text) {
  const bits = [...text.replace(/=+$/, "")].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g), (byte) => parseInt(byte, 2));
}
