"""Read words out of CTC scores: the log probability of each token in each 40 ms, token 0 being the blank between tokens."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import Segment, Word

FRAME_S: Final = 0.04
BLANK: Final = 0
WORD_START: Final = "▁"
# A pause of this length between two words begins a new segment.
SEGMENT_PAUSE_S = 1.0
# A token stands where it was recognised, near the beginning of its sound; a syllable goes on for about that long.
WORD_REST_S = 0.2


def confidence(scores: NDArray[np.float32]) -> float:
    """Give the geometric mean of the best tokens' probabilities, blanks apart; 0 where there are only blanks."""
    heard = scores.max(axis=1)[scores.argmax(axis=1) != BLANK] if scores.size else scores
    return float(np.exp(heard.mean())) if heard.size else 0.0


def greedy(scores: NDArray[np.float32], tokens: Sequence[str], *, start_s: float) -> list[Word]:
    """Take the best token of each frame, merge repetitions, drop blanks; `start_s` is the time of the first frame.

    A word's confidence is the least of its tokens', a token's the highest that a frame gives it.
    """
    best = scores.argmax(axis=1)
    edges = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
    words: list[Word] = []
    for first, after in pairwise(edges.tolist()):
        token = int(best[first])
        if token == BLANK:
            continue
        confidence = float(np.exp(scores[first:after, token].max()))
        text, begins, ends = tokens[token], start_s + first * FRAME_S, start_s + after * FRAME_S
        if text.startswith(WORD_START) or not words:
            words.append({"word": text.removeprefix(WORD_START), "start_s": begins, "end_s": ends, "confidence": confidence})
        else:
            word = words[-1]
            word["word"] += text
            word["end_s"] = ends
            word["confidence"] = min(word["confidence"] or 0.0, confidence)
    words = [word for word in words if word["word"]]
    starts = [*(word["start_s"] for word in words[1:]), start_s + len(scores) * FRAME_S]
    for word, next_s in zip(words, starts, strict=False):
        word["end_s"] = min(word["end_s"] + WORD_REST_S, next_s)
    return words


def segments(words: Sequence[Word]) -> list[Segment]:
    """Group words into segments at pauses."""
    groups: list[list[Word]] = []
    for word in words:
        if groups and word["start_s"] - groups[-1][-1]["end_s"] < SEGMENT_PAUSE_S:
            groups[-1].append(word)
        else:
            groups.append([word])
    return [
        {
            "start_s": group[0]["start_s"],
            "end_s": group[-1]["end_s"],
            "text": " ".join(word["word"] for word in group),
            "confidence": float(np.mean([word["confidence"] or 0.0 for word in group])),
            "words": group,
        }
        for group in groups
    ]
