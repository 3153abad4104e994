"""Find the start and the end of an utterance in the decisions of the VAD."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.vad import FRAME_SAMPLES, MARGIN_S, MIN_SPEECH_FRAMES, ONSET_LEVEL, speech_gain
from voice.dialog.completeness import Completeness

# The pause that ends an utterance, by what was said before it. Speakers pause for half a second between two items.
PAUSES_S: Final[Mapping[Completeness, float]] = {
    Completeness.COMPLETE: 0.25,
    Completeness.CLOSED: 0.5,
    Completeness.UNDECIDED: 0.7,
    Completeness.MEANINGLESS: 1.0,
    Completeness.UNFINISHED: 1.5,
}
# The shortest of them: then all speech is decoded, so that what was said is known.
MIN_PAUSE_S: Final = 0.25
# Whisper decodes at most 30 s. From LONG_S on a short pause ends the utterance; at MAX_UTTERANCE_S it is cut.
LONG_S, MAX_UTTERANCE_S = 20.0, 28.0
SHORT_PAUSE_S = 0.2
# An utterance starts when the last ONSET_FRAMES frames (half a second) contain MIN_SPEECH_FRAMES of speech.
ONSET_FRAMES = 16
MARGIN_FRAMES = round(MARGIN_S * SAMPLE_RATE / FRAME_SAMPLES)


def is_end(length: int, speech_end: int, *, max_pause_s: float, max_utterance_s: float) -> bool:
    """Return True if an utterance of `length` samples, with speech up to sample `speech_end`, has ended or has to be cut."""
    length_s, pause_s = length / SAMPLE_RATE, (length - speech_end) / SAMPLE_RATE
    return pause_s >= (max_pause_s if length_s < LONG_S else SHORT_PAUSE_S) or length_s >= max_utterance_s


@dataclass(frozen=True)
class Onset:
    """The start of an utterance."""

    frames: list[Waveform]  # each FRAME_SAMPLES, from MARGIN_S before the first speech
    lead: int  # samples before the first speech
    gain: np.float32  # to apply to the utterance


class OnsetDetector:
    """Buffers the last frames, and finds the start of speech in them."""

    def __init__(self) -> None:
        self._frames: deque[tuple[Waveform, bool]] = deque(maxlen=MARGIN_FRAMES + ONSET_FRAMES)  # frame, is speech

    def add(self, frame: Waveform, *, is_speech: bool) -> Onset | None:
        """Add a frame; if an utterance starts, return its onset and drop all frames."""
        self._frames.append((frame, is_speech))
        if not is_speech or sum(speech for _, speech in list(self._frames)[-ONSET_FRAMES:]) < MIN_SPEECH_FRAMES:
            return None
        kept = list(self._frames)
        first = next(place for place, (_, speech) in enumerate(kept) if speech and place >= len(kept) - ONSET_FRAMES)
        start = max(0, first - MARGIN_FRAMES)
        frames = [frame for frame, _ in kept[start:]]
        are_speech = np.array([speech for _, speech in kept[start:]], np.float32)
        self.clear()
        return Onset(frames, (first - start) * FRAME_SAMPLES, speech_gain(np.concatenate(frames), are_speech, level=ONSET_LEVEL))

    def clear(self) -> None:
        """Drop all frames."""
        self._frames.clear()
