"""Patterns of words with which customers ask."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from voice.dialog.state import InquiryKind
from voice.orders import words
from voice.orders.language_packs import Asks

GAP: Final = "*"
CLAUSE_START: Final = "^"
CLAUSE_END: Final = "$"
NAME: Final = "@"
MIN_FOLDED: Final = 3  # letters
MAX_GAP: Final = 8  # words
MAX_CLOSINGS: Final = 3  # words between a pattern and the end of its clause

Phrase = tuple[str, ...]
T = TypeVar("T")


class Found(NamedTuple, Generic[T]):
    """A phrase in an utterance."""

    value: T
    start: int  # tokens
    end: int


class PhraseTable(Generic[T]):
    """PhraseTable with a value each, by their first word; words may lack their diacritics."""

    def __init__(self, entries: Iterable[tuple[Phrase, T]]) -> None:
        self._by_first: dict[str, list[tuple[Phrase, Phrase, T]]] = defaultdict(list)
        for phrase, value in entries:
            if phrase:
                folded = tuple(map(words.fold, phrase)) if len(phrase) > 1 or len(phrase[0]) >= MIN_FOLDED else phrase
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

    kind: InquiryKind | None  # None: a question about anything
    tokens: frozenset[int]
    needs_name: bool  # it asks only beside a name of the menu


class _Rest(NamedTuple):
    """A pattern behind its first phrase."""

    kind: InquiryKind | None
    phrases: tuple[PhraseTable[None], ...]  # one each
    begins_clause: bool
    ends_clause: bool
    needs_name: bool


class Patterns:
    """The patterns of all languages, by the kind of question."""

    def __init__(self, asks: Sequence[Asks]) -> None:
        self._closings = _words(ask.closings for ask in asks)
        self._lead_ins = _words(ask.lead_ins for ask in asks)
        self._not_before = _words(ask.not_before for ask in asks)
        kinds: list[tuple[InquiryKind | None, str]] = [(None, text) for ask in asks for text in ask.forms]
        kinds += [(kind, text) for ask in asks for kind in InquiryKind for text in getattr(ask, kind.value, ())]
        self._patterns = PhraseTable(_pattern(kind, text) for kind, text in kinds)
        texts = [text for _, text in kinds]
        self.words = frozenset([word for text in texts for part in text.split(GAP) for word in words.phrase(part)])
        self._contents = PhraseTable(_pattern(None, text) for ask in asks for text in ask.contains)

    def matches(self, surfaces: Sequence[str]) -> list[Match]:
        """Return the matches of all patterns."""
        found = []
        for start in range(len(surfaces)):
            for rest, _, end in self._patterns.at(surfaces, start):
                tokens = self._matched(rest, surfaces, start, end)
                if tokens is not None:
                    found.append(Match(rest.kind, tokens, rest.needs_name))
        return found

    def ask_for_contents(self, surfaces: Sequence[str]) -> bool:
        """Return whether words ask what something contains."""
        return any(
            self._matched(rest, surfaces, start, end) is not None
            for start in range(len(surfaces))
            for rest, _, end in self._contents.at(surfaces, start)
        )

    def _matched(self, rest: _Rest, surfaces: Sequence[str], start: int, end: int) -> frozenset[int] | None:
        """Return the tokens of a pattern whose first phrase is said; None if the others are not."""
        if rest.begins_clause and not self._is_clause_start(surfaces, start):
            return None
        tokens = set(range(start, end))
        for phrase in rest.phrases:
            ahead = range(end + 1, min(len(surfaces), end + 1 + MAX_GAP))
            found = next((one for place in ahead for one in phrase.at(surfaces, place)), None)
            if found is None or any(words.is_punctuation(surface) for surface in surfaces[end : found.start]):
                return None
            end = found.end
            tokens |= set(range(found.start, end))
        if end < len(surfaces) and surfaces[end] in self._not_before:
            return None
        return frozenset(tokens) if not rest.ends_clause or self._is_clause_end(surfaces, end) else None

    def _is_clause_start(self, surfaces: Sequence[str], start: int) -> bool:
        return start == 0 or words.is_punctuation(surfaces[start - 1]) or surfaces[start - 1] in self._lead_ins

    def _is_clause_end(self, surfaces: Sequence[str], end: int) -> bool:
        for surface in surfaces[end : end + MAX_CLOSINGS]:
            if words.is_punctuation(surface):
                return True
            if surface not in self._closings:
                return False
        return len(surfaces) <= end + MAX_CLOSINGS or words.is_punctuation(surfaces[end + MAX_CLOSINGS])


def _words(lists: Iterable[Iterable[str]]) -> frozenset[str]:
    """Return single words, with and without their diacritics."""
    return frozenset({way for texts in lists for text in texts for way in (text, words.fold(text))})


def _pattern(kind: InquiryKind | None, text: str) -> tuple[Phrase, _Rest]:
    """Return the first phrase of a pattern, and what follows it."""
    first, *others = [words.phrase(part) for part in text.strip(f" {CLAUSE_START}{CLAUSE_END}{NAME}").split(GAP)]
    rest = tuple([PhraseTable([(phrase, None)]) for phrase in others])
    return first, _Rest(kind, rest, text.startswith(CLAUSE_START), text.endswith(CLAUSE_END), text.endswith(NAME))
