"""The interface between the scheduler and the acoustic models."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas import Segment
from voice.asr.ctc_decoder import WordAlternative
from voice.asr.waveform import SAMPLE_RATE, Waveform


class SegmentHypothesis(NamedTuple):
    """Another transcript of a segment."""

    segment_index: int
    segment: Segment
    cost: float  # log probability of the decoded text less that of this one, for texts of equal length; negative: this one is likelier


@dataclass(eq=False, slots=True)
class DecodeJob:
    """The decoding of one clip by one engine, piece by piece.

    The engine removes each decoded piece, sets `language`, appends to `segments` (with words if `words` is set or they cost nothing), and
    keeps its state between two pieces in `state`. Result fields are not constructor arguments, so that `dataclasses.replace` makes a copy
    for another engine without them.
    """

    waveform: Waveform
    pieces: list[tuple[int, int]]  # samples from, to; those still to be decoded
    languages: Sequence[str] = ()  # candidates; empty: any
    excluded_languages: Sequence[str] = ()  # left to another engine: a clip detected as one of them is not decoded
    phrases: Sequence[str] = ()  # contextual biasing
    words: bool = False  # word times are requested
    n_best: bool = False  # hypotheses are wanted, to be rescored
    is_partial: bool = False  # will be decoded again with more audio: speed matters more than accuracy
    speech: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # probability for each frame of 32 ms
    language: str | None = None
    language_confidence: float | None = field(default=None, init=False)
    segments: list[Segment] = field(default_factory=list, init=False)
    word_probabilities: Sequence[float] = field(default=(), init=False)  # of a partial's words, not calibrated
    alternatives: Sequence[WordAlternative] = field(default=(), init=False)  # if there are any, all segments have words
    hypotheses: list[SegmentHypothesis] = field(default_factory=list, init=False)
    state: object = field(default=None, init=False)

    @property
    def remaining_s(self) -> float:
        """Audio still to be decoded."""
        return sum(end - start for start, end in self.pieces) / SAMPLE_RATE


class AsrEngine(Protocol):
    """An acoustic model with its decoder; thread-safe for calls with different jobs."""

    name: str
    max_piece_s: float
    max_batch: int

    def check_languages(self, languages: Sequence[str]) -> None:
        """Check that the engine supports the languages.

        Raises:
            ValidationFailed: it does not; the message names the language.

        """

    def can_batch(self, first_s: float, second_s: float) -> bool:
        """Return whether pieces of these lengths are decoded faster in one call."""

    def advance(self, jobs: Sequence[DecodeJob]) -> None:
        """Decode the next piece of each job."""
