// Shows the state. The actions of its buttons are filled in by order.js, which imports this module.

import { drawLevelMeter, levels, reducedMotion } from "./level_meter.js";
import { $, openChoices, price, recognitionLanguage, state, t } from "./state.js";
import { TEXTS } from "./texts.js";

// A line of lower confidence is marked. An unambiguous order has 0.8 and more.
const MIN_CONFIDENCE = 0.6;
// A success notice disappears after this.
const GOOD_NOTICE_MS = 6000;

/** addItem(item), changeQuantity(line, by), chooseOption(line, group, choice), removeOption(line, group), sendText(text). */
export const actions = {};

/** Create an element; attributes named `on…` are event listeners. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const waiting = new Set();

/** Call a function at the next animation frame, once for all calls before it. */
export function onNextFrame(show) {
  if (waiting.has(show)) return;
  waiting.add(show);
  requestAnimationFrame(() => {
    waiting.delete(show);
    show();
  });
}

export function setPhase(phase) {
  state.phase = phase;
  showTalkButton();
  showTranscript();
  showOrder();
}

let noticeTimer = 0;

export function notify(key, values = {}, kind = "bad", seconds = null) {
  clearTimeout(noticeTimer);
  state.notice = key === null ? null : { key, values, kind, seconds };
  showNotice();
  if (seconds !== null) noticeTimer = setTimeout(() => notify("busy_over", {}, "good"), seconds * 1000);
  else if (kind === "good") noticeTimer = setTimeout(() => notify(null), GOOD_NOTICE_MS);
}

export function announce(text) {
  $("announced").textContent = text;
}

export function showAll() {
  document.documentElement.lang = state.language;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-text-label]")) element.setAttribute("aria-label", t(element.dataset.textLabel));
  for (const element of document.querySelectorAll("[data-text-placeholder]")) element.placeholder = t(element.dataset.textPlaceholder);
  for (const language of Object.keys(TEXTS)) $(`in-${language}`).setAttribute("aria-pressed", String(language === state.language));
  if (state.menu) {
    const options = state.menus.map(({ id, name }) => make("option", { value: id }, name));
    $("menu").replaceChildren(...options);
    $("menu").value = state.menu.id;
    const names = new Intl.DisplayNames([state.language], { type: "language" });
    const languages = [...state.menu.languages, ""].map((tag) => make("option", { value: tag }, tag ? names.of(tag) : t("any_language")));
    $("spoken").replaceChildren(...languages);
    $("spoken").value = recognitionLanguage();
    showExamples();
    showMenu();
    showSuggestions();
  }
  showTalkButton();
  showTranscript();
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

export function showTalkButton() {
  const talking = state.phase === "listening" || state.phase === "starting";
  const words = { idle: "hold", starting: "starting", listening: "listening", finishing: "finishing" };
  const touch = matchMedia("(pointer: coarse)").matches;
  const hints = { idle: touch ? "hold_hint" : "hold_hint_keys", listening: state.handsFree ? "tap_to_end" : "let_go" };
  $("talk").dataset.phase = state.phase;
  $("talk").setAttribute("aria-pressed", String(talking));
  $("talk").setAttribute("aria-busy", String(state.phase === "finishing"));
  $("talk-word").textContent = t(words[state.phase]);
  $("talk-hint").textContent = hints[state.phase] ? t(hints[state.phase]) : "";
  $("order-view").dataset.phase = state.phase;
  $("level").classList.toggle("shown", state.phase === "listening");
  if (!talking) levels.fill(0);
}

export function showTranscript() {
  const { text = "", stable = 0, unmatched = [] } = state.transcript ?? {};
  const characters = Array.from(text); // `stable` counts characters, not UTF-16 units
  $("stable").textContent = characters.slice(0, stable).join("");
  $("unstable").textContent = characters.slice(stable).join("");
  $("words").hidden = !text;
  $("transcript").classList.toggle("empty-handed", !text);
  $("invitation").hidden = Boolean(text) || state.phase === "listening";
  $("examples").hidden = Boolean(text) || state.phase !== "idle" || state.lines.length > 0;
  $("unmatched").hidden = !unmatched.length;
  $("unmatched").replaceChildren(`${t("not_understood")} `, ...unmatched.map((word) => make("q", {}, word)));
}

const shownLines = new Map();

export function showOrder() {
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
  $("sum").hidden = lines.length === 0;
  $("receipt").classList.toggle("tentative", state.preview !== null);
  $("receipt").classList.toggle("is-placed", state.placed !== null);
  $("undo").hidden = state.history.length === 0 || state.placed !== null;
  $("undo").disabled = state.phase !== "idle";
  $("place").hidden = state.placed !== null || lines.length === 0;
  $("place").disabled = state.phase !== "idle" || state.placing || !state.lines.length || openChoices().length > 0;
  $("place").textContent = t(state.placing ? "placing" : "place");
  $("placed").hidden = state.placed === null;
  if (state.placed) {
    const time = new Date(state.placed.placed_at).toLocaleTimeString(state.language, { hour: "2-digit", minute: "2-digit" });
    $("placed-details").textContent = t("placed_details", { time, number: state.placed.order_id.slice(0, 8) });
  }
  showQuestions();
}

/** Create a row; its buttons stay while its content changes, so that the focus stays. */
function newRow() {
  const row = { index: 0, shown: "" };
  row.quantity = make("span", { class: "quantity" });
  row.name = make("span", { class: "name" });
  row.options = make("ul", { class: "options" });
  row.each = make("span", { class: "each" });
  row.price = make("span", { class: "price" });
  row.less = make("button", { type: "button", onclick: () => actions.changeQuantity(row.index, -1) }, "−");
  row.more = make("button", { type: "button", onclick: () => actions.changeQuantity(row.index, 1) }, "+");
  const what = make("div", { class: "what" }, row.name, row.options, row.each);
  row.element = make("li", { class: "line" }, row.quantity, what, row.price, make("div", { class: "step" }, row.less, row.more));
  return row;
}

function fillRow(row, line, index) {
  const wording = JSON.stringify([state.language, line.name, line.quantity, line.options, line.total]);
  const isNew = row.shown === "";
  row.index = index;
  row.less.disabled = row.more.disabled = state.phase !== "idle" || state.placed !== null;
  row.element.classList.toggle("unsure", line.confidence !== null && line.confidence < MIN_CONFIDENCE);
  if (row.shown === wording) return;
  const sameLanguage = row.shown.startsWith(`["${state.language}"`);
  row.shown = wording;
  row.element.dataset.item = line.item;
  row.quantity.textContent = `${line.quantity}×`;
  row.name.textContent = line.name;
  row.name.lang = menuLanguage();
  row.name.dataset.unsure = t("unsure");
  row.options.replaceChildren(...line.options.map(optionElement));
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

function optionElement({ choice, name, amount, quantity, price: cost }) {
  const words = { no: "without", light: "light", extra: "extra", regular: "regular" };
  const text = `${quantity > 1 ? `${quantity} ` : ""}${amount ? t(words[amount], { name: lower(name) }) : name}`;
  if (choice === null && amount !== "no") return make("li", { class: "open" }, t("which", { names: text }));
  return make("li", {}, text, cost ? make("span", {}, ` ${cost > 0 ? "+" : "−"}${price(Math.abs(cost))}`) : null);
}

/** The language of the names: the first of the menu. */
const menuLanguage = () => state.menu.languages[0] ?? "";

const lower = (name) => name.charAt(0).toLocaleLowerCase(state.language) + name.slice(1);

export function questionText({ kind, line, group, choices, text }) {
  if (kind === "unavailable") {
    const item = Object.values(state.menu.items).find(({ name, available }) => available === false && text.includes(name))?.name ?? "";
    return t(choices.length ? "question_unavailable" : "question_unavailable_none", { item });
  }
  if (kind === "check" || (kind === "missing" && line !== null && group === null)) return text;
  if (group === null || line === null) return t("question_item");
  return t("question_choice", { item: state.lines[line]?.name ?? "" });
}

export function showQuestions() {
  const idle = state.phase === "idle" && state.placed === null;
  const questions = idle ? [...openChoices(), ...state.itemQuestions] : [];
  const wording = JSON.stringify([state.language, questions, state.lines.map(({ name }) => name)]);
  if ($("questions").dataset.shown === wording) return;
  $("questions").dataset.shown = wording;
  $("questions").replaceChildren(...questions.map(questionElement));
}

function questionElement(question) {
  const { line, group, choices } = question;
  const known = group === null ? state.menu.items : (state.menu.option_groups[group]?.choices ?? {});
  const answers = choices
    .filter((id) => known[id])
    .map((id) => {
      const cost = known[id].price ?? 0;
      const shown = cost ? make("small", {}, `${group === null ? "" : "+"}${price(cost)}`) : null;
      const answer = () => {
        state.itemQuestions = state.itemQuestions.filter((asked) => asked !== question);
        if (group === null) actions.addItem(id);
        else actions.chooseOption(line, group, id);
      };
      return make("button", { type: "button", class: "answer", lang: menuLanguage(), onclick: answer }, known[id].name, shown);
    });
  const skip = () => {
    state.itemQuestions = state.itemQuestions.filter((asked) => asked !== question);
    if (group !== null) actions.removeOption(line, group);
    showQuestions();
  };
  const skipping = make("button", { type: "button", class: "quiet", onclick: skip }, t("not_now"));
  const words = questionText(question);
  return make("div", { class: "question", role: "group", "aria-label": words }, make("p", {}, words), ...answers, skipping);
}

export function showSuggestions() {
  const shown = state.suggestions.map(({ item, name, price: cost, reason }) => {
    const about = reason.item ? state.menu.items[reason.item]?.name : "";
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", "data-item": item, "aria-label": t("add_suggestion", { item: name, price: price(cost) }), onclick: () => actions.addItem(item) },
        make("strong", { lang: menuLanguage() }, name),
        make("span", { class: "cost" }, price(cost)),
        // The service gives its reason in the language of the menu; for others there is a shorter text.
        make("small", {}, state.language === menuLanguage() ? reason.text : t(`reason_${reason.kind}`, { item: lower(about ?? "") })),
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
    const rows = items.map(([id, { name, price: cost, available }]) =>
      make(
        "li",
        {},
        make(
          "button",
          { type: "button", disabled: available === false ? "" : null, onclick: () => actions.addItem(id) },
          make("span", { lang: menuLanguage() }, name),
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
  const spoken = (named) => lower((english && inEnglish(named)) || named.name);
  const many = (words) => (english ? `${words}${/(s|x|ch|sh)$/.test(words) ? "es" : "s"}` : words);
  const items = Object.values(state.menu.items).filter(({ available }) => available !== false);
  const choicesOf = ({ options = [] }) =>
    options.flatMap((id) => {
      const { choices, default: usual } = state.menu.option_groups[id];
      const others = Object.entries(choices).filter(([choice, { name, price: cost = 0 }]) => choice !== usual && cost === 0 && !/\d/.test(name));
      return usual ? others.map(([, choice]) => choice) : [];
    });
  const first = items.find((item) => choicesOf(item).length) ?? items[0];
  const one = items.find(({ category }) => category !== first.category) ?? first;
  const two = items.findLast(({ category }) => category !== first.category && category !== one.category) ?? first;
  const sentences = [t("example_many", { item: spoken(one), other: many(spoken(two)) })];
  if (choicesOf(first).length) sentences.unshift(t("example", { item: many(spoken(first)), choice: spoken(choicesOf(first)[0]) }));
  const buttons = sentences.map((text) => make("button", { type: "button", onclick: () => actions.sendText(text) }, `“${text}”`));
  $("examples").replaceChildren(make("p", {}, t("try_saying")), ...buttons);
}

export function showLevel(level) {
  levels.copyWithin(0, 1);
  levels[levels.length - 1] = level;
  onNextFrame(drawLevelMeter);
}
