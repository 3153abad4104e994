// The order: what changes it, and what is done with it.

import { Refused } from "./calls.js";
import { $, bare, price, service, state, t } from "./state.js";
import { refused } from "./trouble.js";
import { actions, announce, notify, setPhase, showHeard, showOrder, showSuggestions, wordsOf } from "./view.js";

const MAX_SUGGESTIONS = 4;
const MAX_HISTORY = 100;
// Text that orders nothing: the service prices the lines that came with it.
const NO_WORDS = ".";

/** Take over what an utterance made of the order. */
export function take(order, text) {
  const before = state.lines;
  state.preview = null;
  state.heard = { text, stable: text.length, unmatched: order.unmatched };
  // What is asked about an option stands in its line, as an open choice.
  state.asked = order.questions.filter(({ group }) => group === null);
  settle(order.lines);
  announce(
    [
      ...order.changes.map(({ op, line, quantity }) => {
        const changed = (op === "remove" ? before : order.lines)[line];
        return t({ add: "said_added", set: "said_set", remove: "said_removed" }[op], { item: changed?.name ?? "", quantity });
      }),
      order.changes.length ? t("said_total", { total: price(state.total) }) : t("said_nothing_changed"),
      order.unmatched.length ? `${t("not_understood")} ${order.unmatched.join(", ")}` : "",
      ...order.questions.map((question) => wordsOf(question)),
    ].join(" "),
  );
}

/** Make these the lines of the order; what was before can be had back. */
function settle(lines) {
  const same = JSON.stringify(lines.map(bare)) === JSON.stringify(state.lines.map(bare));
  if (!same) {
    state.history.push(state.lines);
    if (state.history.length > MAX_HISTORY) state.history.shift();
    state.orderId = null;
  }
  state.lines = lines;
  state.total = lines.reduce((sum, line) => sum + line.total, 0);
  showHeard();
  showOrder();
  if (!same) suggest();
}

/** Let the service understand a text, or price lines that a tap changed. */
async function utter(text, lines = state.lines) {
  return service.ask("POST", "voice/order", { menu: state.menu.id, text, lines: lines.map(bare) });
}

export async function sendText(text) {
  if (state.phase !== "idle" || !state.menu) return;
  if (state.placed) startOver();
  setPhase("finishing");
  notify(null);
  try {
    const order = await utter(text);
    $("text").value = "";
    if (matchMedia("(pointer: coarse)").matches) $("text").blur(); // the keyboard would cover the order
    take(order, text);
  } catch (error) {
    refused(error);
  } finally {
    setPhase("idle");
  }
}

async function change(lines) {
  if (state.phase !== "idle" || state.placing) return;
  if (state.placed) startOver();
  try {
    const order = lines.length ? await utter(NO_WORDS, lines) : { lines: [] };
    notify(null);
    settle(order.lines);
    announce(t("said_total", { total: price(state.total) }));
  } catch (error) {
    refused(error);
  }
}

const replaced = (index, line) => state.lines.flatMap((old, at) => (at === index ? (line.quantity > 0 ? [line] : []) : [old]));

function step(index, by) {
  const line = state.lines[index];
  change(replaced(index, { ...line, quantity: line.quantity + by }));
}

function add(item) {
  const index = state.lines.findIndex((line) => line.item === item && line.options.length === 0);
  if (index >= 0) return step(index, 1);
  return change([...(state.placed ? [] : state.lines), { item, quantity: 1, options: [] }]);
}

function choose(index, group, choice) {
  const line = state.lines[index];
  const options = line.options.map((option) =>
    option.group === group && option.choice === null ? { ...option, choice, alternatives: undefined } : option,
  );
  change(replaced(index, { ...line, options }));
}

function leaveOut(index, group) {
  const line = state.lines[index];
  change(replaced(index, { ...line, options: line.options.filter((option) => option.group !== group || option.choice !== null) }));
}

export function undo() {
  if (state.phase !== "idle" || !state.history.length || state.placed) return;
  const lines = state.history.pop();
  state.asked = [];
  settle(lines);
  state.history.pop(); // taking back is no step to be taken back
  showOrder();
  announce(t("said_total", { total: price(state.total) }));
}

export async function place() {
  if (state.phase !== "idle" || state.placing || !state.lines.length) return;
  state.placing = true;
  state.orderId ??= newId();
  notify(null);
  showOrder();
  try {
    const body = { menu: state.menu.id, lines: state.lines.map(bare) };
    state.placed = await service.ask("PUT", `voice/order/${state.orderId}`, body);
    state.lines = state.placed.lines;
    state.total = state.placed.total;
    announce(`${t("placed")}. ${t("said_total", { total: price(state.total) })}`);
  } catch (error) {
    refused(error);
  } finally {
    state.placing = false;
    showOrder();
    if (state.placed) $("again").focus();
  }
}

export function startOver() {
  Object.assign(state, { lines: [], total: 0, history: [], asked: [], heard: null, placed: null, orderId: null });
  showHeard();
  showOrder();
  suggest();
}

/** A random UUID; crypto.randomUUID is not there on plain http. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

let asking = 0;

async function suggest() {
  asking += 1;
  const mine = asking;
  const quantities = new Map();
  for (const { item, quantity } of state.lines) quantities.set(item, (quantities.get(item) ?? 0) + quantity);
  const items = Array.from(quantities, ([item, quantity]) => ({ item, quantity: Math.min(quantity, 999) }));
  let suggestions = [];
  try {
    suggestions = (await service.ask("POST", "voice/recommend_order", { menu: state.menu.id, items, limit: MAX_SUGGESTIONS })).items;
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // no suggestions are no harm
  }
  if (mine === asking) {
    state.suggestions = suggestions;
    showSuggestions();
  }
}

Object.assign(actions, { add, step, choose, leaveOut, sendText });
