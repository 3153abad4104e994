// What the page knows, and how it speaks of it.

import { Log, Service } from "./calls.js";
import { money, say } from "./words.js";

export const $ = (id) => document.getElementById(id);

export const kept = (name) => localStorage.getItem(name);

export const state = {
  language: kept("language") ?? (navigator.languages.some((tag) => tag.startsWith("vi")) ? "vi" : "en"),
  spoken: kept("spoken") ?? "", // "": to be detected
  menus: [],
  menu: null, // as loaded, with its items and groups
  phase: "idle", // idle, starting, listening, finishing
  held: false,
  handsFree: false,
  pressedAt: 0,
  talk: null, // the connection under way
  heard: null, // {text, stable, unmatched}
  lines: [],
  total: 0,
  preview: null, // {lines, total} while somebody speaks
  asked: [], // questions about items; those about options stand in the lines
  history: [],
  suggestions: [],
  orderId: null, // made with the first attempt to place, kept for the next
  placing: false,
  placed: null,
  notice: null, // {key, values, kind, seconds}
  timings: null,
};

export const t = (key, values) => say(state.language, key, values);
export const price = (amount) => money(state.language, state.menu.currency, amount);
/** The language that was chosen, if the menu is spoken in it; "" is to be detected. */
export const spokenLanguage = () => (state.menu?.languages.includes(state.spoken) ? state.spoken : "");

/** List the options that still have to be decided. */
export function openChoices() {
  return state.lines.flatMap((line, index) =>
    line.options
      .filter(({ choice, amount, alternatives }) => choice === null && amount !== "no" && alternatives)
      .map(({ group, alternatives }) => ({ kind: "ambiguous", line: index, group, choices: alternatives })),
  );
}

/** What the service reads of a line. */
export function bare({ item, quantity, options }) {
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
