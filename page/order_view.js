// Shows the order and the controls.

import { make, onNextFrame } from "./elements.js";
import { LevelMeter, reducedMotion } from "./level_meter.js";

// A line of lower confidence is marked. An unambiguous order has 0.8 and more.
const MIN_CONFIDENCE = 0.6;
// A success notice disappears after this.
const GOOD_NOTICE_MS = 6000;

const isOpen = (lines) => lines.some(({ options }) => options.some(({ choice, amount }) => choice === null && amount !== "no"));

/** Create the view of a session's order. */
export function createOrderView(session, { markWords, showHearing, showQuestions, showTurns, wordsOf }) {
  const { root, $, hasTalkKey, state, speech, actions, canEdit, choiceOf, menuLanguage, nameLanguage, nameOf, price, recognitionLanguage, t } = session;
  const levelMeter = new LevelMeter($("level"));

  function setPhase(phase) {
    state.phase = phase;
    showPhase();
  }

  /** Show what depends on whether the page is listening, speaking or waiting for a reply. */
  function showPhase() {
    showTalkButton();
    showHearing();
    showOrder();
  }

  let noticeTimer = 0;

  function notify(key, values = {}, kind = "bad", seconds = null) {
    clearTimeout(noticeTimer);
    state.notice = key === null ? null : { key, values, kind, seconds };
    showNotice();
    if (seconds !== null) noticeTimer = setTimeout(() => notify("busy_over", {}, "good"), seconds * 1000);
    else if (kind === "good") noticeTimer = setTimeout(() => notify(null), GOOD_NOTICE_MS);
  }

  function announce(text) {
    $("announced").textContent = text;
  }

  function showAll() {
    for (const id of ["notice", "announced", "order-view"]) $(id).lang = state.language;
    for (const element of root.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
    for (const element of root.querySelectorAll("[data-text-label]")) element.setAttribute("aria-label", t(element.dataset.textLabel));
    for (const element of root.querySelectorAll("[data-text-placeholder]")) element.placeholder = t(element.dataset.textPlaceholder);
    if (state.menu) {
      const names = new Intl.DisplayNames([state.language], { type: "language" });
      const languages = [...state.menu.languages, ""].map((tag) => make("option", { value: tag }, tag ? names.of(tag) : t("any_language")));
      $("spoken").replaceChildren(...languages);
      $("spoken").value = recognitionLanguage();
      showExamples();
      showMenu();
      showSuggestions();
    }
    $("voice").setAttribute("aria-pressed", String(speech.isOn));
    showTalkButton();
    showTurns();
    showOrder();
    showNotice();
  }

  function showNotice() {
    const { key, values, kind, seconds } = state.notice ?? {};
    const notice = $("notice");
    notice.hidden = !key;
    notice.className = `notice ${kind ?? ""}`;
    notice.textContent = key ? t(key, values) : "";
    if (seconds) {
      const rest = make("span", { class: "rest", "aria-hidden": "true" });
      rest.style.animationDuration = `${seconds}s`;
      notice.append(rest);
    }
  }

  function showTalkButton() {
    const talking = state.phase === "listening" || state.phase === "starting";
    const isSpeaking = speech.isSpeaking && state.phase === "listening";
    const words = { idle: "tap", starting: "starting", listening: isSpeaking ? "speaking" : "listening", finishing: "finishing" };
    const touch = matchMedia("(pointer: coarse)").matches;
    const listening = state.handsFree ? "tap_to_pause" : "let_go";
    const hints = { idle: hasTalkKey && !touch ? "tap_hint_keys" : "tap_hint", listening: isSpeaking ? "speaking_hint" : listening };
    $("talk").dataset.phase = state.phase;
    $("talk").dataset.speaking = String(isSpeaking);
    $("talk").setAttribute("aria-pressed", String(talking));
    $("talk").setAttribute("aria-busy", String(state.phase === "finishing"));
    $("talk-word").textContent = t(words[state.phase]);
    $("talk-hint").textContent = hints[state.phase] ? t(hints[state.phase]) : "";
    $("order-view").dataset.phase = state.phase;
    $("level").classList.toggle("shown", state.phase === "listening");
    if (!talking) levelMeter.clear();
  }

  const shownLines = new Map();

  function showOrder() {
    if (!state.menu) return;
    const { lines, total } = state.preview ?? state;
    const seen = new Map();
    const rows = lines.map((line, index) => {
      const nth = seen.get(line.item) ?? 0;
      seen.set(line.item, nth + 1);
      const key = `${line.item} ${nth}`;
      if (!shownLines.has(key)) shownLines.set(key, newRow());
      const row = shownLines.get(key);
      fillRow(row, line, index);
      return row.element;
    });
    for (const [key, row] of shownLines) {
      if (!rows.includes(row.element)) {
        row.element.remove();
        shownLines.delete(key);
      }
    }
    rows.forEach((row, index) => {
      if ($("lines").children[index] !== row) $("lines").insertBefore(row, $("lines").children[index] ?? null);
    });
    $("order-empty").hidden = lines.length > 0;
    $("total").textContent = price(total);
    $("from").hidden = state.placed !== null || !(isOpen(lines) || state.questions.some(({ blocks }) => blocks));
    $("sum").hidden = lines.length === 0;
    $("receipt").classList.toggle("tentative", state.preview !== null);
    $("receipt").classList.toggle("is-placed", state.placed !== null);
    $("undo").hidden = state.history.length === 0 || state.placed !== null;
    $("undo").disabled = !canEdit();
    $("restart").hidden = state.turns.length + lines.length === 0 || state.placed !== null;
    $("place").hidden = state.placed !== null || lines.length === 0;
    $("place").disabled = state.phase === "finishing" || state.busy || state.placing;
    $("place").textContent = t(state.placing ? "placing" : "place");
    showMissing();
    showNotes();
    $("placed").hidden = state.placed === null;
    if (state.placed) {
      const time = new Date(state.placed.placed_at).toLocaleTimeString(state.language, { hour: "2-digit", minute: "2-digit" });
      $("placed-details").textContent = t("placed_details", { time, number: state.placed.order_id.slice(0, 8) });
    }
    showQuestions();
  }

  function showMissing() {
    const wording = JSON.stringify([state.language, state.missing]);
    if ($("missing").dataset.shown === wording) return;
    $("missing").dataset.shown = wording;
    $("missing").hidden = state.missing.length === 0;
    const sentences = state.missing.map((sentence) => make("li", {}, sentence));
    $("missing").replaceChildren(make("p", {}, t("missing")), make("ul", {}, ...sentences));
  }

  /** Show the notes that concern the whole order; those of a line are in its row. */
  function showNotes() {
    const shown = state.notes.filter(({ kind, line }) => kind !== "offer" && line === null).map(noteElement);
    $("notes").replaceChildren(...shown);
  }

  const noteElement = ({ kind, text }) => make("li", { "data-kind": kind }, make("strong", {}, t(`note_${kind}`)), ` ${text}`);

  /** Create a row; its buttons stay while its content changes, so that the focus stays. */
  function newRow() {
    const row = { index: 0, shown: "", isOpen: false };
    row.quantity = make("span", { class: "quantity" });
    row.name = make("button", { type: "button", class: "name", "aria-expanded": "false", onclick: () => toggleWords(row) });
    row.said = make("p", { class: "words-of", hidden: "" });
    row.notes = make("ul", { class: "notes" });
    row.options = make("ul", { class: "options" });
    row.each = make("span", { class: "each" });
    row.price = make("span", { class: "price" });
    row.less = make("button", { type: "button", onclick: () => actions.changeQuantity(row.index, -1) }, "−");
    row.more = make("button", { type: "button", onclick: () => actions.changeQuantity(row.index, 1) }, "+");
    const what = make("div", { class: "what" }, row.name, row.options, row.each, row.said, row.notes);
    row.element = make("li", { class: "line" }, row.quantity, what, row.price, make("div", { class: "step" }, row.less, row.more));
    // With touch, the words are shown by a tap on the name.
    row.element.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && markWords(lineOf(row)));
    row.element.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && markWords(null));
    return row;
  }

  const lineOf = (row) => (state.preview ? null : (state.lines[row.index] ?? null));

  /** Show or hide the words that made the line. */
  function toggleWords(row) {
    row.isOpen = !row.isOpen;
    showWords(row);
    markWords(row.isOpen ? lineOf(row) : null);
  }

  function showWords(row) {
    const words = row.isOpen && lineOf(row) ? wordsOf(lineOf(row)) : [];
    row.name.setAttribute("aria-expanded", String(row.isOpen));
    row.said.hidden = !row.isOpen;
    row.said.replaceChildren(...(words.length ? words.map((text) => make("q", {}, text)) : [t("no_words")]));
  }

  function fillRow(row, line, index) {
    const wording = JSON.stringify([state.language, line.name, line.quantity, line.options, line.total]);
    const isNew = row.shown === "";
    row.index = index;
    row.less.disabled = row.more.disabled = !canEdit() || state.placed !== null;
    if (row.isOpen) showWords(row);
    const notes = state.notes.filter(({ line: at, kind }) => at === index && kind !== "offer" && !state.preview).map(noteElement);
    row.notes.replaceChildren(...notes, ...(line.note ? [noteElement({ kind: "other", text: line.note })] : []));
    row.element.classList.toggle("unsure", line.confidence !== null && line.confidence < MIN_CONFIDENCE);
    if (row.shown === wording) return;
    const sameLanguage = row.shown.startsWith(`["${state.language}"`);
    row.shown = wording;
    row.element.dataset.item = line.item;
    row.quantity.textContent = `${line.quantity}×`;
    row.name.textContent = line.name;
    row.name.lang = nameLanguage(state.menu.items[line.item] ?? { names: {} }, state.replyLanguage);
    row.name.dataset.unsure = t("unsure");
    row.options.replaceChildren(...line.options.flatMap(withNested).map(optionElement));
    row.each.textContent = line.quantity > 1 ? t("each", { price: price(line.unit_price) }) : "";
    row.price.textContent = price(line.total);
    row.less.setAttribute("aria-label", t(line.quantity > 1 ? "one_less" : "remove", { item: line.name }));
    row.more.setAttribute("aria-label", t("one_more", { item: line.name }));
    row.less.textContent = line.quantity > 1 ? "−" : "×";
    if (isNew || sameLanguage) highlight(row.element, isNew ? "added" : "changed");
    if (state.preview) onNextFrame(() => row.element.scrollIntoView({ block: "nearest", behavior: reducedMotion.matches ? "auto" : "smooth" }));
  }

  function highlight(element, how) {
    element.classList.remove("added", "changed");
    void element.offsetWidth; // restarts the animation
    element.classList.add(how);
  }

  const withNested = (option) => [option, ...(option.options ?? []).flatMap(withNested)];

  function optionElement({ choice, name, amount, quantity, price: cost }) {
    const words = { no: "without", light: "light", extra: "extra", regular: "regular" };
    const text = `${quantity > 1 ? `${quantity} ` : ""}${amount ? t(words[amount], { name: lower(name) }) : name}`;
    if (choice === null && amount !== "no") return make("li", { class: "open" }, t("which", { names: text }));
    return make("li", {}, text, cost ? make("span", {}, ` ${cost > 0 ? "+" : "−"}${price(Math.abs(cost))}`) : null);
  }

  const lower = (name) => name.charAt(0).toLocaleLowerCase(state.language) + name.slice(1);

  function showSuggestions() {
    const shown = state.suggestions.map(({ item, name: replied, price: cost, reason }) => {
      const named = state.menu.items[item] ?? { name: replied, names: {} };
      const name = nameOf(named);
      const about = state.menu.items[reason.item];
      return make(
        "li",
        {},
        make(
          "button",
          { type: "button", "data-item": item, "aria-label": t("add_suggestion", { item: name, price: price(cost) }), onclick: () => actions.addItem(item) },
          make("strong", { lang: nameLanguage(named) }, name),
          make("span", { class: "cost" }, price(cost)),
          // The service gives its reason in the language of the menu; for others there is a shorter text.
          make("small", {}, state.language === menuLanguage() ? reason.text : t(`reason_${reason.kind}`, { item: about ? lower(nameOf(about)) : "" })),
        ),
      );
    });
    $("suggestions").replaceChildren(...shown);
    $("suggested").hidden = shown.length === 0;
  }

  function showMenu() {
    const sections = new Map();
    for (const [id, item] of Object.entries(state.menu.items)) {
      const category = item.category ?? "";
      if (!sections.has(category)) sections.set(category, []);
      sections.get(category).push([id, item]);
    }
    const shown = Array.from(sections, ([category, items]) => {
      const rows = items.map(([id, { name, names, price: cost, available }]) =>
        make(
          "li",
          {},
          make(
            "button",
            { type: "button", disabled: available === false ? "" : null, onclick: () => actions.addItem(id) },
            make("span", { lang: nameLanguage({ names }) }, nameOf({ name, names })),
            make("span", { class: "cost" }, available === false ? t("sold_out") : price(cost)),
          ),
        ),
      );
      return make("section", {}, category ? make("h3", {}, category) : null, make("ul", {}, ...rows));
    });
    $("carte").replaceChildren(...shown);
  }

  /** Show example sentences for this menu, in the language of the page. */
  function showExamples() {
    const english = state.language === "en";
    const inEnglish = ({ names, aliases = [] }) => names.en ?? aliases.find((words) => /^[A-Za-z' -]+$/.test(words) && words.length > 3);
    const spoken = (named) => lower((english && inEnglish(named)) || nameOf(named));
    const many = (words) => (english ? `${words}${/(s|x|ch|sh)$/.test(words) ? "es" : "s"}` : words);
    const items = Object.values(state.menu.items).filter(({ available }) => available !== false);
    const choicesOf = ({ options = [] }) =>
      options.flatMap((id) => {
        const { choices, default: usual } = state.menu.option_groups[id];
        const others = Object.keys(choices)
          .filter((choice) => choice !== usual)
          .map((choice) => choiceOf(id, choice))
          .filter((choice) => !choice.price && !/\d/.test(choice.name));
        return usual ? others : [];
      });
    const first = items.find((item) => choicesOf(item).length) ?? items[0];
    const one = items.find(({ category }) => category !== first.category) ?? first;
    const two = items.findLast(({ category }) => category !== first.category && category !== one.category) ?? first;
    const sentences = [t("example_many", { item: spoken(one), other: many(spoken(two)) })];
    if (choicesOf(first).length) sentences.unshift(t("example", { item: many(spoken(first)), choice: spoken(choicesOf(first)[0]) }));
    const buttons = sentences.map((text) => make("button", { type: "button", onclick: () => actions.sendText(text) }, `“${text}”`));
    $("examples").replaceChildren(make("p", {}, t("try_saying")), ...buttons);
  }

  return { setPhase, showPhase, notify, announce, showAll, showTalkButton, showOrder, showSuggestions, showLevel: (level) => levelMeter.add(level) };
}
