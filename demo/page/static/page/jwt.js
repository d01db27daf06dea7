// The access token: read it, see which part says what, change it, and send it.

import { byId, clock, distance, make, setText } from "./dom.js";
import { NOTES, arrival, transmit } from "./net.js";
import { state } from "./state.js";
import { gettext, ngettext } from "./texts.js";
import { now } from "./time.js";
import { CLAIMS, CODES } from "./words.js";

const TIMES = ["iat", "exp", "auth_time"];
const PARTS = ["header", "claims", "signature"];

let token = null; // the last access token; it is kept to show that the server refuses it later
let moments = []; // the times in the table: { node, at, age }, with the age of the token at that time
let born = 0; // when the token arrived, on the clock of this page

export async function showAccess(client) {
  const found = await client.token();
  if (!found || found === token) return;
  token = found;
  const texts = token.split(".");
  byId("access-text").replaceChildren(
    ...PARTS.flatMap((part, index) => [index ? "." : "", make("span", { class: part, "data-part": part }, texts[index])]),
  );
  [moments, born] = [[], now()];
  const [header, claims] = texts.slice(0, 2).map(decode);
  byId("access-header").replaceChildren(...describeClaims(header));
  byId("access-claims").replaceChildren(...describeClaims(claims));
  const proof = gettext("Computed from the header and the claims with the key of the server");
  const size = ngettext("%(count)s letter", "%(count)s letters", texts[2].length);
  byId("access-signature").replaceChildren(row("signature", size, proof));
  offer(claims);
  tickAccess();
}

const readBytes = (part) => Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const decode = (part) => JSON.parse(new TextDecoder().decode(readBytes(part)));

/** The last access token of this page, or null. */
export const lastToken = () => token;

/** Return the parts of a token: its header, its claims, the bytes that were signed, and the signature. */
export function readToken(text) {
  const [header, claims, signature] = text.split(".");
  const signed = new TextEncoder().encode(`${header}.${claims}`);
  return { header: decode(header), claims: decode(claims), signed, signature: readBytes(signature) };
}

function encode(value) {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const write = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function describeClaims(values) {
  return Object.entries(values).map(([name, value]) => {
    const made = row(name, write(value), CLAIMS[name] ?? gettext("A claim of the project"));
    if (TIMES.includes(name)) moments.push({ node: made.children[1], at: value, age: value - values.iat });
    return made;
  });
}

const row = (name, value, words) =>
  make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value), make("td", {}, words));

/** Update the times in the table. They are counted from the token's arrival, so that no clock has to be right. */
export function tickAccess() {
  for (const { node, at, age } of moments) {
    setText(node, `${at} (${clock(new Date(at * 1000))}, ${distance(age * 1000 - (now() - born))})`);
  }
}

// -- Light up --------------------------------------------------------------------------------------

/** Light up a part of the token and its claims together, by the mouse and by the keyboard. */
export function watchParts() {
  const light = (part) => () => (byId("access").dataset.lit = part);
  const targets = [...document.querySelectorAll("#access [data-lights]")].map((node) => [node, node.dataset.lights]);
  for (const [node, part] of targets) {
    for (const event of ["mouseenter", "focus", "click"]) node.addEventListener(event, light(part));
    for (const event of ["mouseleave", "blur"]) node.addEventListener(event, light(""));
  }
  byId("access-text").addEventListener("mouseover", (event) => light(event.target.dataset.part ?? "")());
  byId("access-text").addEventListener("mouseleave", light(""));
}

// -- Tamper ----------------------------------------------------------------------------------------

function offer(claims) {
  const select = byId("forge-claim");
  const chosen = select.value || "sub";
  select.replaceChildren(...Object.keys(claims).map((name) => make("option", {}, name)));
  select.value = chosen in claims ? chosen : "sub";
  propose();
}

/** Put a value into the field that a thief would like. */
export function propose() {
  const name = byId("forge-claim").value;
  const value = decode(token.split(".")[1])[name];
  const wish = name === "sub" ? (value === "1" ? "2" : "1") : TIMES.includes(name) ? value + 31_536_000 : value;
  byId("forge-value").value = write(wish);
}

/** Send the access token with a changed claim. The signature stays, because only the server can sign. */
export async function forge() {
  const [header, claims, signature] = token.split(".");
  const name = byId("forge-claim").value;
  const changed = { ...decode(claims), [name]: parse(byId("forge-value").value, decode(claims)[name]) };
  await send(`${header}.${encode(changed)}.${signature}`, byId("forgery"));
}

function parse(text, before) {
  if (typeof before === "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Send the last access token without a refresh, also if its session has ended. */
export const sendAccess = () => send(token, byId("forgery"));

async function send(text, result) {
  const request = new Request(new URL(NOTES, location), { headers: { Accept: "application/json", Authorization: `Bearer ${text}` } });
  const { entry } = await transmit("you", request);
  await arrival();
  state.holders.you.refused = false;
  const words = CODES[entry.data?.code] ?? (entry.status === 200 ? gettext("The server accepts this token.") : entry.data?.detail ?? entry.answer);
  result.replaceChildren(make("strong", { class: entry.status === 200 ? "good" : "bad" }, String(entry.status)), ` ${words}`);
  result.hidden = false;
}
