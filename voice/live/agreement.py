"""Commit the words on which successive transcripts of a growing utterance agree.

Source: LocalAgreement-2, Liu et al. 2020, arXiv:2005.11185; Macháček et al. 2023, arXiv:2307.14743.
"""

import zlib
from collections import deque
from collections.abc import Sequence
from itertools import takewhile

from voice.asr.audio import SAMPLE_RATE
from voice.asr.whisper import MAX_COMPRESSION

# Commit the words on which all runs over the last AGREEING_S seconds agree, except the last HELD_BACK_WORDS of the shortest run, which the
# end of the audio may have cut off. Replayed, the word error rate is .104; with two runs 0.4 s apart .138; without committing .097.
AGREEING_S, HELD_BACK_WORDS = 0.8, 1
# A partial hides a less probable word until two runs have it: at the end of the audio such words are often wrong.
MIN_WORD_PROBABILITY = 0.6

PUNCTUATION = ".,;:!?…"


class LocalAgreement:
    """The committed words and the last transcripts of an utterance."""

    def __init__(self) -> None:
        self.committed_text = ""  # without punctuation at its end
        self.text = ""  # the last transcript as returned
        self._runs: deque[tuple[int, list[str]]] = deque()  # samples decoded, words

    def add_partial(self, text: str, n_samples: int, probabilities: Sequence[float], *, may_commit: bool) -> str:
        """Add a partial transcript of the first `n_samples`; return the part of it to show.

        `probabilities`: of each word of `text`. Words shown before keep their spelling, since punctuation and capitals differ from run to
        run. Hide everything from the first word that is not committed, probable or in the run before, and the punctuation after the last
        shown word, which is a guess.
        """
        before = self._runs[-1][1] if self._runs else []
        words = continue_committed(self.committed_text.split(), text.split())
        shown = self.text.split()[:-1]
        kept = (old if _core(old) == _core(word) else word for old, word in zip(shown, words, strict=False))
        words = [*kept, *words[len(shown) :]]
        self._commit(words, n_samples, may_commit=may_commit)
        end = len(self.committed_text.split())
        while end < len(words) and (
            probabilities[end - len(words)] >= MIN_WORD_PROBABILITY or (end < len(before) and _core(before[end]) == _core(words[end]))
        ):
            end += 1
        self.text = " ".join(words[:end]).rstrip(PUNCTUATION + " ")
        return self.text

    def add(self, text: str, n_samples: int, *, may_commit: bool) -> str:
        """Add the transcript of an utterance that has probably ended; return all of it."""
        words = continue_committed(self.committed_text.split(), text.split())
        self._commit(words, n_samples, may_commit=may_commit)
        self.text = " ".join(words)
        return self.text

    def _commit(self, words: list[str], n_samples: int, *, may_commit: bool) -> None:
        """Add a run, and commit the leading words on which all runs over the last AGREEING_S seconds agree."""
        self._runs.append((n_samples, words))
        newest_start = n_samples - int(AGREEING_S * SAMPLE_RATE)
        while len(self._runs) > 1 and self._runs[1][0] <= newest_start:
            self._runs.popleft()
        if not may_commit or self._runs[0][0] > newest_start or _is_repetitive(words):
            return
        runs = [run for _, run in self._runs]
        agree = (len(set(map(_core, same_place))) == 1 for same_place in zip(*runs, strict=False))
        n_complete = min(map(len, runs)) - HELD_BACK_WORDS
        agreed = [word for word, _ in zip(words[:n_complete], takewhile(bool, agree), strict=False)]
        if len(agreed) > len(self.committed_text.split()):
            self.committed_text = " ".join(agreed).rstrip(PUNCTUATION + " ")


def continue_committed(committed: Sequence[str], hypothesis: Sequence[str]) -> list[str]:
    """Return the committed words, followed by the words of the hypothesis after the prefix of least edit distance to them."""
    if not committed:
        return list(hypothesis)
    distances = list(range(len(hypothesis) + 1))
    for row, word in enumerate(committed, 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(hypothesis, 1):
            substituted = diagonal + (_core(word) != _core(other))
            diagonal, distances[column] = distances[column], min(distances[column] + 1, distances[column - 1] + 1, substituted)
    end = min(range(len(hypothesis) + 1), key=lambda column: (distances[column], abs(column - len(committed))))
    words = [*committed, *hypothesis[end:]]
    if end and _core(hypothesis[end - 1]) == _core(committed[-1]):
        words[len(committed) - 1] += hypothesis[end - 1][len(hypothesis[end - 1].rstrip(PUNCTUATION)) :]
    return words


def _is_repetitive(words: Sequence[str]) -> bool:
    """Return True if the text compresses so well that it is a loop of the decoder."""
    text = " ".join(words).encode()
    return len(text) > MAX_COMPRESSION * len(zlib.compress(text))


def _core(word: str) -> str:
    """Remove trailing punctuation and fold case, which differ from run to run."""
    return word.rstrip(PUNCTUATION).casefold()
