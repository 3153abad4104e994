// Speaking: streams the microphone over a WebSocket, shows the partial and final orders, and speaks the shop's sentences.
//
// A tap opens the microphone for the whole conversation (hands-free), another one pauses; while the button is held, it is open for as long.

import { BargeIn } from "./barge_in.js";
import { Microphone } from "./microphone.js";
import { serviceErrorOf } from "./service.js";
import { conversationRequest } from "./state.js";

// A shorter press is a tap.
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
// Rooms echo the shop's last word for so long.
const ECHO_TAIL_MS = 250;
// Pieces of 50 ms to send from before the detection of the customer's voice: its first word.
const LEAD_PIECES = 12;
// Without a word for so long the microphone pauses: nobody is there.
const IDLE_MS = 60_000;
// A connection takes 300 s of audio by default: it is replaced between two turns.
const REPLACE_MS = 180_000;

function microphoneError(error) {
  const words = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "absent", NotSupportedError: "insecure" };
  return `microphone_${words[error.name] ?? "taken"}`;
}

// Interrupts the session that the customer used last: of several on a page, one listens and speaks.
let interruptLast = () => {};

/** Create the spoken part of a session. */
export function createLiveSession(session, { conversationView, orderView, failures, order }) {
  const { $, state, service, speech, actions, recognitionLanguage, signal } = session;
  const { notify, setPhase, showLevel, showOrder, showPhase, showTalkButton } = orderView;
  const { showHearing } = conversationView;
  const { awaitModels, showError } = failures;
  const { speak, startOver, takeTurn } = order;

  const bargeIn = new BargeIn();
  const microphone = new Microphone(onAudio, () => {
    if (state.phase === "listening") end();
    notify("microphone_lost");
  });
  speech.onChange = () => {
    if (speech.isSpeaking) bargeIn.reset();
    if (state.connection) state.connection.heardAt = performance.now();
    showTalkButton();
  };

  function press() {
    speech.prime();
    if (state.phase === "listening" && state.handsFree) return speech.isSpeaking ? speech.stop() : end();
    if (state.phase !== "idle" || state.busy) return undefined;
    attend();
    speech.stop();
    state.held = true;
    state.pressedAt = performance.now();
    return start();
  }

  function release() {
    if (!state.held) return;
    state.held = false;
    if (performance.now() - state.pressedAt < TAP_MS) {
      state.handsFree = true;
      showPhase();
    } else if (state.phase === "listening") {
      end();
    }
  }

  /** Interrupt the other sessions of the page: the customer uses this one. */
  function attend() {
    if (interruptLast !== interrupt) interruptLast();
    interruptLast = interrupt;
  }

  function interrupt() {
    speech.stop();
    if (state.connection) state.connection.isInterrupted = true;
    if (state.phase === "listening") end();
    else if (state.phase === "starting") abandon();
  }

  async function start() {
    if (!state.menu) return undefined;
    if (state.placed) startOver();
    const connection = {
      socket: null,
      open: false,
      pieces: [], // audio recorded before the socket is open
      lead: [], // the last pieces while the shop speaks
      audioMs: 0,
      peak: 0,
      text: "", // of the utterance in progress
      before: null, // the conversation that the utterance in progress continues
      hasText: false,
      sentence: null, // the shop's, to be spoken after the button is released
      isInterrupted: false, // the customer uses another session of the page
      endRequested: false,
      endSent: false,
      finals: 0, // after the end command
      partials: 0,
      speechAt: 0,
      heardAt: performance.now(),
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
      if (state.connection !== connection) return;
      stop(connection);
      notify(microphoneError(error));
      return;
    }
    if (signal.aborted) microphone.close();
    if (state.connection !== connection) return;
    if (!running || !(state.held || state.handsFree)) {
      stop(connection);
      notify("microphone_ready", {}, "good");
      return;
    }
    setPhase("listening");
    await connect(connection);
  }

  async function connect(connection) {
    try {
      const query = { menu: state.menu.id, language: recognitionLanguage(), sample_rate: 16000, encoding: "pcm_s16le" };
      const socket = await service.openLiveSocket(query);
      if (state.connection !== connection) return socket.close();
      connection.socket = socket;
      socket.addEventListener("open", () => onOpen(connection));
      socket.addEventListener("message", ({ data }) => onMessage(connection, JSON.parse(data)));
      socket.addEventListener("close", () => onClose(connection));
    } catch (error) {
      if (state.connection !== connection) return;
      stop(connection);
      showError(error);
    }
  }

  function onAudio({ audio, level }) {
    showLevel(level);
    const connection = state.connection;
    if (!connection || connection.endSent || !["listening", "finishing"].includes(state.phase)) return;
    const now = performance.now();
    connection.audioMs += audio.byteLength / 32;
    connection.peak = Math.max(connection.peak, level);
    if (connection.audioMs > SILENT_MS && connection.peak < SILENT_LEVEL && !state.notice) notify("microphone_silent");
    if (speech.isSpeaking || now - speech.endedAt < ECHO_TAIL_MS) return whileSpeaking(connection, audio, level);
    if (!connection.speechAt && level > SPEECH_LEVEL) connection.speechAt = now;
    if (state.handsFree && state.phase === "listening" && !connection.text && now - connection.heardAt > IDLE_MS) {
      notify("paused", {}, "good");
      return end();
    }
    return send(connection, audio);
  }

  function send(connection, audio) {
    if (connection.open) service.sendAudio(connection.socket, audio);
    else connection.pieces.push(audio);
  }

  /** Send silence while the shop speaks, so that its voice is not taken for the customer's; until the customer speaks over it. */
  function whileSpeaking(connection, audio, level) {
    connection.lead.push(audio);
    if (connection.lead.length > LEAD_PIECES) connection.lead.shift();
    if (speech.isSpeaking && bargeIn.add(level)) {
      speech.stop();
      speech.endedAt = -Infinity; // the voice is the customer's
      for (const piece of connection.lead) send(connection, piece);
      connection.lead = [];
    } else {
      send(connection, new ArrayBuffer(audio.byteLength));
    }
  }

  function onOpen(connection) {
    connection.open = true;
    sendState();
    for (const audio of connection.pieces) service.sendAudio(connection.socket, audio);
    connection.pieces = [];
    if (connection.endRequested) sendEnd(connection);
  }

  /** Let the open connection continue from the conversation of the page. */
  function sendState() {
    const connection = state.connection;
    if (connection?.open && !connection.endSent) service.sendCommand(connection.socket, { type: "lines", ...conversationRequest(state) });
  }

  function end() {
    const connection = state.connection;
    const wasHandsFree = state.handsFree;
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
      connection.hasText ||= wasHandsFree; // a pause needs no words
      connection.endRequested = true;
      if (connection.open) sendEnd(connection);
      connection.watchdog = setTimeout(() => fail(connection), FINAL_S * 1000);
    }, TAIL_MS);
  }

  /** Pause if the microphone is open between turns. */
  function pause() {
    if (state.phase === "listening" && state.handsFree) end();
  }

  /** Send the end twice: a pause just before may still cause a final, and only the answer to the second end is surely the last. */
  function sendEnd(connection) {
    connection.endSent = true;
    service.sendCommand(connection.socket, { type: "end" });
    service.sendCommand(connection.socket, { type: "end" });
  }

  function onMessage(connection, { code, msg, data }) {
    if (state.connection !== connection) return;
    if (data.type === "partial") onPartial(connection, data);
    else if (data.type === "final") onFinal(connection, data);
    else if (data.type === "error") {
      stop(connection);
      showError(serviceErrorOf({ code, msg, data }, null));
    }
  }

  function onPartial(connection, { text, stable, lines, total }) {
    connection.before ??= conversationRequest(state);
    connection.text = text;
    connection.heardAt = performance.now();
    connection.partials += 1;
    if (connection.firstMs === null && text && connection.speechAt) connection.firstMs = Math.round(performance.now() - connection.speechAt);
    state.hearing = { text, stable };
    state.preview = { lines, total };
    showHearing();
    showOrder();
  }

  function onFinal(connection, order) {
    connection.text = "";
    if (order.text) {
      connection.hasText = true;
      connection.heardAt = performance.now();
      if (connection.releasedAt) connection.finalMs = Math.round(performance.now() - connection.releasedAt);
      connection.sentence = takeTurn(order, order.text, connection.before ?? conversationRequest(state));
      if (state.handsFree) speakNow(connection);
    } else {
      state.hearing = state.preview = null;
      showHearing();
      showOrder();
      sendState(); // sound without words is no turn
    }
    connection.before = null;
    if (connection.endSent) connection.finals += 1;
    if (connection.finals === 2 || (connection.endSent && !order.text)) complete(connection);
    else if (state.handsFree && state.phase === "listening" && connection.audioMs > REPLACE_MS) replace(connection);
  }

  function speakNow(connection) {
    if (connection.sentence && !connection.isInterrupted) speak(connection.sentence);
    connection.sentence = null;
  }

  function replace(connection) {
    state.connection = null;
    connection.socket.close();
    start();
  }

  function complete(connection) {
    state.timings = { firstMs: connection.firstMs, finalMs: connection.finalMs, partials: connection.partials };
    stop(connection);
    speakNow(connection);
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
    stop(connection);
    if (connection.text) $("text").value = connection.text;
    notify(connection.text ? "cut_with_words" : "cut");
  }

  function stop(connection) {
    clearTimeout(connection.watchdog);
    state.connection = null;
    state.preview = null;
    state.hearing = null;
    state.handsFree = false;
    microphone.release();
    if (connection.socket && connection.socket.readyState < WebSocket.CLOSING) connection.socket.close();
    setPhase("idle");
  }

  /** Show why the handshake was rejected. Browsers hide the reply: send a moment of silence in an HTTP request to get the same error. */
  async function showRejection() {
    const { checks } = await service.readiness();
    if (checks.speech === false) return awaitModels();
    try {
      const audio = btoa("\0".repeat(3200));
      await service.request("POST", "voice/speech", { audio, encoding: "pcm_s16le", sample_rate: 16000, menu: state.menu.id });
    } catch (error) {
      return showError(error);
    }
    return notify("cut");
  }

  /** Close the connection without waiting for the utterance in progress. */
  function abandon() {
    if (state.connection) stop(state.connection);
  }

  /** Stop listening and speaking at once. */
  function close() {
    abandon();
    speech.stop();
    microphone.close();
    if (interruptLast === interrupt) interruptLast = () => {};
  }

  Object.assign(actions, { attend, sendState, pause, abandon });
  return { press, release, end, close };
}
