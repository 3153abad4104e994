"""Read words out of CTC scores: the log probability of each token in each 40 ms, token 0 being the blank between tokens.

A prefix beam search adds up all ways to say the same (16 word errors of 366 where the best token of each frame has 18, for 2 ms a second
of audio), and weighs readings that follow the letters of expected phrases a little higher (0.4 a letter: no word error more on sentences
that hold none of the phrases; 0.7: two).

A word's confidence is how often a word is right of whose least sure token the network itself is as sure, without the weights: a word
that only its phrase brought in says so.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas import Segment, Word
from voice.asr.calibration import Calibration

Floats = NDArray[np.float32]

FRAME_S: Final = 0.04
BLANK: Final = 0
WORD_START: Final = "▁"
NEVER: Final = -math.inf
# A pause of this length between two words begins a new segment.
SEGMENT_PAUSE_S = 1.0
# A token stands where it was recognised, near the beginning of its sound; a syllable goes on for about that long.
WORD_REST_S = 0.2

BEAM = 8  # readings kept from frame to frame
# Further behind the likeliest, in log probability, none of them is: at 3 as at 99 the same words on 111 clips, and readings agree sooner.
BEHIND = 6.0
TOKENS = 8  # of each frame that are tried
LEAST = -7.0  # log probability below which none is
SURE_BLANK = math.log(0.999)  # a pause: nothing can begin there
TOKEN_FRAMES = 6  # one token lasts no longer: 0.24 s
# Added for each letter that follows a phrase, in log probability, and taken back if the phrase is not finished.
LETTER_WEIGHT = 0.4

# What sounds alike is further apart than this only where nobody confuses it: "ba" that was heard as "bà" is 9 below it, "năm" as "làm" 6.
NEAR = 11.0
# Expected calibration error on the clips that had no part in the fit: .036 as the network claims it, .027 as told here.
CALIBRATION = Calibration(0.04, 0.58)


class ConfusableWord(NamedTuple):
    """What a frame may have been but for a blank: tokens that are not much less likely than the likeliest."""

    numbers: NDArray[np.int64]
    scores: Floats

    def odds(self, number: int) -> float:
        """Give the log odds of a token against all others."""
        others = self.scores[self.numbers != number].astype(np.float64)
        if len(others) == len(self.scores):
            return -NEAR
        mine = float(self.scores[self.numbers == number][0])
        return min(mine - float(np.logaddexp.reduce(others)), NEAR) if len(others) else NEAR


@dataclass(slots=True)
class Token:
    """A token that was read: in which frame first, the highest probability that any of its frames gives it, and what is near there."""

    number: int
    frame: int
    last_frame: int
    score: float
    near: ConfusableWord

    @property
    def confidence(self) -> float:
        """How often a word is right that is as sure."""
        return CALIBRATION.of_odds(self.near.odds(self.number))


NOTHING = ConfusableWord(np.zeros(0, np.int64), np.zeros(0, np.float32))


class Alternative(NamedTuple):
    """Another word that may have been said in a place."""

    place: int  # of the word
    word: str
    cost: float  # log probability less
    confidence: float


def words(scores: Floats, tokens: Sequence[str], phrases: Sequence[str], *, start_s: float) -> list[Word]:
    """Read the words; `start_s` is the time of the first frame, `phrases` are expected, none is fine."""
    search = Search(tokens, phrases)
    search.hear(scores)
    return spell(search.best(), tokens, start_s=start_s, end_s=start_s + len(scores) * FRAME_S)


def spell(read: Sequence[Token], tokens: Sequence[str], *, start_s: float, end_s: float) -> list[Word]:
    """Gather tokens into words; `start_s` and `end_s` are the times of what was heard."""
    found: list[Word] = [
        {
            "word": text,
            "start_s": start_s + group[0].frame * FRAME_S,
            "end_s": start_s + (group[-1].last_frame + 1) * FRAME_S,
            "confidence": min(token.confidence for token in group),
        }
        for text, group in _grouped(read, tokens)
    ]
    starts = [*(word["start_s"] for word in found[1:]), end_s]
    for word, next_s in zip(found, starts, strict=False):
        word["end_s"] = max(word["start_s"], min(word["end_s"] + WORD_REST_S, next_s))
    return found


def alternatives(read: Sequence[Token], tokens: Sequence[str], phrases: Sequence[str]) -> list[Alternative]:
    """Give, for each word that `spell` finds, the words of the phrases that sound like it, nearest first."""
    expected = expected_words(tuple(phrases))
    found = []
    for place, (text, group) in enumerate(_grouped(read, tokens)):
        if len(group) > 1 or not expected:
            continue
        token = group[0]
        score = token.near.scores[token.near.numbers == token.number]
        for number, other in zip(token.near.numbers, token.near.scores, strict=True):
            word = tokens[number].removeprefix(WORD_START)
            if word != text and tokens[number].startswith(WORD_START) and word in expected:
                cost = float(score[0] - other) if len(score) else 0.0
                found.append(Alternative(place, word, max(cost, 0.0), CALIBRATION.of_odds(token.near.odds(int(number)))))
    return sorted(found, key=lambda alternative: alternative.cost)


def _grouped(read: Sequence[Token], tokens: Sequence[str]) -> list[tuple[str, list[Token]]]:
    """Gather the tokens of each word."""
    groups: list[tuple[str, list[Token]]] = []
    for token in read:
        text = tokens[token.number]
        if text.startswith(WORD_START) or not groups:
            groups.append((text.removeprefix(WORD_START), [token]))
        else:
            before, group = groups[-1]
            groups[-1] = (before + text, [*group, token])
    return [(text, group) for text, group in groups if text]


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


# --- Phrases ------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Letter:
    """A place in the tree of phrases: what may follow, and whether a phrase may end here."""

    after: dict[str, "Letter"] = field(default_factory=dict)
    ends: bool = False


@functools.lru_cache(maxsize=64)
def expected_words(phrases: tuple[str, ...]) -> frozenset[str]:
    """Give all words of the phrases, lower case."""
    return frozenset(word for phrase in phrases for word in phrase.lower().split())


@functools.lru_cache(maxsize=64)
def phrase_tree(phrases: tuple[str, ...]) -> Letter:
    """Grow the tree of the phrases' letters, lower case, each word opened by its mark."""
    root = Letter()
    for phrase in phrases:
        place = root
        for word in phrase.lower().split():
            for letter in WORD_START + word:
                place = place.after.setdefault(letter, Letter())
            place.ends = True  # a phrase may be said up to any of its words
    return root


@dataclass(slots=True, eq=False)
class Reading:
    """A beginning of the text: its last token, where it stands in the phrases, and what that is worth."""

    before: "Reading | None"
    token: Token | None
    place: Letter | None  # None: inside a word that is in no phrase
    kept: float  # weight of finished phrases
    open: float  # weight of the letters since; lost if the phrase does not go on
    longer: dict[int, "Reading"] = field(default_factory=dict)
    blank: float = NEVER  # log probability of all ways to read this so far that end in a blank,
    sound: float = NEVER  # and in the token itself

    def total(self) -> float:
        """Log probability, weight included."""
        return _add(self.blank, self.sound) + self.kept + self.open

    def extended(self, number: int, text: str, root: Letter, frame: int, near: ConfusableWord) -> "Reading":
        """Read one token more."""
        if number in self.longer:
            return self.longer[number]
        place, kept, opened = self.place, self.kept, self.open
        for letter in text:
            if letter == WORD_START:
                if place is not None and place.ends:
                    kept, opened = kept + opened, 0.0
                if place is None or letter not in place.after:
                    place, opened = root, 0.0
            place = place.after.get(letter) if place is not None else None
            opened = opened + LETTER_WEIGHT if place is not None else 0.0
        reading = Reading(self, Token(number, frame, frame, NEVER, near), place, kept, opened)
        self.longer[number] = reading
        return reading

    def hear(self, row: Floats, frame: int, near: ConfusableWord) -> None:
        """Note the highest probability of the token while it lasts; later, the same token is another one."""
        token = self.token
        if token is not None and frame - token.frame < TOKEN_FRAMES and (heard := float(row[token.number])) > token.score:
            token.score, token.last_frame, token.near = heard, frame, near

    def way(self) -> list["Reading"]:
        """Give the readings that led here, one for each token, without the empty one."""
        way: list[Reading] = []
        reading: Reading | None = self
        while reading is not None and reading.token is not None:
            way.append(reading)
            reading = reading.before
        return way[::-1]

    def forget(self) -> None:
        """Let go of a reading that is not kept, so that memory does not grow with the audio."""
        if self.before is not None and self.token is not None:
            self.before.longer.pop(self.token.number, None)


class Search:
    """The likeliest readings so far, by a prefix beam search that weighs phrases. Source: Hannun et al. 2014, arXiv:1408.2873."""

    def __init__(self, tokens: Sequence[str], phrases: Sequence[str] = ()) -> None:
        """Nothing was heard yet."""
        self._tokens = tokens
        self._phrases = phrase_tree(tuple(phrases))
        self._beam = [Reading(None, None, self._phrases, 0.0, 0.0, blank=0.0)]
        self.frames = 0

    def hear(self, scores: Floats) -> None:
        """Go on with more frames."""
        tokens, phrases, beam = self._tokens, self._phrases, self._beam
        for frame, row in enumerate(scores, self.frames):
            following: dict[Reading, list[float]] = {}
            pause = row[BLANK] >= SURE_BLANK
            likely = np.zeros(0, np.int64) if pause else np.argpartition(-row, TOKENS - 1)[:TOKENS]
            near = NOTHING if pause else _near(row)
            tried = [(int(number), float(row[number])) for number in likely if number != BLANK and row[number] > LEAST]
            for reading in beam:
                blank, sound = reading.blank, reading.sound
                both = _add(blank, sound)
                mine = following.setdefault(reading, [NEVER, NEVER])
                mine[0] = _add(mine[0], both + float(row[BLANK]))
                if reading.token is not None:
                    mine[1] = _add(mine[1], sound + float(row[reading.token.number]))
                for number, score in tried:
                    repeats = reading.token is not None and reading.token.number == number
                    longer = reading.extended(number, tokens[number], phrases, frame, near)
                    theirs = following.setdefault(longer, [NEVER, NEVER])
                    theirs[1] = _add(theirs[1], (blank if repeats else both) + score)
            for reading, (blank, sound) in following.items():
                reading.blank, reading.sound = blank, sound
                if not pause:
                    reading.hear(row, frame, near)
            ranked = sorted(following, key=Reading.total, reverse=True)
            hopeless = ranked[0].total() - BEHIND
            kept = next((place for place, reading in enumerate(ranked[:BEAM]) if reading.total() < hopeless), BEAM)
            beam = ranked[:kept]
            for reading in ranked[kept:]:
                reading.forget()
        self._beam = beam
        self.frames += len(scores)

    def best(self) -> list[Token]:
        """Read the likeliest; phrases that are not finished do not count."""
        return [reading.token for reading in self._likeliest().way() if reading.token is not None]

    def _likeliest(self) -> Reading:
        def ended(reading: Reading) -> float:
            finished = reading.place is not None and reading.place.ends
            return reading.total() - (0.0 if finished else reading.open)

        return max(self._beam, key=ended)

    def commit(self, frame: int) -> None:
        """Let go of the readings that do not begin as the likeliest does up to `frame`."""
        way = self._likeliest().way()
        begun = sum(1 for reading in way if reading.token is not None and reading.token.frame < frame)
        if begun:
            last = way[begun - 1]
            kept = [reading for reading in self._beam if any(one is last for one in reading.way())]
            for reading in self._beam:
                if reading not in kept:
                    reading.forget()
            self._beam = kept

    def agreed(self) -> int:
        """Count the first tokens that all readings share: whatever is heard from now on goes on from one of them."""
        shared, *others = (reading.way() for reading in self._beam)
        for way in others:
            same = next((place for place, (one, other) in enumerate(zip(shared, way, strict=False)) if one is not other), None)
            shared = shared[: min(len(shared), len(way)) if same is None else same]
        return len(shared)


def _near(row: Floats) -> ConfusableWord:
    numbers = np.flatnonzero(row > row[BLANK + 1 :].max() - NEAR)
    numbers = numbers[numbers != BLANK]
    return ConfusableWord(numbers, row[numbers])


def _add(first: float, second: float) -> float:
    """Add probabilities that are given as logarithms."""
    if first < second:
        first, second = second, first
    return first if second == NEVER else first + math.log1p(math.exp(second - first))
