// Shows the turns of the conversation, the utterance in progress, the words that made a line, and the open questions.

import { make } from "./elements.js";
import { textOf } from "./texts.js";

const HOW_MANY = [1, 2, 3, 4];

/** Create the view of a session's conversation. */
export function createConversationView(session) {
  const { root, $, focused, state, speech, actions, answerLanguage, canEdit, choiceOf, nameLanguage, nameOf, price, t } = session;

  function showTurns() {
    const shown = state.turns.map(turnElement);
    $("turns").replaceChildren(...shown);
    // Read out by one voice only.
    $("turns").setAttribute("aria-live", speech.isOn ? "off" : "polite");
    showHearing();
    showQuestions();
    scrollToEnd();
  }

  function turnElement({ id, who, text, language, unmatched = [] }) {
    const words = make("p", { class: "said", lang: language ?? null }, text);
    const name = make("span", { class: "hidden" }, t(who === "shop" ? "shop_says" : "you_say"));
    const unknown = unmatched.length
      ? make("p", { class: "unmatched" }, `${t("not_understood")} `, ...unmatched.map((word) => make("q", {}, word)))
      : null;
    return make("li", { class: `turn ${who}`, "data-turn": id }, name, words, unknown);
  }

  /** Show the utterance in progress. */
  function showHearing() {
    const { text = "", stable = 0 } = state.hearing ?? {};
    const characters = Array.from(text); // `stable` counts characters, not UTF-16 units
    $("stable").textContent = characters.slice(0, stable).join("");
    $("unstable").textContent = characters.slice(stable).join("");
    $("words").hidden = !text;
    $("order-view").dataset.hearing = String(Boolean(text));
    const isNew = state.turns.length === 0;
    $("invitation").hidden = !isNew || Boolean(text) || state.phase === "listening";
    $("examples").hidden = !isNew || Boolean(text) || state.phase !== "idle" || state.lines.length > 0;
    if (text) scrollToEnd();
  }

  function scrollToEnd() {
    $("log").scrollTop = $("log").scrollHeight;
  }

  /** Mark the words that made a line; null marks none. */
  function markWords(line) {
    for (const { id, text } of state.turns) {
      const element = root.querySelector(`[data-turn="${id}"] .said`);
      const spans = (line?.said ?? []).filter(({ turn, span }) => turn === id && span).map(({ span }) => span);
      if (!spans.length && !element?.querySelector("mark")) continue;
      const [start, end] = spans[0] ?? [0, 0];
      const characters = Array.from(text); // spans count code points
      const [before, words, after] = [characters.slice(0, start), characters.slice(start, end), characters.slice(end)].map((part) => part.join(""));
      element.replaceChildren(before, ...(words ? [make("mark", {}, words)] : []), after);
      if (words) $("log").scrollTop = element.parentElement.offsetTop - $("log").offsetTop - 16;
    }
    if (!line) scrollToEnd();
  }

  /** Return the words that made a line, as they were said. */
  function wordsOf({ said = [] }) {
    return said.flatMap(({ turn, span }) => {
      const found = span && state.turns.find(({ id }) => id === turn);
      return found ? [Array.from(found.text).slice(...span).join("")] : [];
    });
  }

  // --- Open questions -----------------------------------------------------------------------------------------------------------------

  function showQuestions() {
    if (!state.menu) return;
    // "Is this order right?" waits until nothing blocks.
    const questions = state.placed === null ? state.questions.filter(({ blocks, times }) => blocks || times > 0) : [];
    const wording = JSON.stringify([state.language, questions, answerLanguage(), state.lines.map(({ name }) => name)]);
    const box = $("questions");
    if (box.dataset.shown !== wording) {
      const hadFocus = box.contains(focused());
      box.dataset.shown = wording;
      box.replaceChildren(...questions.map(questionElement).filter(Boolean));
      if (hadFocus) (box.querySelector("button") ?? $("talk")).focus({ preventScroll: true });
    }
    for (const button of box.querySelectorAll("button")) button.setAttribute("aria-disabled", String(!canEdit()));
  }

  function questionElement(question) {
    const answers = answersTo(question);
    const label = labelOf(question);
    if (!question.blocks && !answers.length) return null;
    const buttons = answers.map(({ text, cost, lang, isQuiet }) =>
      make(
        "button",
        { type: "button", class: isQuiet ? "quiet" : "answer", lang, onclick: () => actions.sendText(text, question) },
        text,
        cost ? make("small", {}, cost) : null,
      ),
    );
    const kind = question.blocks ? "question" : "question optional";
    // "Anything else?" was just said; it has a label for screen readers only.
    const heading = question.kind === "more" ? null : make("p", {}, label);
    return make("div", { class: kind, role: "group", "aria-label": label, "data-kind": question.kind }, heading, ...buttons);
  }

  /** Name a question shortly: the shop has said it at length. */
  function labelOf({ kind, line, group, lines, choices, text }) {
    if (kind === "confirm" && line === null) return t("question_confirm");
    if (kind === "ambiguous" && group === null) return t("question_item");
    if (isComboOffer({ kind, line, group }) && state.menu.items[choices[0]]) return nameOf(state.menu.items[choices[0]], state.language);
    const found = group === null ? null : state.menu.option_groups[group];
    if (!found || line === null || !state.lines[line]) return text;
    const items = [...new Set((lines ?? [line]).map((index) => state.lines[index]?.name).filter(Boolean))];
    return t("question_group", { item: items.join(", "), group: nameOf(found, state.language) });
  }

  /** Tell whether a question offers a combo instead of lines. */
  const isComboOffer = ({ kind, line, group }) => kind === "offer" && group === null && line !== null;

  /** Return the answers to offer: [{text, cost, lang, isQuiet}]. */
  function answersTo({ kind, line, group, choices }) {
    const lang = answerLanguage();
    const say = (key, isQuiet = false) => ({ text: textOf(lang, key), lang, isQuiet });
    if (kind === "more") return state.lines.length ? [say("answer_done", true)] : [];
    if (kind === "check") return [say("answer_keep"), say("answer_no", true)];
    if (kind === "confirm") return [say("answer_yes"), say("answer_no", true)];
    if (kind === "missing" && group === null) return line === null ? [] : HOW_MANY.map((number) => ({ text: String(number), lang }));
    if (isComboOffer({ kind, line, group })) return [say("answer_accept"), say("answer_decline", true)];
    const named = choices.flatMap((id) => {
      const choice = group === null ? state.menu.items[id] : choiceOf(group, id);
      return choice ? [{ text: nameOf(choice, lang), cost: costOf(choice, group), lang: nameLanguage(choice, lang) }] : [];
    });
    return kind === "missing" ? named : [...named, say("answer_decline", true)];
  }

  function costOf({ price: cost }, group) {
    if (!cost) return "";
    if (group === null) return price(cost);
    return `${cost > 0 ? "+" : "−"}${price(Math.abs(cost))}`;
  }

  return { showTurns, showHearing, markWords, wordsOf, showQuestions };
}
