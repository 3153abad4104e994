// The state of the page, and functions on it.

import { Log, Service } from "./service.js";
import { money, textOf, TEXTS } from "./texts.js";

export const $ = (id) => document.getElementById(id);

export const stored = (name) => localStorage.getItem(name);

export const state = {
  language: stored("language") ?? (navigator.languages.some((tag) => tag.startsWith("vi")) ? "vi" : "en"),
  spoken: stored("spoken") ?? "", // "": detect the language
  menus: [],
  menu: null, // as loaded from the service, with its items and option groups
  phase: "idle", // idle, starting, listening, finishing
  held: false,
  handsFree: false, // the microphone stays open between turns
  pressedAt: 0,
  connection: null, // the open live connection, see live_session.js
  busy: false, // a typed turn is being taken
  hearing: null, // {text, stable} of the utterance in progress
  preview: null, // {lines, total} of the last partial
  suggestions: [],
  placing: false,
  missing: [], // what the order lacks, as sentences
  tried: [], // turns with the menus of this page's life: {menu, said, before, order, isKept, right}
  lastUtterance: null, // {text, before: the conversation, explain}
  notice: null, // {key, values, kind, seconds}
  timings: null,
};

/** The part of the state that survives a reload. */
export const NEW_CONVERSATION = {
  turns: [], // {id, who: "customer" | "shop", text, language, unmatched}
  lines: [], // as replied, with `said`: [{turn, span}], the words that made them
  total: 0,
  questions: [],
  changes: [],
  notes: [],
  replyLanguage: null, // of the shop's last sentence
  status: "open",
  history: [], // earlier orders, for undo
  orderId: null, // created with the first attempt to place the order, kept for the next
  placed: null,
};
Object.assign(state, structuredClone(NEW_CONVERSATION));

export const t = (key, values) => textOf(state.language, key, values);
export const price = (amount) => money(state.language, state.menu.currency, amount);
/** The chosen language if the menu has it; "" to detect it. */
export const recognitionLanguage = () => (state.menu?.languages.includes(state.spoken) ? state.spoken : "");
/** The language of the names: the first of the menu. */
export const menuLanguage = () => state.menu.languages[0] ?? "";
/** The language of an answer that a button gives: the shop's. */
export const answerLanguage = () => (state.replyLanguage in TEXTS ? state.replyLanguage : state.language);

/** True if buttons may change the order: no request is under way, and the microphone is closed or only waits for the next turn. */
export const canEdit = () =>
  !state.busy && !state.placing && (state.phase === "idle" || (state.phase === "listening" && state.handsFree));

/** The name of an item, a group or a choice, in the language if the menu has it. */
export const nameOf = ({ name, names }, language = state.language) => names[language] ?? name;

/** The language of that name. */
export const nameLanguage = ({ names }, language = state.language) => (names[language] ? language : menuLanguage());

/** A choice of a group; undefined if the menu has none of this id. */
export const choiceOf = (group, choice) => state.menu.option_groups[group]?.choices[choice];

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

/** Return the fields of a line that the service reads. */
export const lineRequest = ({ item, quantity, options = [], note }) => ({
  item,
  quantity,
  options: options.map(optionRequest),
  ...(note ? { note } : {}),
});

const optionRequest = ({ group, choice, alternatives, amount, quantity, options }) => ({
  group,
  choice,
  amount,
  quantity,
  ...(alternatives ? { alternatives } : {}),
  ...(options?.length ? { options: options.map(optionRequest) } : {}),
});

/** Return the state of the conversation as a request has it. */
export const conversationRequest = ({ lines, questions, changes, notes } = state) => ({
  lines: lines.map(lineRequest),
  questions,
  changes,
  notes,
});

export const log = new Log();
export const service = new Service(log);
