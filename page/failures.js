// Notices for failed requests.

import { notify } from "./order_view.js";
import { ServiceError } from "./service.js";
import { $, service, state, t } from "./state.js";

const READY_POLL_MS = 1500;
// If an error has no Retry-After.
const RETRY_S = 5;

export function showError(error) {
  if (!(error instanceof ServiceError)) throw error;
  const { status, retryAfterS } = error;
  const seconds = retryAfterS ?? RETRY_S;
  if (status === 0) return notify("no_answer");
  if (status === 503) return notify("busy", { seconds }, "wait", seconds);
  if (status === 429) return notify("limited", { seconds }, "wait", seconds);
  if (status === 403) return notify("forbidden");
  if (error.error === "AUDIO_TOO_LONG") return notify("too_long");
  if (error.error === "MENU_NOT_FOUND") return notify("menu_gone");
  if (status === 401 || ["INVALID_CREDENTIALS", "SECRET_ID_INVALID", "SECRET_KEY_INVALID"].includes(error.error)) {
    return askCredentials(true);
  }
  return notify("failed", { message: error.message });
}

export async function awaitModels() {
  notify("loading", {}, "wait");
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    const { checks } = await service.readiness();
    if (checks.speech) return state.notice?.key === "loading" && notify("loaded", {}, "good");
  }
}

export function askCredentials(wrong) {
  const { secret_id: id, secret_key: key } = service.credentials;
  $("secret-id").value = id;
  $("secret-key").value = key;
  $("credentials-refused").textContent = wrong ? t("credentials_refused") : "";
  if (!$("credentials").open) $("credentials").showModal();
}
