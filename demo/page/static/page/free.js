// Free play: the notes.

import { byId, make, moment } from "./dom.js";
import { client } from "./login.js";
import { NOTES } from "./net.js";
import { run } from "./run.js";
import { gettext } from "./texts.js";

/** Call the API with the client, which refreshes first if necessary. Return the answer, or null after a failure. */
export async function ask(method, path, body) {
  const init = { method, headers: { Accept: "application/json" } };
  if (body) Object.assign(init, { body: JSON.stringify(body), headers: { ...init.headers, "Content-Type": "application/json" } });
  const response = await client.fetch(path, init);
  if (!response.ok) return null;
  return response.status === 204 ? true : response.json();
}

export async function listNotes() {
  const found = await ask("GET", NOTES);
  if (found) byId("note-list").replaceChildren(...found.map(showNote));
  return found;
}

export const readNote = () => ask("GET", `${NOTES}${Number(byId("note-number").value)}/`);

function showNote(note) {
  const words = make("div", {}, note.text, make("br"), make("span", { class: "quiet" }, gettext("No. %(number)s · %(time)s", { number: note.id, time: moment(note.created_at) })));
  const button = make("button", { type: "button", class: "small", "aria-label": gettext("Delete note %(number)s", { number: note.id }) }, gettext("Delete"));
  const item = make("li", {}, words, button);
  button.addEventListener("click", () => run(async () => {
    if (!(await ask("DELETE", `${NOTES}${note.id}/`))) return;
    item.remove();
    byId("notes-title").focus();
  }, button));
  return item;
}

export async function createNote() {
  const field = byId("note-text");
  const note = await ask("POST", NOTES, { text: field.value });
  if (!note) return;
  byId("note-list").prepend(showNote(note));
  field.value = "";
}
