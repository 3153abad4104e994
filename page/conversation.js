// The conversation: its turns, the words that made each line, undo, and its copy in the session storage, which survives a reload.

import { lineRequest, NEW_CONVERSATION, state } from "./state.js";

const MAX_HISTORY = 50;
const MAX_TURNS = 100;
const STORED = "conversation";

export function addTurn(turn) {
  const id = (state.turns.at(-1)?.id ?? 0) + 1;
  state.turns.push({ id, ...turn });
  if (state.turns.length > MAX_TURNS) state.turns.shift();
  return id;
}

/** Take the state of a reply. `turn`: the id of the customer's turn, null if none made the change. */
export function adopt(order, turn) {
  if (!sameOrder(order.lines, state.lines)) {
    state.history.push(snapshot());
    if (state.history.length > MAX_HISTORY) state.history.shift();
    state.orderId = null;
  }
  state.lines = withWords(order.lines, state.lines, turn);
  state.total = order.total;
  for (const name of ["questions", "changes", "notes", "status"]) state[name] = order[name];
  state.replyLanguage = order.say?.language ?? state.replyLanguage;
  state.missing = [];
  save();
}

const snapshot = () => {
  const { lines, total, questions, changes, notes } = state;
  return { lines, total, questions, changes, notes };
};

/** Return the lines, each with the words that made it: those of this turn, and those of the line before it. */
function withWords(lines, before, turn) {
  const left = [...before];
  const take = (fits) => {
    const index = left.findIndex(fits);
    return index < 0 ? null : (left.splice(index, 1)[0].said ?? []);
  };
  // Lines keep their order: an untouched line is the first that is left and equal, a changed one the first of its item.
  const untouched = lines.map((line) => (line.span ? null : take((old) => sameOrder([old], [line]))));
  return lines.map((line, index) => {
    const earlier = untouched[index] ?? take((old) => old.item === line.item) ?? [];
    return { ...line, said: line.span && turn ? [...earlier, { turn, span: line.span }] : earlier };
  });
}

const sameOrder = (lines, others) => JSON.stringify(lines.map(lineRequest)) === JSON.stringify(others.map(lineRequest));

/** Restore the order before the last change; return whether there is one. */
export function restorePrevious() {
  const earlier = state.history.pop();
  if (!earlier) return false;
  Object.assign(state, earlier, { orderId: null, missing: [], status: "open" });
  save();
  return true;
}

/** Return the conversation with one line replaced, or removed if `line` is null: then its questions go, and other indices move. */
export function withLine(index, line) {
  const lines = state.lines.flatMap((old, at) => (at === index ? (line ? [line] : []) : [old]));
  if (line) return { ...snapshot(), lines };
  const moved = (at) => (at === null || at === undefined || at < index ? at : at - 1);
  const questions = state.questions
    .map((question) => ({ ...question, lines: question.lines?.filter((at) => at !== index).map(moved) }))
    .filter((question) => question.line !== index || question.lines?.length)
    .map(({ lines: several, ...question }) => ({
      ...question,
      line: question.line === index ? several[0] : moved(question.line),
      ...(several?.length ? { lines: several } : {}),
    }));
  // What concerns an allergy or a diet outlives its line.
  const notes = state.notes
    .filter((note) => note.line !== index || note.kind === "allergy" || note.kind === "diet")
    .map((note) => ({ ...note, line: note.line === index ? null : moved(note.line) }));
  return { lines, questions, notes, changes: [] };
}

export function forget() {
  Object.assign(state, structuredClone(NEW_CONVERSATION), { missing: [], lastUtterance: null, preview: null, hearing: null });
  save();
}

export function save() {
  const kept = Object.fromEntries(Object.keys(NEW_CONVERSATION).map((name) => [name, state[name]]));
  sessionStorage.setItem(STORED, JSON.stringify({ menu: state.menu.id, ...kept }));
}

/** Load the stored conversation of this menu; return whether there is one. */
export function restore() {
  const { menu, ...kept } = JSON.parse(sessionStorage.getItem(STORED)) ?? {};
  if (menu !== state.menu.id) return false;
  Object.assign(state, structuredClone(NEW_CONVERSATION), kept);
  return true;
}
