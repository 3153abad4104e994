// Entry point of the page to try the service with: binds what only the page has. The other modules:
//
// of the page: page_session.js (credentials), frames_view.js (for developers), menu_view.js (for menus);
// of each ordering, which the element voice_order.js has too: ordering.js puts together session.js and state.js (what they share),
// live_session.js (speaking), conversation.js and conversation_view.js (turns and questions), order.js and order_view.js (the order),
// controls.js, ordering_markup.js, failures.js (error notices), level_meter.js, microphone.js and audio_worklet.js (recording),
// speech.js and barge_in.js (the shop's voice), service.js (requests), storage.js, texts.js (both languages), elements.js.

import { make } from "./elements.js";
import { showExplanation, showFrames, showView } from "./frames_view.js";
import { checkMenu, download, showMenuView, showPresentMenu } from "./menu_view.js";
import { $, askCredentials, log, ordering, service, session, signIn, state, t } from "./page_session.js";
import { TEXTS } from "./texts.js";

const { actions, kept, speech } = session;
const { sendText, showAll, showError } = ordering;

async function load() {
  try {
    state.menus = (await service.request("GET", "voice/menus")).menus;
    const wanted = state.menus.find(({ id }) => id === kept.get("menu")) ?? state.menus[0];
    await openMenu(wanted.id);
    await ordering.checkModels();
  } catch (error) {
    showError(error);
  }
}

async function openMenu(id) {
  await ordering.openMenu(id);
  kept.set("menu", id);
  showMenus();
  showMenuView();
}

function showMenus() {
  $("menu").replaceChildren(...state.menus.map(({ id, name }) => make("option", { value: id }, name)));
  $("menu").value = state.menu.id;
}

function showLanguage() {
  document.documentElement.lang = state.language;
  document.title = t("title");
  for (const language of Object.keys(TEXTS)) $(`in-${language}`).setAttribute("aria-pressed", String(language === state.language));
}

// The space bar talks wherever it does nothing else; on the button itself it does so everywhere (controls.js).
const usesKeys = (element) => element.closest("input, select, textarea, button, summary, a, dialog, pre") !== null;
const isTalkKey = ({ target, key, ctrlKey, altKey, metaKey }) =>
  !$("order-view").hidden && !ctrlKey && !altKey && !metaKey && key === " " && !usesKeys(target);
document.addEventListener("keydown", (event) => {
  if (!isTalkKey(event)) return;
  event.preventDefault();
  if (!event.repeat) ordering.press();
});

$("menu").addEventListener("change", () => {
  actions.abandon();
  speech.stop();
  openMenu($("menu").value).catch(showError);
});
for (const language of Object.keys(TEXTS)) {
  $(`in-${language}`).addEventListener("click", () => {
    state.language = language;
    kept.set("language", language);
    showLanguage();
    showAll();
    showFrames();
    showExplanation();
    showMenuView();
  });
}
for (const view of ["frames", "menu"]) {
  $(`show-${view}`).addEventListener("click", () => showView($(`${view}-view`).hidden ? view : "order"));
}
$("menu-check").addEventListener("click", () => checkMenu(openMenu));
$("menu-served").addEventListener("click", showPresentMenu);
$("menu-upload").addEventListener("click", () => $("menu-file").click());
$("menu-file").addEventListener("change", async () => {
  const [file] = $("menu-file").files;
  if (!file) return;
  $("menu-source").value = await file.text();
  $("menu-file").value = ""; // the same file may be chosen again
  checkMenu(openMenu);
});
$("trying").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("trying-text").value.trim();
  if (!text) return;
  $("trying-text").value = "";
  sendText(text);
});
$("trying-speak").addEventListener("click", () => {
  showView("order");
  $("talk").focus();
});
$("tried-download").addEventListener("click", download);
$("sign-in").addEventListener("click", () => askCredentials(false));
$("credentials").addEventListener("close", () => {
  if ($("credentials").returnValue !== "sign-in") return;
  signIn({ secret_id: $("secret-id").value, secret_key: $("secret-key").value });
  load();
});
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(JSON.stringify(log.entries, null, 2));
  $("copy").textContent = t("copied");
  setTimeout(() => ($("copy").textContent = t("copy")), 1500);
});
$("clear").addEventListener("click", () => log.clear());

$("menu-list").open = matchMedia("(min-width: 60rem)").matches;
showLanguage();
load();
