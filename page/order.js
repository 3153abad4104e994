// Turns of the conversation, edits by buttons, placing the order, suggestions.

import { ServiceError } from "./service.js";
import { conversationRequest } from "./state.js";

const MAX_SUGGESTIONS = 4;
// A text that orders nothing, so that the service only prices the lines.
const NO_TEXT = ".";
// So few words may belong to any language: the reply keeps the language of the one before.
const MAX_UNTELLING_WORDS = 2;

/** Return a random UUID; crypto.randomUUID does not exist on plain http. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Create the turns, edits and suggestions of a session. */
export function createOrder(session, { conversation, conversationView, orderView, failures }) {
  const { root, $, state, service, speech, events, actions, canEdit, nameOf, price, recognitionLanguage, t } = session;
  const { addTurn, adopt, forget, restorePrevious, save, withLine } = conversation;
  const { announce, notify, showOrder, showPhase, showSuggestions } = orderView;
  const { showTurns } = conversationView;
  const { showError } = failures;

  /** Show a turn that the service has understood; return the shop's sentence. `before`: the conversation it was said in. */
  function takeTurn(order, text, before) {
    const turn = addTurn({ who: "customer", text, unmatched: order.unmatched });
    addTurn({ who: "shop", text: order.say.text, language: order.say.language });
    state.hearing = state.preview = null;
    const hadLines = orderedItems();
    adopt(order, turn);
    showConversation();
    if ($("log").checkVisibility()) $("log").scrollIntoView({ block: "nearest" }); // to the shop's sentence
    events.dispatchEvent(new CustomEvent("turn", { detail: { order, text, before } }));
    if (orderedItems() !== hadLines) loadSuggestions();
    announce(t("said_total", { total: price(state.total) }));
    if (order.status === "handoff") {
      notify("handoff", {}, "wait");
      actions.pause();
    }
    if (order.status === "confirmed") placeOrder();
    return order.say;
  }

  function speak(sentence) {
    if (!speech.speak(sentence)) {
      const names = new Intl.DisplayNames([state.language], { type: "language" });
      notify("no_voice", { language: names.of(sentence.language) }, "good");
    }
  }

  function showConversation() {
    showTurns();
    showOrder();
  }

  const orderedItems = () => JSON.stringify(state.lines.map(({ item, quantity }) => [item, quantity]));

  function requestTurn(text, conversation, replyLanguage) {
    const language = replyLanguage ? { reply_language: replyLanguage } : {};
    return service.request("POST", "voice/order", { menu: state.menu.id, text, ...conversation, ...language });
  }

  /** Return the language to reply in: the chosen one; after few words that of the reply before; null: the service decides. */
  const replyLanguageFor = (text) =>
    recognitionLanguage() || (text.trim().split(/\s+/).length <= MAX_UNTELLING_WORDS ? state.replyLanguage : null);

  /** Take a typed turn, or one from a button, which answers `question`. */
  async function sendText(text, question = null) {
    if (!canEdit() || !state.menu) return;
    if (state.placed) startOver();
    actions.attend();
    speech.stop();
    state.busy = true;
    notify(null);
    showPhase();
    try {
      const before = conversationRequest(state);
      // The first question is the one that an answer goes to.
      if (question) before.questions = [question, ...state.questions.filter((other) => other !== question)];
      const order = await requestTurn(text, before, question ? state.replyLanguage : replyLanguageFor(text));
      if (!question) $("text").value = "";
      if (matchMedia("(pointer: coarse)").matches) $("text").blur(); // the keyboard would cover the order
      const sentence = takeTurn(order, text, before);
      actions.sendState();
      speak(sentence);
    } catch (error) {
      showError(error);
    } finally {
      state.busy = false;
      showPhase();
    }
  }

  /** Let the service price changed lines, and ask what they lack. */
  async function changeLines(conversation) {
    if (!canEdit()) return;
    if (state.placed) startOver();
    actions.attend();
    speech.stop();
    state.busy = true;
    try {
      const request = conversationRequest({ ...state, ...conversation });
      // A button is no turn that leaves questions unanswered.
      request.questions = request.questions.map((question) => ({ ...question, times: 0 }));
      const asked = state.questions[0]?.text;
      const order = await requestTurn(NO_TEXT, request, state.replyLanguage ?? recognitionLanguage());
      notify(null);
      const first = order.questions[0];
      adopt({ ...order, status: first?.blocks ? "asking" : "open" }, null);
      const isNew = first?.blocks && first.text !== asked;
      if (isNew) addTurn({ who: "shop", text: first.text, language: order.say.language });
      save();
      actions.sendState();
      showConversation();
      loadSuggestions();
      announce(t("said_total", { total: price(state.total) }));
      if (isNew) speak({ text: first.text, language: order.say.language });
    } catch (error) {
      showError(error);
    } finally {
      state.busy = false;
      showPhase();
    }
  }

  function changeQuantity(index, by) {
    const line = state.lines[index];
    const quantity = line.quantity + by;
    changeLines(withLine(index, quantity > 0 ? { ...line, quantity } : null));
  }

  function addItem(item) {
    const lines = state.placed ? [] : state.lines;
    const index = lines.findIndex((line) => line.item === item && line.options.length === 0);
    if (index >= 0) return changeQuantity(index, 1);
    return changeLines({ lines: [...lines, { item, quantity: 1, options: [] }] });
  }

  function undo() {
    if (!canEdit() || state.placed || !restorePrevious()) return;
    speech.stop();
    actions.sendState();
    showConversation();
    loadSuggestions();
    announce(t("said_total", { total: price(state.total) }));
  }

  // --- Placing ------------------------------------------------------------------------------------------------------------------------

  /** Store the order, or show what it lacks: the server knows the options, the page the questions about anything else. */
  async function placeOrder() {
    if (state.placing || !state.lines.length || state.placed) return;
    const others = state.questions.filter(({ blocks, group, line }) => blocks && (group === null || line === null));
    if (others.length) return showMissing(state.questions.filter(({ blocks }) => blocks).map(({ text }) => text));
    state.placing = true;
    state.orderId ??= newId();
    save(); // if the reply is lost with the page, the next attempt has the same id
    state.missing = [];
    notify(null);
    showOrder();
    try {
      const { lines, notes } = conversationRequest(state);
      const body = { menu: state.menu.id, lines, notes };
      state.placed = await service.request("PUT", `voice/order/${state.orderId}`, body);
      state.total = state.placed.total;
      announce(`${t("placed")}. ${t("said_total", { total: price(state.total) })}`);
      events.dispatchEvent(new Event("order-confirmed"));
      actions.pause();
    } catch (error) {
      if (error.error === "ORDER_INCOMPLETE") showMissing(error.errors.map(missingSentence));
      else showError(error);
    } finally {
      state.placing = false;
      save();
      showOrder();
      if (state.placed) session.focus($("again"));
    }
  }

  function showMissing(sentences) {
    state.missing = [...new Set(sentences)];
    showOrder();
    const first = root.querySelector("#questions button");
    if (first) session.focus(first, { preventScroll: true });
  }

  /** Put an error at ["lines", index, "options", group] into a sentence. */
  function missingSentence({ loc }) {
    const line = state.lines[loc[1]];
    const group = state.menu.option_groups[loc[3]];
    return t("missing_choice", { item: line?.name ?? "", group: group ? nameOf(group, state.language) : loc[3] });
  }

  function startOver() {
    speech.stop();
    forget();
    actions.sendState();
    showConversation();
    loadSuggestions();
  }

  // --- Suggestions --------------------------------------------------------------------------------------------------------------------

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

  Object.assign(actions, { addItem, changeQuantity, sendText });
  return { takeTurn, speak, sendText, undo, placeOrder, startOver, loadSuggestions };
}
