// The order: edits, placing it, suggestions.

import { showError } from "./failures.js";
import { actions, announce, notify, questionText, setPhase, showOrder, showSuggestions, showTranscript } from "./order_view.js";
import { ServiceError } from "./service.js";
import { $, lineRequest, price, service, state, t } from "./state.js";

const MAX_SUGGESTIONS = 4;
const MAX_HISTORY = 100;
// A text that orders nothing, so that the service only prices the lines.
const NO_TEXT = ".";

/** Show the order after an utterance. */
export function applyOrder(order, text) {
  const before = state.lines;
  state.preview = null;
  state.transcript = { text, stable: text.length, unmatched: order.unmatched };
  // A question about an option is in its line, as an open choice.
  state.itemQuestions = order.questions.filter(({ group }) => group === null);
  setLines(order.lines);
  announce(
    [
      ...order.changes.map(({ op, line, quantity }) => {
        const changed = (op === "remove" ? before : order.lines)[line];
        return t({ add: "said_added", set: "said_set", remove: "said_removed" }[op], { item: changed?.name ?? "", quantity });
      }),
      order.changes.length ? t("said_total", { total: price(state.total) }) : t("said_nothing_changed"),
      order.unmatched.length ? `${t("not_understood")} ${order.unmatched.join(", ")}` : "",
      ...order.questions.map((question) => questionText(question)),
    ].join(" "),
  );
}

/** Replace the lines of the order; the lines before can be restored by `undo`. */
function setLines(lines) {
  const same = JSON.stringify(lines.map(lineRequest)) === JSON.stringify(state.lines.map(lineRequest));
  if (!same) {
    state.history.push(state.lines);
    if (state.history.length > MAX_HISTORY) state.history.shift();
    state.orderId = null;
  }
  state.lines = lines;
  state.total = lines.reduce((sum, line) => sum + line.total, 0);
  showTranscript();
  showOrder();
  if (!same) loadSuggestions();
}

/** Let the service parse a text, or price changed lines. */
async function requestOrder(text, lines = state.lines) {
  return service.request("POST", "voice/order", { menu: state.menu.id, text, lines: lines.map(lineRequest) });
}

export async function sendText(text) {
  if (state.phase !== "idle" || !state.menu) return;
  if (state.placed) startOver();
  setPhase("finishing");
  notify(null);
  try {
    const order = await requestOrder(text);
    $("text").value = "";
    if (matchMedia("(pointer: coarse)").matches) $("text").blur(); // the keyboard would cover the order
    applyOrder(order, text);
  } catch (error) {
    showError(error);
  } finally {
    setPhase("idle");
  }
}

async function changeLines(lines) {
  if (state.phase !== "idle" || state.placing) return;
  if (state.placed) startOver();
  try {
    const order = lines.length ? await requestOrder(NO_TEXT, lines) : { lines: [] };
    notify(null);
    setLines(order.lines);
    announce(t("said_total", { total: price(state.total) }));
  } catch (error) {
    showError(error);
  }
}

const withLine = (index, line) => state.lines.flatMap((old, at) => (at === index ? (line.quantity > 0 ? [line] : []) : [old]));

function changeQuantity(index, by) {
  const line = state.lines[index];
  changeLines(withLine(index, { ...line, quantity: line.quantity + by }));
}

function addItem(item) {
  const index = state.lines.findIndex((line) => line.item === item && line.options.length === 0);
  if (index >= 0) return changeQuantity(index, 1);
  return changeLines([...(state.placed ? [] : state.lines), { item, quantity: 1, options: [] }]);
}

function chooseOption(index, group, choice) {
  const line = state.lines[index];
  const options = line.options.map((option) =>
    option.group === group && option.choice === null ? { ...option, choice, alternatives: undefined } : option,
  );
  changeLines(withLine(index, { ...line, options }));
}

function removeOption(index, group) {
  const line = state.lines[index];
  changeLines(withLine(index, { ...line, options: line.options.filter((option) => option.group !== group || option.choice !== null) }));
}

export function undo() {
  if (state.phase !== "idle" || !state.history.length || state.placed) return;
  const lines = state.history.pop();
  state.itemQuestions = [];
  setLines(lines);
  state.history.pop(); // undo itself cannot be undone
  showOrder();
  announce(t("said_total", { total: price(state.total) }));
}

export async function placeOrder() {
  if (state.phase !== "idle" || state.placing || !state.lines.length) return;
  state.placing = true;
  state.orderId ??= newId();
  notify(null);
  showOrder();
  try {
    const body = { menu: state.menu.id, lines: state.lines.map(lineRequest) };
    state.placed = await service.request("PUT", `voice/order/${state.orderId}`, body);
    state.lines = state.placed.lines;
    state.total = state.placed.total;
    announce(`${t("placed")}. ${t("said_total", { total: price(state.total) })}`);
  } catch (error) {
    showError(error);
  } finally {
    state.placing = false;
    showOrder();
    if (state.placed) $("again").focus();
  }
}

export function startOver() {
  Object.assign(state, { lines: [], total: 0, history: [], itemQuestions: [], transcript: null, placed: null, orderId: null });
  showTranscript();
  showOrder();
  loadSuggestions();
}

/** Return a random UUID; crypto.randomUUID does not exist on plain http. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

let lastRequest = 0;

async function loadSuggestions() {
  lastRequest += 1;
  const request = lastRequest;
  const quantities = new Map();
  for (const { item, quantity } of state.lines) quantities.set(item, (quantities.get(item) ?? 0) + quantity);
  const items = Array.from(quantities, ([item, quantity]) => ({ item, quantity: Math.min(quantity, 999) }));
  let suggestions = [];
  try {
    suggestions = (await service.request("POST", "voice/recommend_order", { menu: state.menu.id, items, limit: MAX_SUGGESTIONS })).items;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error; // the page works without suggestions
  }
  if (request === lastRequest) {
    state.suggestions = suggestions;
    showSuggestions();
  }
}

Object.assign(actions, { addItem, changeQuantity, chooseOption, removeOption, sendText });
