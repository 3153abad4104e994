// The page: what is said becomes an order before the eyes. Here is what people do with it; the rest is in
// talk.js (speaking), order.js, view.js, frames.js (the second view), calls.js (the service) and words.js (both languages).

import { showFrames, showView } from "./frames.js";
import { place, sendText, startOver, undo } from "./order.js";
import { $, kept, log, service, state, t } from "./state.js";
import { end, letGo, press } from "./talk.js";
import { askCredentials, awaitSpeech, refused } from "./trouble.js";
import { showAll } from "./view.js";
import { WORDS } from "./words.js";

async function load() {
  try {
    state.menus = (await service.ask("GET", "voice/menus")).menus;
    const wanted = state.menus.find(({ id }) => id === kept("menu")) ?? state.menus[0];
    await openMenu(wanted.id);
    const { checks } = await service.ready();
    if (checks.speech === false) awaitSpeech();
  } catch (error) {
    refused(error);
  }
}

async function openMenu(id) {
  state.menu = (await service.ask("GET", `voice/menus/${id}`)).menu;
  localStorage.setItem("menu", id);
  startOver();
  showAll();
}

const takesKeys = (element) => element.closest("input, select, textarea, button, summary, a, dialog, pre") !== null;

$("talk").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  $("talk").setPointerCapture(event.pointerId);
  press();
});
$("talk").addEventListener("pointerup", letGo);
$("talk").addEventListener("pointercancel", letGo);
$("talk").addEventListener("contextmenu", (event) => event.preventDefault()); // what a long touch would open
// Assistive technology clicks without pressing.
$("talk").addEventListener("click", (event) => {
  if (event.detail !== 0) return;
  press();
  letGo();
});

const isTalkKey = (event) =>
  !$("order-view").hidden &&
  !event.ctrlKey &&
  !event.altKey &&
  !event.metaKey &&
  (event.target === $("talk") ? [" ", "Enter"].includes(event.key) : event.key === " " && !takesKeys(event.target));
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
    letGo();
  }
});
document.addEventListener("visibilitychange", () => {
  state.held = false;
  if (document.hidden && state.phase === "listening") end();
});

$("typing").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text) sendText(text);
});
$("undo").addEventListener("click", undo);
$("place").addEventListener("click", place);
$("again").addEventListener("click", () => {
  startOver();
  $("talk").focus();
});
$("menu").addEventListener("change", () => openMenu($("menu").value).catch(refused));
$("spoken").addEventListener("change", () => {
  state.spoken = $("spoken").value;
  localStorage.setItem("spoken", state.spoken);
});
for (const language of Object.keys(WORDS)) {
  $(`in-${language}`).addEventListener("click", () => {
    state.language = language;
    localStorage.setItem("language", language);
    showAll();
    showFrames();
  });
}
$("show-frames").addEventListener("click", () => showView($("frames-view").hidden));
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
