// Entry point of the page: binds the controls. The other modules:
// live_session.js (speaking), conversation.js and conversation_view.js (turns and questions), order.js and order_view.js (the order),
// speech.js and barge_in.js (the shop's voice), frames_view.js (for developers), menu_view.js (for menus), service.js (requests), state.js, texts.js (both languages),
// microphone.js and audio_worklet.js (recording), level_meter.js, failures.js (error notices), elements.js.

import { forget, restore } from "./conversation.js";
import { askCredentials, awaitModels, showError } from "./failures.js";
import { showExplanation, showFrames, showView } from "./frames_view.js";
import { checkMenu, download, showMenuView, showPresentMenu } from "./menu_view.js";
import { end, press, release } from "./live_session.js";
import { loadSuggestions, placeOrder, sendText, startOver, undo } from "./order.js";
import { actions, showAll } from "./order_view.js";
import { speech } from "./speech.js";
import { $, log, service, state, stored, t, withPlainNames } from "./state.js";
import { TEXTS } from "./texts.js";

async function load() {
  try {
    state.menus = (await service.request("GET", "voice/menus")).menus;
    const wanted = state.menus.find(({ id }) => id === stored("menu")) ?? state.menus[0];
    await openMenu(wanted.id);
    const { checks } = await service.readiness();
    if (checks.speech === false) awaitModels();
  } catch (error) {
    showError(error);
  }
}

async function openMenu(id) {
  state.menu = withPlainNames((await service.request("GET", `voice/menus/${id}`)).menu);
  localStorage.setItem("menu", id);
  if (!restore()) forget();
  showAll();
  showMenuView();
  loadSuggestions();
}

const usesKeys = (element) => element.closest("input, select, textarea, button, summary, a, dialog, pre") !== null;

$("talk").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  $("talk").setPointerCapture(event.pointerId);
  press();
});
$("talk").addEventListener("pointerup", release);
$("talk").addEventListener("pointercancel", release);
$("talk").addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch would open it
// Assistive technology sends a click without pointer events.
$("talk").addEventListener("click", (event) => {
  if (event.detail !== 0) return;
  press();
  release();
});

const isTalkKey = (event) =>
  !$("order-view").hidden &&
  !event.ctrlKey &&
  !event.altKey &&
  !event.metaKey &&
  (event.target === $("talk") ? [" ", "Enter"].includes(event.key) : event.key === " " && !usesKeys(event.target));
document.addEventListener("keydown", (event) => {
  if (isTalkKey(event)) {
    event.preventDefault();
    if (!event.repeat) press();
  } else if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.target.closest("input")) {
    event.preventDefault();
    undo();
  }
});
document.addEventListener("keyup", (event) => {
  if (event.key === " " || event.key === "Enter") {
    if (event.target === $("talk")) event.preventDefault();
    release();
  }
});
document.addEventListener("visibilitychange", () => {
  state.held = false;
  if (!document.hidden) return;
  speech.stop();
  if (state.phase === "listening") end();
});

$("typing").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text) sendText(text);
});
$("voice").addEventListener("click", () => {
  speech.turn(!speech.isOn);
  showAll();
});
$("undo").addEventListener("click", undo);
$("restart").addEventListener("click", startOver);
$("place").addEventListener("click", placeOrder);
$("again").addEventListener("click", () => {
  startOver();
  $("talk").focus();
});
$("menu").addEventListener("change", () => {
  actions.abandon();
  speech.stop();
  openMenu($("menu").value).catch(showError);
});
$("spoken").addEventListener("change", () => {
  state.spoken = $("spoken").value;
  localStorage.setItem("spoken", state.spoken);
  actions.pause(); // the language belongs to the connection
});
for (const language of Object.keys(TEXTS)) {
  $(`in-${language}`).addEventListener("click", () => {
    state.language = language;
    localStorage.setItem("language", language);
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
  service.credentials = { secret_id: $("secret-id").value, secret_key: $("secret-key").value };
  load();
});
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(JSON.stringify(log.entries, null, 2));
  $("copy").textContent = t("copied");
  setTimeout(() => ($("copy").textContent = t("copy")), 1500);
});
$("clear").addEventListener("click", () => log.clear());

$("menu-list").open = matchMedia("(min-width: 60rem)").matches;
showAll();
load();
