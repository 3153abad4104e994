// What the modules of one ordering share. A page may have several, each with elements, state and storage of its own.

import { Speech } from "./speech.js";
import { newState } from "./state.js";
import { money, textOf, TEXTS } from "./texts.js";

/** The language of the browser if there are texts in it. */
export const browserLanguage = () => (navigator.languages.some((tag) => tag.startsWith("vi")) ? "vi" : "en");

/**
 * Create a session. `root`: the document or the element that has its elements. `kept`, `keptInTab`: a `BrowserStorage`. `hasTalkKey`: whether the
 * space bar talks wherever the focus is. `signal`: aborts at its end.
 *
 * Its `events` are `turn`, with {order, text, before}, `order-changed` and `order-confirmed`. Its `actions`, which buttons call, are filled in by
 * order.js: addItem(item), changeQuantity(line, by), sendText(text, question); and by live_session.js: attend(), sendState(), pause(), abandon().
 */
export function createSession({ root, service, kept, keptInTab, language, hasTalkKey, signal }) {
  const state = newState(language, kept.get("spoken") ?? "");
  const focused = () => root.getRootNode().activeElement ?? null;
  const menuLanguage = () => state.menu.languages[0] ?? "";
  return {
    root,
    $: (id) => root.querySelector(`#${id}`),
    service,
    kept,
    keptInTab,
    hasTalkKey,
    signal,
    state,
    speech: new Speech(kept),
    events: new EventTarget(),
    actions: {},

    t: (key, values) => textOf(state.language, key, values),
    price: (amount) => money(state.language, state.menu.currency, amount),
    /** The chosen language if the menu has it; "" to detect it. */
    recognitionLanguage: () => (state.menu?.languages.includes(state.spoken) ? state.spoken : ""),
    /** The language of the names: the first of the menu. */
    menuLanguage,
    /** The language of an answer that a button gives: the shop's. */
    answerLanguage: () => (state.replyLanguage in TEXTS ? state.replyLanguage : state.language),
    /** True if buttons may change the order: no request is under way, and the microphone is closed or only waits for the next turn. */
    canEdit: () => !state.busy && !state.placing && (state.phase === "idle" || (state.phase === "listening" && state.handsFree)),
    /** The name of an item, a group or a choice, in the language if the menu has it. */
    nameOf: ({ name, names }, of = state.language) => names[of] ?? name,
    /** The language of that name. */
    nameLanguage: ({ names }, of = state.language) => (names[of] ? of : menuLanguage()),
    /** A choice of a group; undefined if the menu has none of this id. */
    choiceOf: (group, choice) => state.menu.option_groups[group]?.choices[choice],
    /** The element that has the focus; null if none of this session has it. */
    focused,
    /** Focus an element, unless the customer is in another part of the page. */
    focus(element, options) {
      if (focused() || document.activeElement === document.body) element.focus(options);
    },
  };
}
