// Notices for failed requests.

import { ServiceError } from "./service.js";

const READY_POLL_MS = 1500;
// If an error has no Retry-After.
const RETRY_S = 5;
const REJECTED = ["INVALID_CREDENTIALS", "SECRET_ID_INVALID", "SECRET_KEY_INVALID"];

/** Create the notices of a session. `reject` is called if the service rejects the credentials. */
export function createFailures({ state, service, signal }, { notify }, reject) {
  function showError(error) {
    if (!(error instanceof ServiceError)) throw error;
    if (signal.aborted) return undefined;
    const { status, retryAfterS } = error;
    const seconds = retryAfterS ?? RETRY_S;
    if (error.error === "NO_TOKEN") return notify("token_absent");
    if (status === 0) return notify("no_answer");
    if (status === 503) return notify("busy", { seconds }, "wait", seconds);
    if (status === 429) return notify("limited", { seconds }, "wait", seconds);
    if (status === 403) return notify("forbidden");
    if (error.error === "AUDIO_TOO_LONG") return notify("too_long");
    if (error.error === "MENU_NOT_FOUND") return notify("menu_gone");
    if (status === 401 || REJECTED.includes(error.error)) return reject();
    return notify("failed", { message: error.message });
  }

  async function awaitModels() {
    notify("loading", {}, "wait");
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
      const { checks } = await service.readiness();
      if (checks.speech) return state.notice?.key === "loading" && notify("loaded", {}, "good");
    }
    return undefined;
  }

  return { showError, awaitModels };
}
