"""Confirmation of edits from speech that was recognised with low confidence: each edit becomes a question."""

from collections.abc import Sequence
from typing import Final

from schemas import Segment

# This threshold asks about 4 of 272 right transcripts (clean, and in kitchen noise of 12 dB and 6 dB; all 4 at 6 dB) and stops all 43
# wrong-language ones that would change an order (the highest has .57). `docs/decisions.md` has the curve.
CONFIRM_BELOW: Final = 0.6


def recognition_confidence(segments: Sequence[Segment]) -> float | None:
    """Return the mean confidence of the segments, weighted by their words; None without words, or if the recogniser gives no confidence."""
    weighted = [(confidence, len(segment["text"].split())) for segment in segments if (confidence := segment["confidence"]) is not None]
    total_words = sum(n_words for _, n_words in weighted)
    return sum(confidence * n_words for confidence, n_words in weighted) / total_words if total_words else None


def is_spoken(segments: Sequence[Segment]) -> bool:
    """Return whether the segments were recognised; those of a typed text have no confidence."""
    return any(segment["confidence"] is not None for segment in segments)


def is_recognition_uncertain(segments: Sequence[Segment]) -> bool:
    """Return whether an edit from these segments needs a confirmation."""
    confidence = recognition_confidence(segments)
    return confidence is not None and confidence < CONFIRM_BELOW
