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

export const shorten = (token) => `${token.slice(0, 12)}…${token.slice(-8)}`;
export const shortenAll = (text) => text.replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+|tsr_[\w-]+/g, shorten);
export const clock = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const moment = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]];

/** Return a short name for a user agent. A device name that a person has chosen stays unchanged. */
export function nameDevice(text) {
  if (!text.startsWith("Mozilla/")) return text || "unknown device";
  const find = (list, other) => list.find(([sign]) => text.includes(sign))?.[1] ?? other;
  return `${find(BROWSERS, "a browser")} on ${find(SYSTEMS, "some system")}`;
}
