"""Patterns of words with which customers ask."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from voice.dialog.state import InquiryKind
from voice.orders import words
from voice.orders.language_packs import Asks

GAP: Final = "*"
CLAUSE_END: Final = "$"
MAX_GAP: Final = 8  # words
MAX_CLOSINGS: Final = 3  # words between a pattern and the end of its clause

Phrase = tuple[str, ...]


class Pattern(NamedTuple):
    """Phrases with gaps between them."""

    phrases: tuple[Phrase, ...]
    ends_clause: bool


class Match(NamedTuple):
    """The tokens of a pattern."""

    kind: InquiryKind
    tokens: frozenset[int]


class Patterns:
    """The patterns of all languages, by the kind of question."""

    def __init__(self, asks: Sequence[Asks]) -> None:
        self._closings = frozenset({word for ask in asks for closing in ask.closings for word in (closing, words.fold(closing))})
        self._by_first: dict[str, list[tuple[InquiryKind, Pattern]]] = defaultdict(list)
        self._contents = [_pattern(text) for ask in asks for text in ask.contains]
        for ask in asks:
            for kind in InquiryKind:
                for text in getattr(ask, kind.value, ()):
                    pattern = _pattern(text)
                    first = pattern.phrases[0][0]
                    for word in {first, words.fold(first)}:
                        self._by_first[word].append((kind, pattern))

    def matches(self, surfaces: Sequence[str]) -> list[Match]:
        """Return the matches of all patterns; a word may lack its diacritics."""
        found = []
        for start, surface in enumerate(surfaces):
            for kind, pattern in self._by_first.get(surface, ()):
                tokens = self._matched(pattern, surfaces, start)
                if tokens is not None:
                    found.append(Match(kind, tokens))
        return found

    def ask_for_contents(self, surfaces: Sequence[str]) -> bool:
        """Return whether words ask what something contains."""
        starts = range(len(surfaces))
        return any(self._matched(pattern, surfaces, start) is not None for pattern in self._contents for start in starts)

    def _matched(self, pattern: Pattern, surfaces: Sequence[str], start: int) -> frozenset[int] | None:
        """Return the tokens of a pattern that begins at a token; None if it does not."""
        first, *rest = pattern.phrases
        if not _is_at(surfaces, first, start):
            return None
        tokens = set(range(start, start + len(first)))
        end = start + len(first)
        for phrase in rest:
            ahead = range(end + 1, min(len(surfaces), end + 1 + MAX_GAP))
            place = next((place for place in ahead if _is_at(surfaces, phrase, place)), None)
            if place is None or any(words.is_punctuation(surface) for surface in surfaces[end:place]):
                return None
            end = place + len(phrase)
            tokens |= set(range(place, end))
        return frozenset(tokens) if not pattern.ends_clause or self._is_clause_end(surfaces, end) else None

    def _is_clause_end(self, surfaces: Sequence[str], end: int) -> bool:
        for surface in surfaces[end : end + MAX_CLOSINGS]:
            if words.is_punctuation(surface):
                return True
            if surface not in self._closings:
                return False
        return len(surfaces) <= end + MAX_CLOSINGS or words.is_punctuation(surfaces[end + MAX_CLOSINGS])


def fits(surface: str, word: str) -> bool:
    """Return whether a token is a word, with or without its diacritics."""
    return surface == word or (surface.isascii() and surface == words.fold(word))


def positions(surfaces: Sequence[str], phrase: Phrase) -> Iterator[int]:
    """Yield the tokens at which a phrase begins."""
    return (start for start in range(len(surfaces) - len(phrase) + 1) if _is_at(surfaces, phrase, start))


def contains(surfaces: Sequence[str], phrases: Iterable[Phrase]) -> bool:
    """Return whether one of the phrases is said."""
    return any(True for phrase in phrases for _ in positions(surfaces, phrase))


def _is_at(surfaces: Sequence[str], phrase: Phrase, start: int) -> bool:
    said = surfaces[start : start + len(phrase)]
    return len(said) == len(phrase) and all(map(fits, said, phrase))


def _pattern(text: str) -> Pattern:
    phrases = tuple([words.phrase(part) for part in text.removesuffix(CLAUSE_END).split(GAP)])
    return Pattern(phrases, text.endswith(CLAUSE_END))
