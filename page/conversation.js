// The conversation: its turns, the words that made each line, undo, and its copy in the session storage, which survives a reload.

import { lineRequest, NEW_CONVERSATION } from "./state.js";

const MAX_HISTORY = 50;
const MAX_TURNS = 100;
const STORED = "conversation";

const sameOrder = (lines, others) => JSON.stringify(lines.map(lineRequest)) === JSON.stringify(others.map(lineRequest));

/** Create the conversation of a session. */
export function createConversation({ state, events, keptInTab, signal }) {
  const changed = () => events.dispatchEvent(new Event("order-changed"));

  function addTurn(turn) {
    const id = (state.turns.at(-1)?.id ?? 0) + 1;
    state.turns.push({ id, ...turn });
    if (state.turns.length > MAX_TURNS) state.turns.shift();
    return id;
  }

  /** Take the state of a reply. `turn`: the id of the customer's turn, null if none made the change. */
  function adopt(order, turn) {
    const isChange = !sameOrder(order.lines, state.lines);
    if (isChange) {
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
    if (isChange) changed();
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

  /** Restore the order before the last change; return whether there is one. */
  function restorePrevious() {
    const earlier = state.history.pop();
    if (!earlier) return false;
    Object.assign(state, earlier, { orderId: null, missing: [], status: "open" });
    save();
    changed();
    return true;
  }

  /** Return the conversation with one line replaced, or removed if `line` is null: then its questions go, and other indices move. */
  function withLine(index, line) {
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

  function forget() {
    const hadLines = state.lines.length > 0;
    Object.assign(state, structuredClone(NEW_CONVERSATION), { missing: [], preview: null, hearing: null });
    save();
    if (hadLines) changed();
  }

  function save() {
    if (signal.aborted) return; // another session may have the conversation by now
    const kept = Object.fromEntries(Object.keys(NEW_CONVERSATION).map((name) => [name, state[name]]));
    keptInTab.set(STORED, JSON.stringify({ menu: state.menu.id, ...kept }));
  }

  /** Load the stored conversation of this menu; return whether there is one. */
  function restore() {
    const { menu, ...kept } = JSON.parse(keptInTab.get(STORED)) ?? {};
    if (menu !== state.menu.id) return false;
    Object.assign(state, structuredClone(NEW_CONVERSATION), kept);
    if (state.lines.length) changed();
    return true;
  }

  return { addTurn, adopt, restorePrevious, withLine, forget, save, restore };
}
