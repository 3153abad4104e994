"""The waveform that both engines decode (float32, mono, 16 kHz), and the mixing and resampling that produce it."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]  # shape (n_samples,), -1..1
StereoBlock = NDArray[np.float32]  # shape (n_samples, 1) or (n_samples, 2)

SAMPLE_RATE: Final = 16_000  # Hz
# Share of the louder side's power below which the mix counts as cancelled. One silent side: .25. Opposite phase at a signal-to-noise ratio
# of 3 dB: .17.
MIN_MIX_POWER_SHARE = 0.2


def fold_to_stereo(samples: NDArray[Any]) -> StereoBlock:
    """Fold channels, shape (n_samples, n_channels), into two sides (even and odd channels) whose sum is the average of all channels."""
    n_channels = samples.shape[1]
    folded = np.empty((len(samples), min(2, n_channels)), np.float32)
    for side in range(folded.shape[1]):
        samples[:, side::2].sum(axis=1, dtype=np.float32, out=folded[:, side])
    folded *= np.float32(1 / n_channels)
    return folded


def mix_to_mono(blocks: Sequence[StereoBlock]) -> Waveform:
    """Average the channels of all blocks; if they cancel each other out, return the louder side alone."""
    powers = [_power(_side(block, side) for block in blocks) for side in (0, 1)]
    louder = int(powers[1] > powers[0])
    cancelled = _power(block.sum(axis=1) for block in blocks) < MIN_MIX_POWER_SHARE * 4 * powers[louder]
    waveform, position = np.empty(sum(map(len, blocks)), np.float32), 0
    for block in blocks:
        waveform[position : position + len(block)] = 2 * _side(block, louder) if cancelled else block.sum(axis=1)
        position += len(block)
    return waveform


def _side(block: StereoBlock, side: int) -> Waveform:
    return block[:, side] if block.shape[1] > 1 else block[:, 0] * np.float32(0.5)


def _power(blocks: Iterable[Waveform]) -> float:
    """Return the mean power without the DC offset, which is inaudible and may cancel where the audio does not."""
    n_samples, total, squares = 0, 0.0, 0.0
    for block in blocks:
        n_samples += len(block)
        total += float(block.sum(dtype=np.float64))
        squares += float(np.dot(block, block))
    return squares / n_samples - (total / n_samples) ** 2 if n_samples else 0.0


class Resampler:
    """Resamples frames to 16 kHz and folds their channels into two sides."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._n_channels = 1
        self._n_samples = 0

    def resample(self, frame: av.AudioFrame | None) -> list[StereoBlock]:
        """Resample a frame and return the blocks that are complete; None flushes the resampler."""
        if self._resampler is None:
            if frame is None:
                return []
            # The channels stay separate: libav's own mix-down is louder than each of them and would clip. They stay interleaved, because
            # PyAV 18 crashes when it reads the planes of eight channels.
            self._resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE)
            self._n_channels = frame.layout.nb_channels
        blocks = [fold_to_stereo(_bounded(out.to_ndarray().reshape(-1, self._n_channels))) for out in self._resampler.resample(frame)]
        self._n_samples += sum(map(len, blocks))
        if frame is None and not self._n_samples:
            return [np.zeros((1, min(2, self._n_channels)), np.float32)]  # audio shorter than one sample at 16 kHz is not empty
        return blocks


def _bounded(samples: NDArray[Any]) -> NDArray[Any]:
    """Clip samples to -1..1 and replace NaN with 0: a float format may contain any value."""
    numbers: NDArray[Any] = np.nan_to_num(samples, posinf=1.0, neginf=-1.0)
    return np.clip(numbers, -1.0, 1.0, out=numbers)
