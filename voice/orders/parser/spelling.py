"""The vocabulary words that a spoken or typed word may stand for, with features of the difference."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import OSA

from voice.orders import words
from voice.orders.cooperation import let_others_run
from voice.orders.parser.model import Features
from voice.orders.spelling import rime

MIN_TYPO_LETTERS: Final = 4
MAX_TYPO_SHARE: Final = 4  # letters per edit
MIN_INEXACT_LETTERS: Final = 3  # shorter words have too many neighbours
MIN_PREFIX_LETTERS: Final = 3  # of a word that is cut short
MIN_CUT_LETTERS: Final = 3  # letters missing from such a word
MIN_STEM_LETTERS: Final = 3  # of a word without its ending
MAX_ENDING: Final = 3  # letters: "toast", "toasted"; one of the shortest words: "ice", "iced"
MIN_SKELETON: Final = 3  # consonants
MIN_ABBREVIATION: Final = 2  # letters of an abbreviation: "lg"
MAX_ABBREVIATION: Final = 4
MAX_CACHED: Final = 8192  # words, each with and without diacritics around it
EXACT: Final[Features] = ()
MISSING_DIACRITICS: Final[Features] = (("spelt.plain", 1.0),)
MISSING_DIACRITICS_AMONG_OTHERS: Final[Features] = (("spelt.plain_among_marked", 1.0),)
SOUND: Final[Features] = (("spelt.sound", 1.0),)
ABBREVIATION: Final[Features] = (("spelt.abbreviation", 1.0),)
SKELETON: Final[Features] = (("spelt.skeleton", 1.0),)
STEM: Final[Features] = (("spelt.stem", 1.0),)


@lru_cache(maxsize=131_072)
def spelling_features(said: str, meant: str) -> Features | None:
    """Return how a spoken word differs from a word of the menu; None if it is another word."""
    if said == meant:
        return EXACT
    said_folded, meant_folded = words.fold(said), words.fold(meant)
    if said_folded == meant_folded:
        if said == said_folded:
            return MISSING_DIACRITICS
        if words.toneless(said) == words.toneless(meant):
            return (("spelt.tone", 1.0),)
        return (("spelt.vowel", 1.0),) if rime(said) == rime(meant) else None
    if words.singular(said_folded) == words.singular(meant_folded):
        return (("spelt.plural", 1.0),)
    if (said[:1] == "đ") != (meant[:1] == "đ") and said != said_folded:
        return None  # the stop đ is not confused with the fricatives d, gi, r
    if words.phonetic_key(said) == words.phonetic_key(meant):
        return SOUND
    return _cut_or_mistyped(said_folded, meant_folded)


def _cut_or_mistyped(said: str, meant: str) -> Features | None:
    """Return whether a word, both without diacritics, lacks its ending, is cut short or mistyped."""
    shorter, longer = sorted((said, meant), key=len)
    n_cut = len(longer) - len(shorter)
    if longer.startswith(shorter) and n_cut <= _longest_ending(len(shorter)):
        return STEM
    if shorter == said and longer.startswith(shorter) and n_cut >= MIN_CUT_LETTERS and len(said) >= MIN_PREFIX_LETTERS:
        return (("spelt.prefix", 1.0),)
    n_letters = len(longer)
    n_edits = OSA.distance(said, meant, score_cutoff=n_letters // MAX_TYPO_SHARE)
    if n_letters >= MIN_TYPO_LETTERS and n_edits * MAX_TYPO_SHARE <= n_letters:
        return (("spelt.typo", 1.0), ("spelt.typo.share", n_edits / n_letters))
    return None


def function_spelling(said: Sequence[str], phrase: Sequence[str], *, has_diacritics: bool) -> Features | None:
    """Return how spoken words differ from a function phrase, by diacritics only; None if they are other words."""
    if len(said) < len(phrase):
        return None
    features: list[tuple[str, float]] = []
    for word, meant in zip(said, phrase, strict=True):
        if word == meant:
            continue
        folded = words.fold(meant)
        if word == folded:
            features.append(("function.plain_among_marked" if has_diacritics else "function.plain", 1.0))
        elif words.fold(word) == folded and words.toneless(word) == words.toneless(meant):
            features.append(("function.tone", 1.0))
        else:
            return None
    return tuple(features)


class SpellingIndex:
    """A vocabulary indexed by sound, by deletions of one letter, by prefix and by consonants.

    Source: Garbe 2012 (symmetric deletes).
    """

    def __init__(self, vocabulary: Iterable[str], guarded: frozenset[str]) -> None:
        """`guarded`: function words; none is a misspelling of another word."""
        self._vocabulary = frozenset(vocabulary)
        self._guarded = guarded
        self._by_key: dict[str, set[str]] = defaultdict(set)
        self._by_deletion: dict[str, set[str]] = defaultdict(set)
        self._by_prefix: dict[str, set[str]] = defaultdict(set)
        self._by_folded: dict[str, set[str]] = defaultdict(set)
        self._by_initial: dict[str, list[str]] = defaultdict(list)
        self._by_skeleton: dict[str, set[str]] = defaultdict(set)
        self._near: dict[tuple[str, bool], list[tuple[str, Features]]] = {}
        for word in self._vocabulary:
            let_others_run()
            key, folded = words.phonetic_key(word), words.fold(word)
            self._by_initial[folded[:1]].append(word)
            self._by_key[key].add(word)
            for variant in _deletions(key):
                self._by_deletion[variant].add(word)
            for length in range(MIN_PREFIX_LETTERS, len(folded)):
                if len(folded) - length >= MIN_CUT_LETTERS or len(folded) - length <= _longest_ending(length):
                    self._by_prefix[folded[:length]].add(word)
            self._by_folded[folded].add(word)
            if len(words.skeleton(word)) >= MIN_SKELETON:
                self._by_skeleton[words.skeleton(word)].add(word)

    def near(self, said: str, *, has_diacritics: bool) -> list[tuple[str, Features]]:
        """Return vocabulary words with the features of the difference; `has_diacritics`: the utterance is written with diacritics."""
        near = self._near.get((said, has_diacritics))
        if near is None:
            if len(self._near) > MAX_CACHED:
                self._near.clear()
            near = self._near[said, has_diacritics] = list(self._search(said, has_diacritics=has_diacritics))
        return near

    def _search(self, said: str, *, has_diacritics: bool) -> Iterator[tuple[str, Features]]:
        is_guarded, is_found = said in self._guarded, False
        for word in sorted(self._candidates(said)):
            features = spelling_features(said, word)
            if features is None or (features == SOUND and is_guarded):
                continue
            is_found = True
            yield word, MISSING_DIACRITICS_AMONG_OTHERS if has_diacritics and features == MISSING_DIACRITICS else features
        if not is_found and not is_guarded and MIN_ABBREVIATION <= len(said) <= MAX_ABBREVIATION:
            yield from [(word, ABBREVIATION) for word in sorted(self._by_initial[said[:1]]) if _abbreviates(said, word)]
        skeleton = words.skeleton(said) if not is_found and not is_guarded else ""
        if len(skeleton) >= MIN_SKELETON:
            yield from [(word, SKELETON) for word in sorted(self._by_skeleton.get(skeleton, ()))]

    def _candidates(self, said: str) -> set[str]:
        key = words.phonetic_key(said)
        candidates = set(self._by_key.get(key, ()))
        if said not in self._vocabulary and said not in self._guarded and len(said) >= MIN_INEXACT_LETTERS:
            for variant in _deletions(key):
                candidates |= self._by_deletion.get(variant, set())
            folded = words.fold(said)
            candidates |= self._by_prefix.get(folded, set())
            for length in range(max(MIN_STEM_LETTERS, len(folded) - MAX_ENDING), len(folded)):
                if len(folded) - length <= _longest_ending(length):
                    candidates |= self._by_folded.get(folded[:length], set())
        return candidates


def _longest_ending(n_letters: int) -> int:
    """Return how many letters the ending of a word may have, by the letters of its stem."""
    return 0 if n_letters < MIN_STEM_LETTERS else 1 if n_letters == MIN_STEM_LETTERS else MAX_ENDING


def _abbreviates(said: str, word: str) -> bool:
    """Return whether letters of a word in their order, the first one included and at most half of them, make up what was written."""
    folded = words.fold(word)
    letters = iter(folded)
    return folded[:1] == said[:1] and len(said) * 2 <= len(folded) + 1 and all(letter in letters for letter in said)


def _deletions(key: str) -> Iterator[str]:
    """Yield a key and each of its variants with one letter deleted; nothing for short keys: they have too many neighbours."""
    if len(key) >= MIN_TYPO_LETTERS:
        yield key
        for place in range(len(key)):
            yield key[:place] + key[place + 1 :]
