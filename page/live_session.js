// Push-to-talk: streams the microphone over a WebSocket while the button is held, and shows the partial and final orders.

import { awaitModels, showError } from "./failures.js";
import { Microphone } from "./microphone.js";
import { applyOrder, startOver } from "./order.js";
import { notify, setPhase, showLevel, showOrder, showTalkButton, showTranscript } from "./order_view.js";
import { serviceErrorOf } from "./service.js";
import { $, lineRequest, recognitionLanguage, service, state } from "./state.js";

// A shorter press is a tap: recording goes on until the next one.
const TAP_MS = 350;
// Recording goes on after the release, which often comes before the end of the last word.
const TAIL_MS = 250;
// Shorter recordings contain no word.
const MIN_AUDIO_MS = 250;
// Without a final for so long after the end, the connection counts as broken.
const FINAL_S = 20;
// A microphone below this level for so long counts as muted.
const SILENT_LEVEL = 0.0002;
const SILENT_MS = 2500;
// From this level on audio counts as speech in the timings.
const SPEECH_LEVEL = 0.015;

const microphone = new Microphone(onAudio, () => {
  if (state.phase === "listening") end();
  notify("microphone_lost");
});

export function press() {
  if (state.phase === "listening" && state.handsFree) return end();
  if (state.phase !== "idle") return undefined;
  state.held = true;
  state.pressedAt = performance.now();
  return start();
}

export function release() {
  if (!state.held) return;
  state.held = false;
  if (performance.now() - state.pressedAt < TAP_MS) {
    state.handsFree = true;
    showTalkButton();
  } else if (state.phase === "listening") {
    end();
  }
}

async function start() {
  if (!state.menu) return undefined;
  if (state.placed) startOver();
  const connection = {
    socket: null,
    open: false,
    pieces: [], // audio recorded before the socket is open
    audioMs: 0,
    peak: 0,
    text: "", // of the utterance in progress
    hasText: false,
    endRequested: false,
    endSent: false,
    finals: 0, // after the end command
    partials: 0,
    speechAt: 0,
    releasedAt: 0,
    firstMs: null,
    finalMs: null,
  };
  state.connection = connection;
  setPhase("starting");
  notify(null);
  let running;
  try {
    running = await microphone.open();
  } catch (error) {
    stop(connection);
    notify(microphoneError(error));
    return;
  }
  if (!running || !(state.held || state.handsFree)) {
    stop(connection);
    notify("microphone_ready", {}, "good");
    return;
  }
  state.transcript = { text: "", stable: 0, unmatched: [] };
  state.itemQuestions = [];
  setPhase("listening");
  try {
    const query = { menu: state.menu.id, language: recognitionLanguage(), sample_rate: 16000, encoding: "pcm_s16le" };
    const socket = await service.openLiveSocket(query);
    if (state.connection !== connection) return socket.close();
    connection.socket = socket;
    socket.addEventListener("open", () => onOpen(connection));
    socket.addEventListener("message", ({ data }) => onMessage(connection, JSON.parse(data)));
    socket.addEventListener("close", () => onClose(connection));
  } catch (error) {
    stop(connection);
    showError(error);
  }
}

function microphoneError(error) {
  const words = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "absent", NotSupportedError: "insecure" };
  return `microphone_${words[error.name] ?? "taken"}`;
}

function onAudio({ audio, level }) {
  showLevel(level);
  const connection = state.connection;
  if (!connection || connection.endSent || !["listening", "finishing"].includes(state.phase)) return;
  connection.audioMs += audio.byteLength / 32;
  connection.peak = Math.max(connection.peak, level);
  if (!connection.speechAt && level > SPEECH_LEVEL) connection.speechAt = performance.now();
  if (connection.audioMs > SILENT_MS && connection.peak < SILENT_LEVEL && !state.notice) notify("microphone_silent");
  if (connection.open) {
    service.sendAudio(connection.socket, audio);
  } else {
    connection.pieces.push(audio);
  }
}

function onOpen(connection) {
  connection.open = true;
  service.sendCommand(connection.socket, { type: "lines", lines: state.lines.map(lineRequest) });
  for (const audio of connection.pieces) service.sendAudio(connection.socket, audio);
  connection.pieces = [];
  if (connection.endRequested) sendEnd(connection);
}

export function end() {
  const connection = state.connection;
  setPhase("finishing");
  state.handsFree = false;
  connection.releasedAt = performance.now();
  setTimeout(() => {
    if (state.connection !== connection) return;
    microphone.release();
    if (connection.audioMs < MIN_AUDIO_MS + TAIL_MS) {
      stop(connection);
      notify("too_short", {}, "good");
      return;
    }
    connection.endRequested = true;
    if (connection.open) sendEnd(connection);
    connection.watchdog = setTimeout(() => fail(connection), FINAL_S * 1000);
  }, TAIL_MS);
}

/** Send the end twice: a pause just before may still cause a final, and only the answer to the second end is surely the last. */
function sendEnd(connection) {
  connection.endSent = true;
  service.sendCommand(connection.socket, { type: "end" });
  service.sendCommand(connection.socket, { type: "end" });
}

function onMessage(connection, { code, msg, data }) {
  if (state.connection !== connection) return;
  if (data.type === "partial") {
    connection.text = data.text;
    connection.partials += 1;
    if (connection.firstMs === null && data.text && connection.speechAt) connection.firstMs = Math.round(performance.now() - connection.speechAt);
    state.transcript = { text: data.text, stable: data.stable, unmatched: [] };
    state.preview = { lines: data.lines, total: data.total };
    showTranscript();
    showOrder();
  } else if (data.type === "final") {
    connection.text = "";
    if (data.text) {
      connection.hasText = true;
      if (connection.releasedAt) connection.finalMs = Math.round(performance.now() - connection.releasedAt);
      applyOrder(data, data.text);
    }
    if (connection.endSent) connection.finals += 1;
    if (connection.finals === 2 || (connection.endSent && !data.text)) complete(connection);
  } else if (data.type === "error") {
    stop(connection);
    showError(serviceErrorOf({ code, msg, data }, null));
  }
}

function complete(connection) {
  state.timings = { firstMs: connection.firstMs, finalMs: connection.finalMs, partials: connection.partials };
  stop(connection);
  if (!connection.hasText) notify("silence", {}, "good");
}

/** Handle a close by the server or the network. */
function onClose(connection) {
  if (state.connection !== connection) return;
  if (connection.open) {
    fail(connection);
  } else {
    stop(connection);
    showRejection();
  }
}

/** Put the recognised words into the text field, where they can be sent. */
function fail(connection) {
  state.transcript = null;
  stop(connection);
  if (connection.text) $("text").value = connection.text;
  notify(connection.text ? "cut_with_words" : "cut");
}

function stop(connection) {
  clearTimeout(connection.watchdog);
  state.connection = null;
  state.preview = null;
  state.handsFree = false;
  microphone.release();
  if (connection.socket && connection.socket.readyState < WebSocket.CLOSING) connection.socket.close();
  setPhase("idle");
}

/** Show why the handshake was rejected. Browsers hide the reply: send a moment of silence in an HTTP request to get the same error. */
async function showRejection() {
  const { answered: reached, checks } = await service.readiness();
  if (!reached) return notify("no_answer");
  if (checks.speech === false) return awaitModels();
  try {
    const audio = btoa("\0".repeat(3200));
    await service.request("POST", "voice/speech", { audio, encoding: "pcm_s16le", sample_rate: 16000, menu: state.menu.id });
  } catch (error) {
    return showError(error);
  }
  return notify("cut");
}
