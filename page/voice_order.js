// The element <voice-order menu="…" token-url="…" language="…">: an ordering in any page. docs/element.md describes it.

import { createOrdering } from "./ordering.js";
import { ORDERING_MARKUP } from "./ordering_markup.js";
import { Service, ServiceError } from "./service.js";
import { browserLanguage, createSession } from "./session.js";
import { BrowserStorage } from "./storage.js";
import { TEXTS } from "./texts.js";

const NAME = "voice-order";
// This module is served at /api/v1/voice-order/.
const API = new URL("../", import.meta.url);
const TIMEOUT_MS = 30_000;
// The service may be down for a while, and nobody reloads the page of a kiosk.
const FIRST_RETRY_MS = 2000;
const LAST_RETRY_MS = 60_000;
// With two columns, the menu is open; ordering.css has the same width.
const WIDE_REM = 60;
// If the merchant's backend does not tell how long its token lasts.
const TOKEN_LIFETIME_S = 300;
const TOKEN = /^[\w.-]+$/;
const NO_LOG = { add() {}, addAudio() {} };
const MARKUP = `
<p id="notice" class="notice" role="alert" hidden></p>
<p id="announced" class="hidden" role="status" aria-live="polite"></p>
<div id="order-view" role="group" data-text-label="title" hidden>${ORDERING_MARKUP}</div>
`;

let style = null; // of all elements of the page

/** Return the style sheet; rejects if it cannot be loaded, and is then requested again by the next call. */
function loadStyle() {
  style ??= fetchStyle().catch((error) => {
    style = null;
    throw error;
  });
  return style;
}

async function fetchStyle() {
  const response = await fetch(new URL("ordering.css", import.meta.url), { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => {
    throw new ServiceError(0, "NO_ANSWER", "");
  });
  if (!response.ok) throw new ServiceError(response.status, "NO_STYLE", "");
  return new CSSStyleSheet().replace(await response.text());
}

/** Get {token, expires_in} from the merchant's backend. */
async function fetchToken(url) {
  let reply = null;
  try {
    const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) reply = await response.json();
  } catch {
    // no answer, or no JSON
  }
  if (!TOKEN.test(reply?.token ?? "")) throw new ServiceError(0, "NO_TOKEN", "");
  return { token: reply.token, expiresInS: reply.expires_in > 0 ? reply.expires_in : TOKEN_LIFETIME_S };
}

class VoiceOrder extends HTMLElement {
  static observedAttributes = ["menu", "token-url", "language"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    this.session = null;
  }

  connectedCallback() {
    if (this.session === null) this.open(); // else it was moved
  }

  disconnectedCallback() {
    queueMicrotask(() => this.isConnected || this.close());
  }

  attributeChangedCallback(name, before, after) {
    if (this.session === null || before === after) return;
    if (name === "language") {
      this.session.state.language = this.textLanguage;
      this.ordering.showAll();
    } else {
      this.close();
      this.open();
    }
  }

  get textLanguage() {
    const wanted = this.getAttribute("language")?.toLowerCase().split("-")[0];
    return wanted in TEXTS ? wanted : browserLanguage();
  }

  /** The beginning of the names of what this element stores; elements of one page that have the same menu are told apart by id or by place. */
  get storagePrefix() {
    const others = Array.from(this.getRootNode().querySelectorAll(NAME));
    return `${NAME} ${API.host} ${this.getAttribute("menu")} ${this.id || others.indexOf(this)} `;
  }

  open() {
    const end = new AbortController();
    const { signal } = end;
    const tokenUrl = this.getAttribute("token-url");
    // New elements for each session: what an earlier one still shows is not seen.
    const root = document.createElement("div");
    root.innerHTML = MARKUP;
    this.shadowRoot.replaceChildren(root);
    const session = createSession({
      root,
      service: new Service({ base: API, fetchToken: () => fetchToken(tokenUrl), log: NO_LOG, signal }),
      kept: new BrowserStorage(() => localStorage, this.storagePrefix),
      keptInTab: new BrowserStorage(() => sessionStorage, this.storagePrefix),
      language: this.textLanguage,
      hasTalkKey: false,
      signal,
    });
    const ordering = createOrdering(session, () => ordering.notify("token_rejected"));
    Object.assign(this, { end, session, ordering });
    for (const type of ["order-changed", "order-confirmed"]) {
      session.events.addEventListener(type, () => this.tell(type, session.state));
    }
    this.load(session, ordering);
  }

  close() {
    this.end?.abort();
    this.session = null;
  }

  tell(type, { lines, total, orderId, menu }) {
    const detail = { order_id: orderId, menu: menu.id, lines: lines.map(({ said, ...line }) => line), total, currency: menu.currency };
    this.dispatchEvent(new CustomEvent(type, { detail: structuredClone(detail), bubbles: true, composed: true }));
  }

  /** Open the menu; try again until that succeeds. */
  async load({ $, signal }, ordering) {
    const absent = ["menu", "token-url"].find((name) => !this.getAttribute(name));
    if (absent) return ordering.notify("attribute_absent", { name: absent });
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      try {
        this.shadowRoot.adoptedStyleSheets = [await loadStyle()];
        await ordering.openMenu(this.getAttribute("menu"));
        if (signal.aborted) return undefined;
        $("order-view").hidden = false;
        $("menu-list").open = this.clientWidth >= WIDE_REM * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
        ordering.notify(null);
        return ordering.checkModels();
      } catch (error) {
        if (signal.aborted) return undefined;
        ordering.showError(error);
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (signal.aborted) return undefined;
    }
  }
}

if (!customElements.get(NAME)) customElements.define(NAME, VoiceOrder);
