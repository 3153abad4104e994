"""Patterns of words with which customers ask."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from voice.dialog.state import InquiryKind
from voice.orders import words
from voice.orders.language_packs import Asks

GAP: Final = "*"
CLAUSE_END: Final = "$"
MAX_GAP: Final = 8  # words
MAX_CLOSINGS: Final = 3  # words between a pattern and the end of its clause

Phrase = tuple[str, ...]
T = TypeVar("T")


class Found(NamedTuple, Generic[T]):
    """A phrase in an utterance."""

    value: T
    start: int  # tokens
    end: int


class Phrases(Generic[T]):
    """Phrases with a value each, by their first word; words may lack their diacritics."""

    def __init__(self, entries: Iterable[tuple[Phrase, T]]) -> None:
        self._by_first: dict[str, list[tuple[Phrase, Phrase, T]]] = defaultdict(list)
        for phrase, value in entries:
            if phrase:
                folded = tuple(map(words.fold, phrase))
                for first in {phrase[0], folded[0]}:
                    self._by_first[first].append((phrase, folded, value))

    def at(self, surfaces: Sequence[str], start: int) -> Iterator[Found[T]]:
        """Yield the phrases that begin at a token."""
        for phrase, folded, value in self._by_first.get(surfaces[start], ()):
            said = surfaces[start : start + len(phrase)]
            if len(said) == len(phrase) and all(map(_fits, said, phrase, folded)):
                yield Found(value, start, start + len(phrase))

    def find(self, surfaces: Sequence[str]) -> list[Found[T]]:
        """Return the phrases of an utterance, the longest first."""
        found = [one for start in range(len(surfaces)) for one in self.at(surfaces, start)]
        return sorted(found, key=lambda one: one.start - one.end)

    def is_in(self, surfaces: Sequence[str]) -> bool:
        """Return whether an utterance has one of the phrases."""
        return any(True for start in range(len(surfaces)) for _ in self.at(surfaces, start))


def _fits(said: str, word: str, folded: str) -> bool:
    """Return whether a token is a word, with or without its diacritics."""
    return said in (word, folded)


class Match(NamedTuple):
    """The tokens of a pattern."""

    kind: InquiryKind
    tokens: frozenset[int]


class _Rest(NamedTuple):
    """A pattern behind its first phrase."""

    kind: InquiryKind | None  # None: it asks for contents
    phrases: tuple[Phrases[None], ...]  # one each
    ends_clause: bool


class Patterns:
    """The patterns of all languages, by the kind of question."""

    def __init__(self, asks: Sequence[Asks]) -> None:
        self._closings = frozenset({word for ask in asks for closing in ask.closings for word in (closing, words.fold(closing))})
        kinds: list[tuple[InquiryKind | None, str]] = [
            (kind, text) for ask in asks for kind in InquiryKind for text in getattr(ask, kind.value, ())
        ]
        self._patterns = Phrases(_pattern(kind, text) for kind, text in kinds)
        self._contents = Phrases(_pattern(None, text) for ask in asks for text in ask.contains)

    def matches(self, surfaces: Sequence[str]) -> list[Match]:
        """Return the matches of all patterns."""
        found = []
        for start in range(len(surfaces)):
            for (kind, phrases, ends_clause), _, end in self._patterns.at(surfaces, start):
                tokens = self._matched(phrases, surfaces, start, end, ends_clause=ends_clause)
                if tokens is not None and kind is not None:
                    found.append(Match(kind, tokens))
        return found

    def ask_for_contents(self, surfaces: Sequence[str]) -> bool:
        """Return whether words ask what something contains."""
        return any(
            self._matched(phrases, surfaces, start, end, ends_clause=ends_clause) is not None
            for start in range(len(surfaces))
            for (_, phrases, ends_clause), _, end in self._contents.at(surfaces, start)
        )

    def _matched(
        self, rest: Sequence[Phrases[None]], surfaces: Sequence[str], start: int, end: int, *, ends_clause: bool
    ) -> frozenset[int] | None:
        """Return the tokens of a pattern whose first phrase is said; None if the others are not."""
        tokens = set(range(start, end))
        for phrase in rest:
            ahead = range(end + 1, min(len(surfaces), end + 1 + MAX_GAP))
            found = next((one for place in ahead for one in phrase.at(surfaces, place)), None)
            if found is None or any(words.is_punctuation(surface) for surface in surfaces[end : found.start]):
                return None
            end = found.end
            tokens |= set(range(found.start, end))
        return frozenset(tokens) if not ends_clause or self._is_clause_end(surfaces, end) else None

    def _is_clause_end(self, surfaces: Sequence[str], end: int) -> bool:
        for surface in surfaces[end : end + MAX_CLOSINGS]:
            if words.is_punctuation(surface):
                return True
            if surface not in self._closings:
                return False
        return len(surfaces) <= end + MAX_CLOSINGS or words.is_punctuation(surfaces[end + MAX_CLOSINGS])


def _pattern(kind: InquiryKind | None, text: str) -> tuple[Phrase, _Rest]:
    """Return the first phrase of a pattern, and what follows it."""
    first, *rest = [words.phrase(part) for part in text.removesuffix(CLAUSE_END).split(GAP)]
    return first, _Rest(kind, tuple([Phrases([(phrase, None)]) for phrase in rest]), text.endswith(CLAUSE_END))
