"""Microphone files for conversations with the page, and a voice of the browser that tests can follow.

The recordings are synthesised; no person's voice is in them: `espeak-ng -v VOICE -s SPEED -p 55 -g GAP`, resampled to 16 kHz, mono.
"""

import wave
from pathlib import Path

from settings import ROOT

RECORDINGS = ROOT / "tests/recordings"
SAMPLE_RATE = 16_000

# A synthesis that is silent: it notes each sentence, and speaks it for `speakMs`. Headless browsers have no voice.
VOICE = """
window.spoken = [];
window.interrupted = 0;
window.speakMs = 300;
window.SpeechSynthesisUtterance = class extends EventTarget {
  constructor(text) { super(); this.text = text; this.lang = ""; }
};
const voice = {
  current: null,
  getVoices: () => window.voices ?? [],
  speak(utterance) {
    if (!utterance.text) return;
    window.spoken.push({ text: utterance.text, lang: utterance.lang });
    this.current = utterance;
    const tell = (event) => this.current === utterance && utterance.dispatchEvent(new Event(event));
    setTimeout(() => { tell("start"); setTimeout(() => { tell("end"); this.finish(utterance); }, window.speakMs); }, 20);
  },
  finish(utterance) { if (this.current === utterance) this.current = null; },
  cancel() {
    const utterance = this.current;
    this.current = null;
    if (utterance) { window.interrupted += 1; utterance.dispatchEvent(new Event("error")); }
  },
};
Object.defineProperty(window, "speechSynthesis", { value: voice });
"""


def microphone_file(path: Path, *parts: Path | float) -> Path:
    """Write recordings and pauses in seconds one after the other."""
    with wave.open(str(path), "wb") as whole:
        whole.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        for part in parts:
            if isinstance(part, Path):
                with wave.open(str(part)) as recording:
                    assert recording.getparams()[:3] == (1, 2, SAMPLE_RATE)
                    whole.writeframes(recording.readframes(recording.getnframes()))
            else:
                whole.writeframes(bytes(2 * int(part * SAMPLE_RATE)))
    return path
