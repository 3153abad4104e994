"""Synthesised audio: its resampling, and the encodings that telephone lines use."""

from typing import Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from schemas import RawEncoding
from voice.asr.audio import G711

Samples = NDArray[np.int16]  # mono, shape (n_samples,)


class SpeechFailedError(Exception):
    """A text was not synthesised."""


class Sound(NamedTuple):
    """Synthesised audio."""

    samples: Samples
    sample_rate: int  # Hz


class Resampler:
    """Resamples the chunks of one sound to another rate."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._resampler: av.AudioResampler | None = None

    def add(self, sound: Sound) -> Samples:
        """Return the samples that are complete; the resampler holds back a millisecond for the next chunk."""
        if sound.sample_rate == self.sample_rate or not sound.samples.size:
            return sound.samples
        if self._resampler is None:
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=self.sample_rate)
        frame = av.AudioFrame.from_ndarray(sound.samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = sound.sample_rate
        return self._resample(frame)

    def finish(self) -> Samples:
        """Return the samples that were held back."""
        return self._resample(None) if self._resampler is not None else np.zeros(0, np.int16)

    def _resample(self, frame: av.AudioFrame | None) -> Samples:
        assert self._resampler is not None  # noqa: S101 - the callers made it
        blocks = [out.to_ndarray().reshape(-1) for out in self._resampler.resample(frame)]
        return np.concatenate([np.zeros(0, np.int16), *blocks])


def encode(samples: Samples, encoding: RawEncoding) -> bytes:
    """Encode samples as raw audio."""
    if encoding == "pcm_s16le":
        return samples.astype("<i2").tobytes()
    compressed: bytes = _COMPRESSORS[encoding][samples.astype(np.int32) + 32768].tobytes()
    return compressed


def silence(n_samples: int, encoding: RawEncoding) -> bytes:
    """Return encoded silence."""
    return encode(np.zeros(n_samples, np.int16), encoding)


def _compressor(expanded: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the G.711 code of each 16-bit sample, from -32768 on: the code that expands to the nearest value."""
    codes = np.argsort(expanded, kind="stable")
    levels = expanded[codes].astype(np.int32)
    bounds = (levels[1:] + levels[:-1]) / 2
    nearest = codes[np.searchsorted(bounds, np.arange(-32768, 32768), side="right")]
    return nearest.astype(np.uint8)


_COMPRESSORS: Final = {encoding: _compressor(expanded) for encoding, expanded in G711.items()}
