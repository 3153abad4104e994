// The view for menus: checks a menu as it is written, serves it to this client, and collects the sentences tried with it as a test file.

import { make } from "./elements.js";
import { $, ordering, service, session, state, t } from "./page_session.js";
import { ServiceError } from "./service.js";
import { lineRequest } from "./state.js";

const MAX_TRIED = 200;
let checked = null; // {faults, doubts, menu} of the last check, null before it; `id`: under which it is served

// `before`: the conversation that the turn was said in.
session.events.addEventListener("turn", ({ detail: { order, text, before } }) => {
  state.tried.push({ menu: state.menu.id, said: text, before, order, isKept: false, right: notation(order.lines) });
  if (state.tried.length > MAX_TRIED) state.tried.shift();
  showTried();
});

/** Check the text; a menu without faults is served to this client under its id, or `try-ID` where the service has that one. */
export async function checkMenu(openMenu) {
  $("menu-summary").textContent = t("menu_checking");
  $("menu-check").disabled = true;
  try {
    checked = await service.request("POST", "try/menu", { text: $("menu-source").value });
    if (checked.menu) {
      checked.id = await serve(checked.menu);
      state.menus = (await service.request("GET", "voice/menus")).menus;
      await openMenu(checked.id);
    }
  } catch (error) {
    checked = null;
    ordering.showError(error);
  } finally {
    $("menu-check").disabled = false;
    showMenuView();
  }
}

async function serve(menu) {
  try {
    return await put(menu);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.error !== "MENU_CONFLICT") throw error;
    return put({ ...menu, id: `try-${menu.id}` });
  }
}

async function put(menu) {
  const path = `voice/menus/${encodeURIComponent(menu.id)}`;
  try {
    await service.request("PUT", path, menu, { "If-None-Match": "*" });
  } catch (error) {
    if (error.error !== "PRECONDITION_FAILED") throw error;
    await service.request("PUT", path, menu, { "If-Match": "*" });
  }
  return menu.id;
}

/** Write the present menu into the text. */
export async function showPresentMenu() {
  try {
    const { menu } = await service.request("GET", `voice/menus/${encodeURIComponent(state.menu.id)}`);
    $("menu-source").value = JSON.stringify(menu, null, 2);
  } catch (error) {
    ordering.showError(error);
  }
}

export function showMenuView() {
  if ($("menu-view").hidden) return;
  showFindings();
  showTried();
}

function showFindings() {
  const { faults = [], doubts = [], id = "" } = checked ?? {};
  const count = faults.length || doubts.filter(({ is_note: isNote }) => !isNote).length;
  $("menu-summary").textContent = checked ? t(faults.length ? "menu_faults" : "menu_doubts", { count, id }) : "";
  const kindOf = ({ is_note: isNote }) => (isNote === undefined ? "fault" : isNote ? "note" : "doubt");
  $("menu-findings").replaceChildren(
    ...[...faults, ...doubts].map((finding) =>
      make(
        "li",
        { "data-kind": kindOf(finding) },
        make("button", { type: "button", onclick: () => goTo(finding) }, `${finding.line}:${finding.column}`),
        make("strong", {}, t(`finding_${kindOf(finding)}`)),
        make("span", {}, finding.msg),
      ),
    ),
  );
}

/** Put the cursor of the text where a finding is. */
function goTo({ line, column }) {
  const source = $("menu-source");
  const lines = source.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0);
  source.focus();
  source.setSelectionRange(start + column - 1, start + (lines[line - 1]?.length ?? 0));
  source.scrollTop = (source.scrollHeight / lines.length) * Math.max(0, line - 4);
}

// --- Sentences ----------------------------------------------------------------------------------------------------------------------

function showTried() {
  if ($("menu-view").hidden || !state.menu) return;
  $("tried-hint").textContent = t("tried_hint", { id: state.menu.id });
  const own = state.tried.filter(({ menu }) => menu === state.menu.id);
  $("tried").replaceChildren(...own.map(triedElement));
  $("tried-download").disabled = !own.some(({ isKept }) => isKept);
}

function triedElement(turn) {
  const box = make("input", { type: "checkbox", onchange: () => ((turn.isKept = box.checked), showTried()) });
  box.checked = turn.isKept;
  const right = make("input", { "aria-label": t("tried_right"), oninput: () => (turn.right = right.value), spellcheck: "false" });
  right.value = turn.right;
  return make(
    "li",
    {},
    make("label", {}, box, make("q", {}, turn.said)),
    right,
    make("p", { lang: turn.order.say.language }, turn.order.say.text),
  );
}

/** Return lines in the notation of `evaluate`. */
function notation(lines) {
  const listed = (options) => (options?.length ? ` [${options.map(option).join(", ")}]` : "");
  const option = ({ choice, alternatives, amount, quantity, options }) =>
    `${amount ? `${amount} ` : ""}${quantity > 1 ? `${quantity}*` : ""}${choice ?? alternatives.join("|")}${listed(options)}`;
  return lines.map(({ item, quantity, options }) => `${quantity > 1 ? `${quantity} x ` : ""}${item}${listed(options)}`).join("; ");
}

/** Return the kept sentences as JSONL, each with the turns of its conversation before it. */
export function testFile() {
  const own = state.tried.filter(({ menu }) => menu === state.menu.id);
  const rows = own.flatMap((turn, at) => {
    if (!turn.isKept) return [];
    const turns = [turn];
    for (let earlier = at - 1; earlier >= 0 && follows(turns[0], own[earlier]); earlier -= 1) turns.unshift(own[earlier]);
    const before = turns[0].before.lines;
    return [{ turns: turns.map((one) => ({ said: one.said, order: rightOf(one) })), ...(before.length ? { before } : {}) }];
  });
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

const rightOf = ({ order, right }) => (right.trim() === notation(order.lines) ? order.lines.map(lineRequest) : right.trim());

/** Tell whether a turn was said in the state that another one left. */
const follows = ({ before }, { order }) =>
  before.questions.length > 0 && JSON.stringify([before.lines, before.questions]) === JSON.stringify([order.lines.map(lineRequest), order.questions]);

export function download() {
  const url = URL.createObjectURL(new Blob([testFile()], { type: "application/jsonl" }));
  make("a", { href: url, download: `${state.menu.id}.jsonl` }).click();
  URL.revokeObjectURL(url);
}
