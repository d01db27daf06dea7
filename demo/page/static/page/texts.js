// The language of the page. Django's script with the catalogue comes before the modules, and defines the globals.
// If that script did not arrive, the page works in English.

const { gettext: find = (message) => message, ngettext: choose = (one, many, count) => (count === 1 ? one : many) } = window;
const { lang, dir } = document.documentElement;

export const RTL = dir === "rtl";

/** Return whether a name is a locale. Some browsers have names of the system, such as "en-US@posix". */
function isLocale(name) {
  try {
    return Boolean(Intl.getCanonicalLocales(name));
  } catch {
    return false;
  }
}

/** The locales for times: those of the browser for the language of the page, and this language. */
export const LOCALES = [...navigator.languages.filter((name) => name.slice(0, 2) === lang.slice(0, 2) && isLocale(name)), lang];

/** Letters that run from right to left, and characters that change the direction. */
const TURNING = /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/;

/** Keep the order of the letters of a code, a path or a number, also within Arabic, and of an Arabic name elsewhere. */
export const isolate = (value) => (RTL || TURNING.test(value) ? `\u2068${balance(String(value))}\u2069` : value);

/** Return a value that cannot end the isolate around it: each end has a start, and each start an end. */
function balance(text) {
  let open = 0;
  const kept = text.replace(/[\u2066-\u2069]/g, (mark) => {
    if (mark !== "\u2069") open += 1;
    else if (open) open -= 1;
    else return "";
    return mark;
  });
  return kept + "\u2069".repeat(open);
}

// One pass: a value with a placeholder in it stays as it is.
const insert = (message, values) => message.replace(/%\((\w+)\)s/g, (_, name) => isolate(values[name]));

/** Return a message in the language of the page. Values replace placeholders such as %(name)s. */
export const gettext = (message, values) => (values ? insert(find(message), values) : find(message));

/** Return the form of a message for a number, which replaces %(count)s. */
export const ngettext = (one, many, count, values) => insert(choose(one, many, count), { count, ...values });

/** Return a message as children of an element. The values may be elements. */
export const fill = (message, values) => message.split(/%\((\w+)\)s/).map((part, index) => (index % 2 ? values[part] : part));
