// The state of the page, and functions on it.

import { Log, Service } from "./service.js";
import { money, textOf } from "./texts.js";

export const $ = (id) => document.getElementById(id);

export const stored = (name) => localStorage.getItem(name);

export const state = {
  language: stored("language") ?? (navigator.languages.some((tag) => tag.startsWith("vi")) ? "vi" : "en"),
  spoken: stored("spoken") ?? "", // "": detect the language
  menus: [],
  menu: null, // as loaded from the service, with its items and option groups
  phase: "idle", // idle, starting, listening, finishing
  held: false,
  handsFree: false,
  pressedAt: 0,
  connection: null, // the open live connection, see live_session.js
  transcript: null, // {text, stable, unmatched}
  lines: [],
  total: 0,
  preview: null, // {lines, total} of the last partial
  itemQuestions: [], // questions about items; those about options are in the lines
  history: [],
  suggestions: [],
  orderId: null, // created with the first attempt to place the order, kept for the next
  placing: false,
  placed: null,
  notice: null, // {key, values, kind, seconds}
  timings: null,
};

export const t = (key, values) => textOf(state.language, key, values);
export const price = (amount) => money(state.language, state.menu.currency, amount);
/** The chosen language if the menu has it; "" to detect it. */
export const recognitionLanguage = () => (state.menu?.languages.includes(state.spoken) ? state.spoken : "");

/** Return a menu whose names are strings in its first language, and whose choices that are items have what the items have. */
export function withPlainNames(menu) {
  const plain = (name) => (name && typeof name === "object" ? (name[menu.languages[0]] ?? Object.values(name)[0]) : name);
  const every = (parts, change) => Object.fromEntries(Object.entries(parts).map(([id, part]) => [id, change(part)]));
  const named = (part) => ({ ...part, name: plain(part.name), names: typeof part.name === "object" ? part.name : {} });
  const asItem = (choice) => {
    const item = menu.items[choice.item];
    return item ? { ...item, ...choice, available: choice.available !== false && item.available !== false } : choice;
  };
  return {
    ...named(menu),
    items: every(menu.items, (item) => ({ ...named(item), category: plain(item.category) })),
    option_groups: every(menu.option_groups, (group) => ({ ...named(group), choices: every(group.choices, (choice) => named(asItem(choice))) })),
  };
}

/** Return the options without a choice, as questions. */
export function openChoices() {
  return state.lines.flatMap((line, index) =>
    line.options
      .filter(({ choice, amount, alternatives }) => choice === null && amount !== "no" && alternatives)
      .map(({ group, alternatives }) => ({ kind: "ambiguous", line: index, group, choices: alternatives })),
  );
}

/** Return the fields of a line that the service reads. */
export function lineRequest({ item, quantity, options }) {
  return {
    item,
    quantity,
    options: options.map(({ group, choice, alternatives, amount, quantity: portions }) =>
      alternatives ? { group, choice, alternatives, amount, quantity: portions } : { group, choice, amount, quantity: portions },
    ),
  };
}

export const log = new Log();
export const service = new Service(log);
