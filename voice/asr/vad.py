"""Voice activity detection (Silero, from faster-whisper's package): the span and the level of speech, and where to split long audio."""

from typing import Final

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from voice.asr.waveform import SAMPLE_RATE, Waveform

SpeechProbabilities = NDArray[np.float32]  # shape (n_frames,), 0..1

FRAME_SAMPLES: Final = 512  # 32 ms
# On 111 clips short commands by telephone peak at 0.49; noise, tones and DC at 0.29 and below.
SPEECH_PROBABILITY = 0.35
# A click exceeds the threshold for one frame, a short word by telephone for two.
MIN_SPEECH_FRAMES = 2
# Root mean square of the loud frames of speech after amplification. The median of 111 clips is .13; by telephone Vietnamese has two errors
# in 12 words at .016, ten at .008, and is not recognised at .004.
SPEECH_LEVEL, LOUD_PERCENTILE, MAX_GAIN = 0.1, 90, 64.0
# Target level at an onset (the first half second), which is quieter than the rest.
ONSET_LEVEL = SPEECH_LEVEL / 4
# Margin on both sides of speech: a first consonant is quieter than the detector's threshold.
MARGIN_S = 0.4
PAUSE_FRAMES = 7  # 0.2 s: averaging over it ignores the closures of plosives


def speech_probabilities(waveform: Waveform) -> SpeechProbabilities:
    """Return the probability of speech in each frame of 32 ms; the last frame is padded with zeros."""
    padded = np.pad(waveform, (0, -len(waveform) % FRAME_SAMPLES))
    probabilities: SpeechProbabilities = get_vad_model()(padded).ravel()
    return probabilities


def speech_span(probabilities: SpeechProbabilities, n_samples: int) -> tuple[int, int] | None:
    """Return the samples from the first speech to the last, margins included; None if there is no speech."""
    speech = np.flatnonzero(probabilities >= SPEECH_PROBABILITY)
    if len(speech) < MIN_SPEECH_FRAMES:
        return None
    margin = int(MARGIN_S * SAMPLE_RATE)
    return max(0, int(speech[0]) * FRAME_SAMPLES - margin), min(n_samples, (int(speech[-1]) + 1) * FRAME_SAMPLES + margin)


def speech_end(probabilities: SpeechProbabilities) -> int | None:
    """Return the sample at which the last speech ends, without margin; None if there is no speech."""
    speech = np.flatnonzero(probabilities >= SPEECH_PROBABILITY)
    return (int(speech[-1]) + 1) * FRAME_SAMPLES if len(speech) else None


def speech_gain(waveform: Waveform, probabilities: SpeechProbabilities, *, level: float = SPEECH_LEVEL) -> np.float32:
    """Return the gain that brings speech to `level`, 1 to `MAX_GAIN`; 1 if there is no speech.

    Loud speech is not attenuated: the engines take floats, which do not clip, and recognise speech at 18 dB above full scale equally well.
    """
    n_frames = len(waveform) // FRAME_SAMPLES
    frames = waveform[: n_frames * FRAME_SAMPLES].reshape(n_frames, FRAME_SAMPLES)[probabilities[:n_frames] >= SPEECH_PROBABILITY]
    measured = np.percentile(np.sqrt(np.mean(np.square(frames), axis=1)), LOUD_PERCENTILE) if len(frames) else level
    return np.float32(np.clip(level / max(measured, level / MAX_GAIN), 1.0, MAX_GAIN))


def split_at_pauses(probabilities: SpeechProbabilities, start: int, end: int, *, max_s: float) -> list[tuple[int, int]]:
    """Split the samples `start` to `end` into pieces of at most `max_s`, each cut at the least likely speech of its second half."""
    pieces = []
    while end - start > max_s * SAMPLE_RATE:
        first, last = (start + int(max_s * SAMPLE_RATE / 2)) // FRAME_SAMPLES, (start + int(max_s * SAMPLE_RATE)) // FRAME_SAMPLES
        smoothed = np.convolve(probabilities[first:last], np.ones(PAUSE_FRAMES) / PAUSE_FRAMES, mode="same")
        cut = (first + int(smoothed.argmin())) * FRAME_SAMPLES
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def speech_pieces(probabilities: SpeechProbabilities, n_samples: int, *, max_s: float) -> list[tuple[int, int]]:
    """Return the span of speech as pieces (samples from, to) of at most `max_s`; none if there is no speech."""
    span = speech_span(probabilities, n_samples)
    return split_at_pauses(probabilities, *span, max_s=max_s) if span else []


class StreamingVad:
    """Voice activity detection on a stream: the network's recurrent state carries over from chunk to chunk."""

    CONTEXT_SAMPLES: Final = 64  # samples before a frame that its input includes

    def __init__(self) -> None:
        self._state = np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(self.CONTEXT_SAMPLES, np.float32)

    def accept(self, waveform: Waveform) -> SpeechProbabilities:
        """Return the probability of speech in each frame; the length of `waveform` must be a multiple of FRAME_SAMPLES."""
        if not len(waveform):
            return np.zeros(0, np.float32)
        samples = np.concatenate([self._context, waveform])
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.CONTEXT_SAMPLES + FRAME_SAMPLES)[::FRAME_SAMPLES]
        hidden, cell = self._state
        output, *state = get_vad_model().session.run(None, {"input": np.ascontiguousarray(frames), "h": hidden, "c": cell})
        self._state, self._context = (state[0], state[1]), samples[-self.CONTEXT_SAMPLES :]
        probabilities: SpeechProbabilities = output.ravel()
        return probabilities
