// The language of the page. Django's script with the catalogue comes before the modules, and defines the globals.

const { gettext: find, ngettext: choose, interpolate } = window;
const { lang, dir } = document.documentElement;

export const RTL = dir === "rtl";

/** The locales for times: those of the browser for the language of the page, and this language. */
export const LOCALES = [...navigator.languages.filter((name) => name.slice(0, 2) === lang.slice(0, 2)), lang];

/** Keep the order of the letters of a code, a path or a number, also within Arabic. */
export const isolate = (value) => (RTL ? `\u2068${value}\u2069` : value);

const insert = (message, values) => interpolate(message, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, isolate(value)])), true);

/** Return a message in the language of the page. Values replace placeholders such as %(name)s. */
export const gettext = (message, values) => (values ? insert(find(message), values) : find(message));

/** Return the form of a message for a number, which replaces %(count)s. */
export const ngettext = (one, many, count, values) => insert(choose(one, many, count), { count, ...values });

/** Return a message as children of an element. The values may be elements. */
export const fill = (message, values) => message.split(/%\((\w+)\)s/).map((part, index) => (index % 2 ? values[part] : part));
