// Small functions for the page. They insert data only as text (textContent), never as markup.

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
export const clock = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const moment = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** Return a time as a distance from now, such as "in 43 s" or "2 min ago". */
export function distance(milliseconds) {
  const seconds = Math.round(Math.abs(milliseconds) / 1000);
  const text = seconds < 100 ? `${seconds} s` : seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
  return milliseconds < 0 ? `${text} ago` : `in ${text}`;
}

/** Return the name of a device: its own, or the one that the server has made from the user agent. */
export const nameDevice = (text) => text || "unknown device";
