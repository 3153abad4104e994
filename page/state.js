// The state of an ordering, and the forms in which requests have it.

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

/** Return the state before anything is said. `language`: of the texts. `spoken`: of the customer; "": detect it. */
export const newState = (language, spoken) => ({
  ...structuredClone(NEW_CONVERSATION),
  language,
  spoken,
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
  notice: null, // {key, values, kind, seconds}
  timings: null,
});

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
export const conversationRequest = ({ lines, questions, changes, notes }) => ({
  lines: lines.map(lineRequest),
  questions,
  changes,
  notes,
});
