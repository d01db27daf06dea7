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


/** Return the name of a device: its own, or the one that the server has made from the user agent. */
export const nameDevice = (text) => text || "unknown device";
