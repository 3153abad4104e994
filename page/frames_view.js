// The developers' view: how the last utterance was read, and the requests, replies and frames as sent and received.

import { make, onNextFrame } from "./elements.js";
import { showMenuView } from "./menu_view.js";
import { $, log, service, session, state, t } from "./page_session.js";
import { ServiceError } from "./service.js";

const shownFrames = new Map();

export function showFrames() {
  if ($("frames-view").hidden) return;
  const { firstMs, finalMs, partials } = state.timings ?? {};
  $("timings").textContent = state.timings
    ? [
        firstMs ? t("timing_first", { ms: firstMs }) : "",
        finalMs ? t("timing_final", { ms: finalMs }) : "",
        t("timing_partials", { count: partials }),
      ]
        .filter(Boolean)
        .join(" · ")
    : "";
  $("frames-empty").hidden = log.entries.length > 0;
  const ids = new Set(log.entries.map(({ id }) => id));
  for (const [id, element] of shownFrames) {
    if (!ids.has(id)) {
      element.remove();
      shownFrames.delete(id);
    }
  }
  for (const entry of log.entries) {
    if (!shownFrames.has(entry.id)) {
      const element = frameElement(entry);
      shownFrames.set(entry.id, element);
      $("frames").append(element);
    }
    if (entry.audio) shownFrames.get(entry.id).querySelector(".frame-title").textContent = entry.title;
  }
}

function frameElement({ at, direction, title, content }) {
  const head = [
    make("span", { class: "frame-direction" }, direction === "out" ? "→" : "←"),
    make("time", {}, at.toISOString().slice(11, 23)),
    make("span", { class: "frame-title" }, title),
  ];
  if (content === undefined) return make("li", { class: direction }, make("div", { class: "frame" }, ...head));
  const line = JSON.stringify(content);
  const body = make("pre", { tabindex: "0" });
  const details = make(
    "details",
    { class: "frame", ontoggle: () => (body.textContent ||= JSON.stringify(content, null, 2)) },
    make("summary", {}, ...head, make("code", {}, line.length > 160 ? `${line.slice(0, 160)}…` : line)),
    body,
  );
  return make("li", { class: direction }, details);
}

/** Show how the last utterance was read; ask the service for it only while this view is shown. */
export async function showExplanation() {
  const said = state.turns.length ? state.lastUtterance : null;
  $("explained").hidden = $("frames-view").hidden || said === null;
  if ($("explained").hidden) return;
  $("explained-text").textContent = said.text;
  if (said.explain === null) {
    said.explain = ""; // asked once
    try {
      const body = { menu: state.menu.id, text: said.text, ...said.before, explain: true };
      said.explain = (await service.request("POST", "voice/order", body)).explain ?? "";
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error; // it is in the frames
    }
  }
  if (said !== state.lastUtterance) return;
  const { explain } = said;
  $("explanation").textContent = (typeof explain === "string" ? explain : JSON.stringify(explain, null, 2)) || t("explained_none");
}

/** Show one of the views: order, frames, menu. */
export function showView(name) {
  for (const view of ["order", "frames", "menu"]) {
    $(`${view}-view`).hidden = view !== name;
    if (view !== "order") $(`show-${view}`).setAttribute("aria-pressed", String(view === name));
  }
  showMenuView();
  showFrames();
  showExplanation();
}

session.events.addEventListener("turn", ({ detail: { text, before } }) => {
  state.lastUtterance = { text, before, explain: null };
  showExplanation();
});
log.onChange = () => onNextFrame(showFrames);
