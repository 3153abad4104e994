// Speaks the shop's sentences with the voices of the browser.

// A browser without a working voice fires no event: the sentence then counts as not spoken.
const START_MS = 3000;
// Browsers sometimes lose the end of a sentence. No voice is slower than this.
const MS_PER_CHARACTER = 160;

const synthesis = window.speechSynthesis ?? null;
const voicesOf = (language) => synthesis.getVoices().filter(({ lang }) => lang.toLowerCase().split(/[-_]/)[0] === language);

// Of several on a page, the one that speaks: a device has one voice.
let speaking = null;

export class Speech {
  /** `kept`: the `BrowserStorage` that remembers whether it is on. */
  constructor(kept) {
    this.kept = kept;
    this.isOn = kept.get("voice") !== "off";
    this.onChange = () => {}; // a sentence begins or ends
    this.utterance = null; // being spoken; also keeps it from garbage collection, which would lose its events
    this.endedAt = -Infinity;
    this.timer = 0;
    this.isPrimed = false;
  }

  get isSpeaking() {
    return this.utterance !== null;
  }

  /** Return false if the browser has voices, but none of this language; some list none and speak nevertheless. */
  canSpeak(language) {
    return synthesis !== null && (synthesis.getVoices().length === 0 || voicesOf(language).length > 0);
  }

  /** Speak a sentence in place of the one being spoken; return whether it can be spoken. */
  speak({ text, language }) {
    this.stop();
    if (!this.isOn || !this.canSpeak(language)) return !this.isOn;
    if (speaking !== this) speaking?.stop();
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.lang = language === "vi" ? "vi-VN" : language === "en" ? "en-US" : language;
    const voices = voicesOf(language);
    const voice = voices.find(({ localService, lang }) => localService && lang.replace("_", "-") === utterance.lang) ?? voices[0];
    if (voice) utterance.voice = voice;
    utterance.addEventListener("start", () => this.endWithin(utterance, START_MS + MS_PER_CHARACTER * text.length));
    utterance.addEventListener("end", () => this.end(utterance));
    utterance.addEventListener("error", () => this.end(utterance));
    this.utterance = utterance;
    speaking = this;
    this.endWithin(utterance, START_MS);
    synthesis.speak(utterance);
    this.onChange();
    return true;
  }

  endWithin(utterance, ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.utterance === utterance && this.stop(), ms);
  }

  end(utterance) {
    if (this.utterance !== utterance) return;
    clearTimeout(this.timer);
    this.utterance = null;
    this.endedAt = performance.now();
    this.onChange();
  }

  stop() {
    if (!this.utterance) return;
    const { utterance } = this;
    synthesis.cancel();
    this.end(utterance);
  }

  /** Speak nothing: after that within a tap, iOS also lets the page speak outside of taps. */
  prime() {
    if (this.isPrimed || synthesis === null || !this.isOn) return;
    this.isPrimed = true;
    synthesis.speak(new SpeechSynthesisUtterance(""));
  }

  turn(on) {
    this.isOn = on;
    this.kept.set("voice", on ? "on" : "off");
    if (!on) this.stop();
  }
}
