// Small functions for the page. They insert data only as text (textContent), never as markup.

import { LOCALES, gettext } from "./texts.js";

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value);
  }
  node.append(...children); // a string becomes a text node
  return node;
}

// Write only a different text, because a text that is written many times a second keeps screen readers busy.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Return whether nothing should move: a person asked for it, or nobody sees the page. */
export const quiet = () => document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches;

export const shorten = (token) => `${token.slice(0, 12)}…${token.slice(-8)}`;
export const shortenAll = (text) => text.replace(/eyJ[\w-]+\.[\w-]+\.[\w-]*|ts[rk]_[\w-]+/g, shorten);
const DIGITS = { numberingSystem: "latn" }; // those of the tokens and of the countdowns
export const clock = (date) => date.toLocaleTimeString(LOCALES, { hour: "2-digit", minute: "2-digit", second: "2-digit", ...DIGITS });
export const moment = (text) => new Date(text).toLocaleString(LOCALES, { dateStyle: "medium", timeStyle: "medium", ...DIGITS });

/** Return a time as a distance from now, such as "in 43 s" or "2 min ago". */
export function distance(milliseconds) {
  const seconds = Math.round(Math.abs(milliseconds) / 1000);
  const past = milliseconds < 0;
  const number = Math.round(seconds / (seconds < 100 ? 1 : seconds < 6000 ? 60 : 3600));
  if (seconds < 100) return past ? gettext("%(number)s s ago", { number }) : gettext("in %(number)s s", { number });
  if (seconds < 6000) return past ? gettext("%(number)s min ago", { number }) : gettext("in %(number)s min", { number });
  return past ? gettext("%(number)s h ago", { number }) : gettext("in %(number)s h", { number });
}

/** Return the name of a device: its own, or the one that the server has made from the user agent. */
export const nameDevice = (text) => text || gettext("unknown device");
