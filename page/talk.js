// Speaking: from the press of the button to the end of the sentence.

import { refusalOf } from "./calls.js";
import { Microphone } from "./microphone.js";
import { startOver, take } from "./order.js";
import { $, bare, service, spokenLanguage, state } from "./state.js";
import { awaitSpeech, refused } from "./trouble.js";
import { notify, setPhase, showHeard, showLevel, showOrder, showTalk } from "./view.js";

// A press shorter than this is a tap: it begins to listen until the next one.
const TAP_MS = 350;
// People let go while the last word still sounds.
const TAIL_MS = 250;
// Less than this is no word.
const MIN_SOUND_MS = 250;
// Whoever waits longer for the end of a sentence that was understood on the way waits for something that broke.
const FINAL_S = 20;
// A microphone that gives less than this, for so long, is muted.
const SILENT_LEVEL = 0.0002;
const SILENT_MS = 2500;
// Louder than this is taken for speech in the timings.
const SPEECH_LEVEL = 0.015;

const microphone = new Microphone(takePiece, () => {
  if (state.phase === "listening") end();
  notify("microphone_lost");
});

export function press() {
  if (state.phase === "listening" && state.handsFree) return end();
  if (state.phase !== "idle") return undefined;
  state.held = true;
  state.pressedAt = performance.now();
  return begin();
}

export function letGo() {
  if (!state.held) return;
  state.held = false;
  if (performance.now() - state.pressedAt < TAP_MS) {
    state.handsFree = true;
    showTalk();
  } else if (state.phase === "listening") {
    end();
  }
}

async function begin() {
  if (!state.menu) return undefined;
  if (state.placed) startOver();
  const talk = {
    socket: null,
    open: false,
    pieces: [], // until it is open
    soundMs: 0,
    peak: 0,
    text: "", // of the utterance that is being heard
    said: false,
    endWanted: false,
    endSent: false,
    finals: 0, // since then
    partials: 0,
    spokeAt: 0,
    letGoAt: 0,
    firstMs: null,
    finalMs: null,
  };
  state.talk = talk;
  setPhase("starting");
  notify(null);
  let running;
  try {
    running = await microphone.open();
  } catch (error) {
    stop(talk);
    notify(microphoneTrouble(error));
    return;
  }
  if (!running || !(state.held || state.handsFree)) {
    stop(talk);
    notify("microphone_ready", {}, "good");
    return;
  }
  state.heard = { text: "", stable: 0, unmatched: [] };
  state.asked = [];
  setPhase("listening");
  try {
    const query = { menu: state.menu.id, language: spokenLanguage(), sample_rate: 16000, encoding: "pcm_s16le" };
    const socket = await service.openLive(query);
    if (state.talk !== talk) return socket.close();
    talk.socket = socket;
    socket.addEventListener("open", () => opened(talk));
    socket.addEventListener("message", ({ data }) => answered(talk, JSON.parse(data)));
    socket.addEventListener("close", () => closed(talk));
  } catch (error) {
    stop(talk);
    refused(error);
  }
}

function microphoneTrouble(error) {
  const words = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "absent", NotSupportedError: "insecure" };
  return `microphone_${words[error.name] ?? "taken"}`;
}

function takePiece({ sound, level }) {
  showLevel(level);
  const talk = state.talk;
  if (!talk || talk.endSent || !["listening", "finishing"].includes(state.phase)) return;
  talk.soundMs += sound.byteLength / 32;
  talk.peak = Math.max(talk.peak, level);
  if (!talk.spokeAt && level > SPEECH_LEVEL) talk.spokeAt = performance.now();
  if (talk.soundMs > SILENT_MS && talk.peak < SILENT_LEVEL && !state.notice) notify("microphone_silent");
  if (talk.open) {
    service.sendSound(talk.socket, sound);
  } else {
    talk.pieces.push(sound);
  }
}

function opened(talk) {
  talk.open = true;
  service.sendFrame(talk.socket, { type: "lines", lines: state.lines.map(bare) });
  for (const sound of talk.pieces) service.sendSound(talk.socket, sound);
  talk.pieces = [];
  if (talk.endWanted) sendEnd(talk);
}

export function end() {
  const talk = state.talk;
  setPhase("finishing");
  state.handsFree = false;
  talk.letGoAt = performance.now();
  setTimeout(() => {
    if (state.talk !== talk) return;
    microphone.release();
    if (talk.soundMs < MIN_SOUND_MS + TAIL_MS) {
      stop(talk);
      notify("too_short", {}, "good");
      return;
    }
    talk.endWanted = true;
    if (talk.open) sendEnd(talk);
    talk.watchdog = setTimeout(() => lost(talk), FINAL_S * 1000);
  }, TAIL_MS);
}

/** Say it twice: a pause just before may still be answered, and only the answer to the second tells that nothing more comes. */
function sendEnd(talk) {
  talk.endSent = true;
  service.sendFrame(talk.socket, { type: "end" });
  service.sendFrame(talk.socket, { type: "end" });
}

function answered(talk, { code, msg, data }) {
  if (state.talk !== talk) return;
  if (data.type === "partial") {
    talk.text = data.text;
    talk.partials += 1;
    if (talk.firstMs === null && data.text && talk.spokeAt) talk.firstMs = Math.round(performance.now() - talk.spokeAt);
    state.heard = { text: data.text, stable: data.stable, unmatched: [] };
    state.preview = { lines: data.lines, total: data.total };
    showHeard();
    showOrder();
  } else if (data.type === "final") {
    talk.text = "";
    if (data.text) {
      talk.said = true;
      if (talk.letGoAt) talk.finalMs = Math.round(performance.now() - talk.letGoAt);
      take(data, data.text);
    }
    if (talk.endSent) talk.finals += 1;
    if (talk.finals === 2 || (talk.endSent && !data.text)) done(talk);
  } else if (data.type === "error") {
    stop(talk);
    refused(refusalOf({ code, msg, data }, null));
  }
}

function done(talk) {
  state.timings = { firstMs: talk.firstMs, finalMs: talk.finalMs, partials: talk.partials };
  stop(talk);
  if (!talk.said) notify("silence", {}, "good");
}

/** The connection closed, and not by us. */
function closed(talk) {
  if (state.talk !== talk) return;
  if (talk.open) {
    lost(talk);
  } else {
    stop(talk);
    diagnose();
  }
}

/** Keep what was heard: it may be sent as text. */
function lost(talk) {
  state.heard = null;
  stop(talk);
  if (talk.text) $("text").value = talk.text;
  notify(talk.text ? "cut_with_words" : "cut");
}

function stop(talk) {
  clearTimeout(talk.watchdog);
  state.talk = null;
  state.preview = null;
  state.handsFree = false;
  microphone.release();
  if (talk.socket && talk.socket.readyState < WebSocket.CLOSING) talk.socket.close();
  setPhase("idle");
}

/** A browser does not tell why a WebSocket was refused: ask in another way, with a moment of silence. */
async function diagnose() {
  const { answered: reached, checks } = await service.ready();
  if (!reached) return notify("no_answer");
  if (checks.speech === false) return awaitSpeech();
  try {
    const audio = btoa("\0".repeat(3200));
    await service.ask("POST", "voice/speech", { audio, encoding: "pcm_s16le", sample_rate: 16000, menu: state.menu.id });
  } catch (error) {
    return refused(error);
  }
  return notify("cut");
}
