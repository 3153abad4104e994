// The session of the page, which orders with the id and key of a client.

import { createOrdering } from "./ordering.js";
import { ORDERING_MARKUP } from "./ordering_markup.js";
import { Log, Service } from "./service.js";
import { browserLanguage, createSession } from "./session.js";
import { BrowserStorage } from "./storage.js";

document.getElementById("order-view").innerHTML = ORDERING_MARKUP;

export const log = new Log();
const { signal } = new AbortController(); // the page's session ends with the page
const kept = new BrowserStorage(() => localStorage);
const keptInTab = new BrowserStorage(() => sessionStorage);

/** Return the id and key of the client, which are kept in this tab only. */
export const credentials = () => JSON.parse(keptInTab.get("credentials")) ?? { secret_id: "demo", secret_key: "demo-secret" };

export function signIn(pair) {
  keptInTab.set("credentials", JSON.stringify(pair));
  service.forgetToken();
}

async function fetchToken() {
  const { access_token: token, expires_in: expiresInS } = await service.fetchJson("POST", "auth/token", credentials(), {});
  return { token, expiresInS };
}

export const service = new Service({ base: document.baseURI, fetchToken, log, signal });
const language = kept.get("language") ?? browserLanguage();
export const session = createSession({ root: document, service, kept, keptInTab, language, hasTalkKey: true, signal });
export const { $, state, t } = session;
export const ordering = createOrdering(session, () => askCredentials(true));

// What only the page has.
state.menus = [];
state.tried = []; // turns with the menus of this page's life: {menu, said, before, order, isKept, right}
state.lastUtterance = null; // {text, before: the conversation, explain}

export function askCredentials(wrong) {
  const { secret_id: id, secret_key: key } = credentials();
  $("secret-id").value = id;
  $("secret-key").value = key;
  $("credentials-refused").textContent = wrong ? t("credentials_refused") : "";
  if (!$("credentials").open) $("credentials").showModal();
}
