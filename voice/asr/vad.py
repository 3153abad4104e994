"""Tell where somebody speaks, and cut long sound where nobody does."""

from typing import Final

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from voice.asr.audio import SAMPLE_RATE, Waveform

FRAME_SAMPLES: Final = 512  # what the detector (Silero, in faster-whisper's wheel) judges at a time: 32 ms
# Measured on 111 clips: short commands by telephone peak at 0.49, noise, tones and DC at 0.29 and below.
SPEECH_PROBABILITY = 0.35
# A click reaches the threshold for one frame; a short word by telephone for two.
MIN_SPEECH_FRAMES = 2
# The root mean square of the loud frames of speech. The median of 111 clips is .13; by telephone Vietnamese is read at .016 with two
# errors in 12 words, at .008 with ten, at .004 as nothing.
SPEECH_LEVEL, LOUD_PERCENT, MAX_GAIN = 0.1, 90, 64.0
# Where only the first half second is known, of which the loud frames are mostly quieter than those that follow.
ONSET_LEVEL = SPEECH_LEVEL / 4
# Kept on both sides: a first consonant is quieter than what the detector starts at.
MARGIN_S = 0.4


def speech_span(probabilities: NDArray[np.float32], n_samples: int) -> tuple[int, int] | None:
    """Find the samples from the first speech to the last, margins included; None where nobody speaks."""
    speech = np.flatnonzero(probabilities >= SPEECH_PROBABILITY)
    if len(speech) < MIN_SPEECH_FRAMES:
        return None
    margin = int(MARGIN_S * SAMPLE_RATE)
    return max(0, int(speech[0]) * FRAME_SAMPLES - margin), min(n_samples, (int(speech[-1]) + 1) * FRAME_SAMPLES + margin)


def speech_gain(waveform: Waveform, probabilities: NDArray[np.float32], *, level: float = SPEECH_LEVEL) -> np.float32:
    """Tell by how much to amplify so that speech reaches a level, 1 to `MAX_GAIN`; 1 where nobody speaks.

    Loud speech stays as it is: engines take floats, in which nothing clips, and both read 18 dB above full scale as well as below.
    """
    n_frames = len(waveform) // FRAME_SAMPLES
    frames = waveform[: n_frames * FRAME_SAMPLES].reshape(n_frames, FRAME_SAMPLES)[probabilities[:n_frames] >= SPEECH_PROBABILITY]
    measured = np.percentile(np.sqrt(np.mean(np.square(frames), axis=1)), LOUD_PERCENT) if len(frames) else level
    return np.float32(np.clip(level / max(measured, level / MAX_GAIN), 1.0, MAX_GAIN))


def last_speech(probabilities: NDArray[np.float32]) -> int | None:
    """Find the sample where speech ends; None where nobody speaks."""
    speech = np.flatnonzero(probabilities >= SPEECH_PROBABILITY)
    return (int(speech[-1]) + 1) * FRAME_SAMPLES if len(speech) else None


def speech_probabilities(waveform: Waveform) -> NDArray[np.float32]:
    """Judge each 32 ms of a waveform, 0..1."""
    padded = np.pad(waveform, (0, -len(waveform) % FRAME_SAMPLES))
    probabilities: NDArray[np.float32] = get_vad_model()(padded).ravel()
    return probabilities


class Activity:
    """The same judgement for sound that goes on: what the detector remembers is kept from piece to piece."""

    CONTEXT_SAMPLES: Final = 64  # the detector looks back so far

    def __init__(self) -> None:
        self._memory = np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(self.CONTEXT_SAMPLES, np.float32)

    def hear(self, waveform: Waveform) -> NDArray[np.float32]:
        """Judge each 32 ms of a piece, which has to be a whole number of them."""
        if not len(waveform):
            return np.zeros(0, np.float32)
        before = np.concatenate([self._context, waveform])
        frames = np.lib.stride_tricks.sliding_window_view(before, self.CONTEXT_SAMPLES + FRAME_SAMPLES)[::FRAME_SAMPLES]
        hidden, cell = self._memory
        probabilities, *memory = get_vad_model().session.run(None, {"input": np.ascontiguousarray(frames), "h": hidden, "c": cell})
        self._memory, self._context = (memory[0], memory[1]), before[-self.CONTEXT_SAMPLES :]
        judged: NDArray[np.float32] = probabilities.ravel()
        return judged


def windows(probabilities: NDArray[np.float32], start: int, end: int, *, max_s: float) -> list[tuple[int, int]]:
    """Cut the samples `start` to `end` into windows of at most `max_s`, each cut in the quietest place of its last half."""
    cuts = []
    while end - start > max_s * SAMPLE_RATE:
        first, last = (start + int(max_s * SAMPLE_RATE / 2)) // FRAME_SAMPLES, (start + int(max_s * SAMPLE_RATE)) // FRAME_SAMPLES
        # Averaged over 0.2 s: a pause, not the closure of a plosive.
        quiet = np.convolve(probabilities[first:last], np.ones(7) / 7, mode="same")
        cut = (first + int(quiet.argmin())) * FRAME_SAMPLES
        cuts.append((start, cut))
        start = cut
    return [*cuts, (start, end)]
