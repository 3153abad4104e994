"""CTC decoding: prefix beam search over token posteriors, with contextual biasing towards phrases.

The search sums over all alignments of a text (16 word errors of 366 where the best path has 18, for 2 ms a second of audio) and adds a
bonus for each letter that continues an expected phrase (0.4 a letter: no additional word error on sentences without any of the phrases;
0.7: two).

A word's confidence is calibrated from the posterior of its least certain token, without the bonus: a word that only the bonus favours has a
low confidence.
"""

import functools
import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas import Segment, Word
from voice.asr.calibration import Calibration

LogProbs = NDArray[np.float32]  # shape (n_frames, n_tokens)

FRAME_S: Final = 0.04
BLANK: Final = 0  # token id of the CTC blank
WORD_START: Final = "▁"
LOG_ZERO: Final = -math.inf  # log of probability 0
# A pause of this length between two words begins a new segment.
SEGMENT_PAUSE_S = 1.0
# A token is emitted near the start of its syllable, which lasts about this much longer.
WORD_TAIL_S = 0.2

BEAM_SIZE = 8
# Log probability below the best hypothesis at which a hypothesis is pruned: any margin from 3 to 99 gives the same words on 111 clips, and
# fewer hypotheses agree sooner.
PRUNING_MARGIN = 6.0
MAX_FRAME_TOKENS = 8  # tokens that extend a hypothesis in one frame
MIN_LOG_PROB = -7.0  # of such a token
PAUSE_LOG_PROB = math.log(0.999)  # of a blank: no token begins in such a frame
MAX_TOKEN_FRAMES = 6  # duration of a token: 0.24 s
# Bonus for each letter that continues a phrase, in log probability; withdrawn if the phrase is not completed.
LETTER_BONUS = 0.4

# Tokens further than this below the best one, in log probability, are not confused with it: a spoken "ba" recognised as "bà" is 9 below,
# "năm" recognised as "làm" 6.
CONFUSION_MARGIN = 11.0
# Expected calibration error on the held-out clips: .036 uncalibrated, .027 calibrated.
CALIBRATION = Calibration(0.04, 0.58)


class TokenPosteriors(NamedTuple):
    """The tokens of a frame, the blank excluded, that are within `CONFUSION_MARGIN` of the best one."""

    token_ids: NDArray[np.int64]
    log_probs: NDArray[np.float32]  # shape (n_token_ids,)

    def log_odds(self, token_id: int) -> float:
        """Return the log odds of a token against all others."""
        others = self.log_probs[self.token_ids != token_id].astype(np.float64)
        if len(others) == len(self.log_probs):
            return -CONFUSION_MARGIN
        own = float(self.log_probs[self.token_ids == token_id][0])
        return min(own - float(np.logaddexp.reduce(others)), CONFUSION_MARGIN) if len(others) else CONFUSION_MARGIN

    def confidence(self, token_id: int) -> float:
        """Return the calibrated probability of a token."""
        return CALIBRATION.from_log_odds(self.log_odds(token_id))


NO_POSTERIORS = TokenPosteriors(np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(slots=True)
class DecodedToken:
    """A token of a hypothesis; `log_prob` and `posteriors` are those of its most likely frame, `last_frame`."""

    token_id: int
    frame: int  # the first
    last_frame: int
    log_prob: float
    posteriors: TokenPosteriors

    @property
    def confidence(self) -> float:
        """Calibrated probability."""
        return self.posteriors.confidence(self.token_id)


class WordAlternative(NamedTuple):
    """An expected word that is acoustically confusable with a decoded one."""

    word_index: int
    word: str
    cost: float  # log probability of the decoded word less that of the alternative, >= 0
    confidence: float


# --- Words and segments -------------------------------------------------------------------------------------------------------------


def decode_words(log_probs: LogProbs, vocabulary: Sequence[str], phrases: Sequence[str], *, start_s: float) -> list[Word]:
    """Decode all frames at once; `start_s` is the time of the first."""
    search = BeamSearch(vocabulary, phrases)
    search.advance(log_probs)
    return to_words(search.best_tokens(), vocabulary, start_s=start_s, end_s=start_s + len(log_probs) * FRAME_S)


def to_words(tokens: Sequence[DecodedToken], vocabulary: Sequence[str], *, start_s: float, end_s: float) -> list[Word]:
    """Join tokens to words; `start_s`: start of the first frame; `end_s`: end of the last."""
    words: list[Word] = [
        {
            "word": text,
            "start_s": start_s + group[0].frame * FRAME_S,
            "end_s": start_s + (group[-1].last_frame + 1) * FRAME_S,
            "confidence": min(token.confidence for token in group),
        }
        for text, group in _group_by_word(tokens, vocabulary)
    ]
    next_starts = [*(word["start_s"] for word in words[1:]), end_s]
    for word, next_s in zip(words, next_starts, strict=False):
        word["end_s"] = max(word["start_s"], min(word["end_s"] + WORD_TAIL_S, next_s))
    return words


def word_alternatives(tokens: Sequence[DecodedToken], vocabulary: Sequence[str], phrases: Sequence[str]) -> list[WordAlternative]:
    """Return the words of the phrases that are confusable with the words of `to_words`, cheapest first; considers only one-token words."""
    expected_words = _words_of(frozenset(phrases))
    alternatives = []
    for word_index, (text, group) in enumerate(_group_by_word(tokens, vocabulary)):
        if len(group) > 1 or not expected_words:
            continue
        token, posteriors = group[0], group[0].posteriors
        own_log_prob = posteriors.log_probs[posteriors.token_ids == token.token_id]
        for token_id, log_prob in zip(posteriors.token_ids, posteriors.log_probs, strict=True):
            word = vocabulary[token_id].removeprefix(WORD_START)
            if word != text and vocabulary[token_id].startswith(WORD_START) and word in expected_words:
                cost = float(own_log_prob[0] - log_prob) if len(own_log_prob) else 0.0
                alternatives.append(WordAlternative(word_index, word, max(cost, 0.0), posteriors.confidence(int(token_id))))
    return sorted(alternatives, key=lambda alternative: alternative.cost)


def _group_by_word(tokens: Sequence[DecodedToken], vocabulary: Sequence[str]) -> list[tuple[str, list[DecodedToken]]]:
    groups: list[tuple[str, list[DecodedToken]]] = []
    for token in tokens:
        text = vocabulary[token.token_id]
        if text.startswith(WORD_START) or not groups:
            groups.append((text.removeprefix(WORD_START), [token]))
        else:
            before, group = groups[-1]
            groups[-1] = (before + text, [*group, token])
    return [(text, group) for text, group in groups if text]


def to_segments(words: Sequence[Word]) -> list[Segment]:
    """Split words into segments at pauses of `SEGMENT_PAUSE_S`."""
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


# --- Contextual biasing -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class TrieNode:
    """A node of the trie of the phrases' letters."""

    children: dict[str, "TrieNode"] = field(default_factory=dict)
    is_end: bool = False  # a phrase may end here


# Sets of phrases whose words and tries are cached. Questions change only the sequence of a menu's phrases, so that a menu has one set;
# callers may add phrases of their own. The trie of a menu of 5,000 items takes 13 MB.
MAX_PHRASE_SETS = 8


@functools.lru_cache(maxsize=MAX_PHRASE_SETS)
def _words_of(phrases: frozenset[str]) -> frozenset[str]:
    return frozenset(word for phrase in phrases for word in phrase.lower().split())


@functools.lru_cache(maxsize=MAX_PHRASE_SETS)
def _phrase_trie(phrases: frozenset[str]) -> TrieNode:
    """Build the trie of the phrases, lower case, with `WORD_START` before each word."""
    root = TrieNode()
    for phrase in phrases:
        node = root
        for word in phrase.lower().split():
            for letter in WORD_START + word:
                node = node.children.setdefault(letter, TrieNode())
            node.is_end = True  # a phrase may be spoken up to any of its words
    return root


# --- Beam search --------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Hypothesis:
    """A prefix of the text: the path to it, its position in the phrases, and its log probabilities."""

    parent: "Hypothesis | None"
    token: DecodedToken | None  # the last; None: the empty prefix
    node: TrieNode | None  # None: inside a word that is in no phrase
    completed_bonus: float  # of completed phrases
    pending_bonus: float  # of the letters since; withdrawn if the phrase does not continue
    children: dict[int, "Hypothesis"] = field(default_factory=dict)  # by token id
    blank: float = LOG_ZERO  # log probability of all alignments so far that end in a blank
    non_blank: float = LOG_ZERO  # log probability of all alignments so far that end in the token

    def score(self) -> float:
        """Return the log probability with the bonus."""
        return _log_add(self.blank, self.non_blank) + self.completed_bonus + self.pending_bonus

    def final_score(self) -> float:
        """Return the score of the text as a complete one: incomplete phrases give no bonus."""
        is_completed = self.node is not None and self.node.is_end
        return self.score() - (0.0 if is_completed else self.pending_bonus)

    def extend(self, token_id: int, text: str, root: TrieNode, frame: int, posteriors: TokenPosteriors) -> "Hypothesis":
        """Return the hypothesis with one token more."""
        if token_id in self.children:
            return self.children[token_id]
        node, completed, pending = self.node, self.completed_bonus, self.pending_bonus
        for letter in text:
            if letter == WORD_START:
                if node is not None and node.is_end:
                    completed, pending = completed + pending, 0.0
                if node is None or letter not in node.children:
                    node, pending = root, 0.0
            node = node.children.get(letter) if node is not None else None
            pending = pending + LETTER_BONUS if node is not None else 0.0
        child = Hypothesis(self, DecodedToken(token_id, frame, frame, LOG_ZERO, posteriors), node, completed, pending)
        self.children[token_id] = child
        return child

    def update_token(self, frame_log_probs: NDArray[np.float32], frame: int, posteriors: TokenPosteriors) -> None:
        """Move the token to this frame if it is more likely here and the token may still last."""
        token = self.token
        if token is None or frame - token.frame >= MAX_TOKEN_FRAMES:
            return
        if (log_prob := float(frame_log_probs[token.token_id])) > token.log_prob:
            token.log_prob, token.last_frame, token.posteriors = log_prob, frame, posteriors

    def copy(self, parent: "Hypothesis | None") -> "Hypothesis":
        """Return a copy without children, and make it the child of `parent` if this hypothesis is a child of its own parent."""
        copied = replace(self, parent=parent, token=copy(self.token), children={})
        is_child = self.parent is not None and self.token is not None and self.parent.children.get(self.token.token_id) is self
        if is_child and parent is not None and copied.token is not None:
            parent.children[copied.token.token_id] = copied
        return copied

    def path(self) -> list["Hypothesis"]:
        """Return the prefixes of this hypothesis and itself, shortest first, without the empty one."""
        path: list[Hypothesis] = []
        hypothesis: Hypothesis | None = self
        while hypothesis is not None and hypothesis.token is not None:
            path.append(hypothesis)
            hypothesis = hypothesis.parent
        return path[::-1]

    def detach(self) -> None:
        """Remove a pruned hypothesis from its parent, so that memory does not grow with the audio."""
        if self.parent is not None and self.token is not None:
            self.parent.children.pop(self.token.token_id, None)


class BeamSearch:
    """Prefix beam search with contextual biasing. Source: Hannun et al. 2014, arXiv:1408.2873."""

    def __init__(self, vocabulary: Sequence[str], phrases: Sequence[str] = ()) -> None:
        """`vocabulary`: text of each token id; `phrases`: expected phrases, none for no biasing."""
        self._vocabulary = vocabulary
        self._trie = _phrase_trie(frozenset(phrases))
        self._beam = [Hypothesis(None, None, self._trie, 0.0, 0.0, blank=0.0)]
        self.n_frames = 0

    def copy(self) -> "BeamSearch":
        """Return a search in the same state, whose progress does not change this one."""
        search = copy(self)
        copies: dict[Hypothesis, Hypothesis] = {}
        for hypothesis in self._beam:  # with all its prefixes: each may be in the beam too, where its token still moves
            uncopied: list[Hypothesis] = []
            prefix: Hypothesis | None = hypothesis
            while prefix is not None and prefix not in copies:
                uncopied.append(prefix)
                prefix = prefix.parent
            for prefix in reversed(uncopied):
                copies[prefix] = prefix.copy(copies[prefix.parent] if prefix.parent is not None else None)
        search._beam = [copies[hypothesis] for hypothesis in self._beam]  # noqa: SLF001 - of this class
        return search

    def advance(self, log_probs: LogProbs) -> None:
        """Advance the search over more frames."""
        for frame, frame_log_probs in enumerate(log_probs, self.n_frames):
            self._prune(self._extend_all(frame_log_probs, frame))
        self.n_frames += len(log_probs)

    def _extend_all(self, frame_log_probs: NDArray[np.float32], frame: int) -> list[Hypothesis]:
        """Return all hypotheses after a frame: those of the beam, and those with one token more."""
        following: dict[Hypothesis, list[float]] = {}  # log probability in a blank, and in the token
        is_pause = frame_log_probs[BLANK] >= PAUSE_LOG_PROB
        likely = np.zeros(0, np.int64) if is_pause else np.argpartition(-frame_log_probs, MAX_FRAME_TOKENS - 1)[:MAX_FRAME_TOKENS]
        posteriors = NO_POSTERIORS if is_pause else _token_posteriors(frame_log_probs)
        extensions = [
            (int(token_id), float(frame_log_probs[token_id]))
            for token_id in likely
            if token_id != BLANK and frame_log_probs[token_id] > MIN_LOG_PROB
        ]
        for hypothesis in self._beam:
            blank, non_blank = hypothesis.blank, hypothesis.non_blank
            both = _log_add(blank, non_blank)
            same = following.setdefault(hypothesis, [LOG_ZERO, LOG_ZERO])
            same[0] = _log_add(same[0], both + float(frame_log_probs[BLANK]))
            if hypothesis.token is not None:
                same[1] = _log_add(same[1], non_blank + float(frame_log_probs[hypothesis.token.token_id]))
            for token_id, log_prob in extensions:
                repeats = hypothesis.token is not None and hypothesis.token.token_id == token_id
                child = hypothesis.extend(token_id, self._vocabulary[token_id], self._trie, frame, posteriors)
                longer = following.setdefault(child, [LOG_ZERO, LOG_ZERO])
                longer[1] = _log_add(longer[1], (blank if repeats else both) + log_prob)
        for hypothesis, (blank, non_blank) in following.items():
            hypothesis.blank, hypothesis.non_blank = blank, non_blank
            if not is_pause:
                hypothesis.update_token(frame_log_probs, frame, posteriors)
        return list(following)

    def _prune(self, hypotheses: Sequence[Hypothesis]) -> None:
        """Keep the best `BEAM_SIZE` hypotheses within `PRUNING_MARGIN`."""
        ranked = sorted(hypotheses, key=Hypothesis.score, reverse=True)
        threshold = ranked[0].score() - PRUNING_MARGIN
        size = next((rank for rank, hypothesis in enumerate(ranked[:BEAM_SIZE]) if hypothesis.score() < threshold), BEAM_SIZE)
        self._beam = ranked[:size]
        for hypothesis in ranked[size:]:
            hypothesis.detach()

    def best_tokens(self) -> list[DecodedToken]:
        """Return the tokens of the best hypothesis."""
        return [hypothesis.token for hypothesis in self._best().path() if hypothesis.token is not None]

    def _best(self) -> Hypothesis:
        return max(self._beam, key=Hypothesis.final_score)

    def commit(self, frame: int) -> None:
        """Prune the hypotheses whose tokens before `frame` differ from those of the best one."""
        path = self._best().path()
        n_committed = sum(1 for hypothesis in path if hypothesis.token is not None and hypothesis.token.frame < frame)
        if not n_committed:
            return
        last = path[n_committed - 1]
        agreeing = [hypothesis for hypothesis in self._beam if any(ancestor is last for ancestor in hypothesis.path())]
        for hypothesis in self._beam:
            if hypothesis not in agreeing:
                hypothesis.detach()
        self._beam = agreeing

    def n_stable_tokens(self) -> int:
        """Count the first tokens that all hypotheses share: every later hypothesis begins with them."""
        shared, *others = (hypothesis.path() for hypothesis in self._beam)
        for path in others:
            same = next((place for place, (one, other) in enumerate(zip(shared, path, strict=False)) if one is not other), None)
            shared = shared[: min(len(shared), len(path)) if same is None else same]
        return len(shared)


def _token_posteriors(frame_log_probs: NDArray[np.float32]) -> TokenPosteriors:
    token_ids = np.flatnonzero(frame_log_probs > frame_log_probs[BLANK + 1 :].max() - CONFUSION_MARGIN)
    token_ids = token_ids[token_ids != BLANK]
    return TokenPosteriors(token_ids, frame_log_probs[token_ids])


def _log_add(first: float, second: float) -> float:
    """Add two probabilities that are given as logarithms."""
    if first < second:
        first, second = second, first
    return first if second == LOG_ZERO else first + math.log1p(math.exp(second - first))
