"""What the recogniser asks of an engine: the seam between the queue and the models."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas import Segment
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.ctc_decoder import Alternative


@dataclass(eq=False, slots=True)
class DecodeJob:
    """One clip on its way through an engine, piece by piece.

    The engine takes off the pieces that it has heard, fills `language` and `segments` (with words only where they are wanted or come
    for nothing), and keeps in `state` what it needs between two pieces. The fields of its answer are not arguments: a copy for another
    engine begins without them.
    """

    waveform: Waveform
    pieces: list[tuple[int, int]]  # samples from, to; those still to be heard
    languages: Sequence[str] = ()  # those that it may be in; empty: any
    elsewhere: Sequence[str] = ()  # those that another engine hears: a clip that turns out to be in one is left as it is
    phrases: Sequence[str] = ()  # bias towards these words
    words: bool = False  # their times are wanted
    draft: bool = False  # soon to be heard again, with more: it may cost less and be wrong more often
    speech: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # probability, each 32 ms
    language: str | None = None
    language_confidence: float | None = field(default=None, init=False)
    segments: list[Segment] = field(default_factory=list, init=False)
    chances: Sequence[float] = field(default=(), init=False)  # of each word of a draft, as the engine claims them
    alternatives: Sequence[Alternative] = field(default=(), init=False)  # to words of the segments, which have them all then
    state: object = field(default=None, init=False)

    def seconds(self) -> float:
        """Sum up the audio still to be heard."""
        return sum(end - start for start, end in self.pieces) / SAMPLE_RATE


class Engine(Protocol):
    """A recogniser of speech; several threads call it at once, each with hearings of its own."""

    name: str
    max_piece_s: float
    max_batch: int

    def check(self, languages: Sequence[str]) -> None:
        """Refuse languages that it does not know.

        Raises:
            ValidationFailed: naming one.

        """

    def go_together(self, first_s: float, second_s: float) -> bool:
        """Tell whether pieces of these lengths belong into one call."""

    def advance(self, hearings: Sequence[DecodeJob]) -> None:
        """Hear the next piece of each."""
