"""Find phrases of the language packs in an utterance."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from voice.menus.menu import Choice, Item, Menu
from voice.menus.names import all_names
from voice.orders import words
from voice.orders.language_packs import LanguagePack, language_packs
from voice.orders.words import Token

T = TypeVar("T")


class Phrases(Generic[T]):
    """Phrases with their labels."""

    def __init__(self, labelled: Iterable[tuple[T, tuple[str, ...]]]) -> None:
        """Index the phrases; of equal ones the first label counts."""
        self._labels: dict[tuple[str, ...], T] = {}
        self._longest: dict[str, int] = {}  # words, by the first one
        for label, phrase in labelled:
            if phrase:
                self._labels.setdefault(phrase, label)
                self._longest[phrase[0]] = max(len(phrase), self._longest.get(phrase[0], 0))

    def begins(self, surface: str) -> bool:
        """Return whether a phrase begins with a word."""
        return surface in self._longest

    def find(self, surfaces: Sequence[str]) -> list[tuple[T, int, int]]:
        """Return the labels of the phrases of an utterance with their first token and the one behind: the longest first, none overlap."""
        found = []
        at = 0
        while at < len(surfaces):
            for length in range(self._longest.get(surfaces[at], 0), 0, -1):
                phrase = tuple(surfaces[at : at + length])
                if phrase in self._labels:
                    found.append((self._labels[phrase], at, at + len(phrase)))
                    at += len(phrase)
                    break
            else:
                at += 1
        return found


def phrases_of(labelled: Callable[[LanguagePack], Iterable[tuple[T, Iterable[str]]]], *, is_folded: bool) -> Phrases[T]:
    """Return labelled phrases of all language packs; `is_folded`: for utterances without diacritics."""
    return Phrases(
        [
            (label, words.phrase(words.fold(way) if is_folded else way))
            for pack in language_packs().values()
            for label, ways in labelled(pack)
            for way in ways
        ]
    )


def names_of(menu: Menu) -> Iterator[str]:
    """Yield the names and aliases of a menu: names of items, names of choices, then aliases."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    for one in named:
        yield from all_names(one.name)
    for one in named:
        yield from one.aliases


def localised_names_of(menu: Menu) -> Iterator[str]:
    """Yield the names of items, groups and choices, each a `Name` with its texts by language, and aliases."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    for one in named:
        yield one.name
        yield from one.aliases
    yield from [group.name for group in menu.option_groups.values()]
    yield from [item.category for item in menu.items.values() if item.category is not None]


def is_function_word(token: Token) -> bool:
    """Return whether a token is a sign or a word that names nothing."""
    return words.is_punctuation(token.surface) or token.surface in _function_words()


@lru_cache(maxsize=1)
def _function_words() -> frozenset[str]:
    found: set[str] = set()
    for pack in language_packs().values():
        for way in [*pack.phrases(), *[way for ways in (*pack.answers.values(), *pack.acts.values()) for way in ways]]:
            phrase = words.phrase(way)
            if len(phrase) == 1:
                found.update((phrase[0], words.fold(phrase[0])))
    return frozenset(found)


def is_asking(tokens: Sequence[Token]) -> bool:
    """Return whether the words of an utterance ask something."""
    surfaces = [token.surface for token in tokens]
    return "?" in surfaces or bool(_inquiries(is_folded=not words.has_diacritics(tokens)).find(surfaces))


@lru_cache(maxsize=2)
def _inquiries(*, is_folded: bool) -> Phrases[str]:
    return phrases_of(lambda pack: [("inquiry", [*pack.inquiries, *pack.asked])], is_folded=is_folded)


def is_pronoun(token: Token) -> bool:
    """Return whether a token may stand for a noun: "one"."""
    return any(token.surface in pack.ones for pack in language_packs().values())


def without_conjunction(tokens: Sequence[Token], start: int, end: int) -> int:
    """Return the start of a stretch without the words like "with" before a negation."""
    while start + 1 < end and tokens[start].surface in _conjunctions():
        start += 1
    return start


@lru_cache(maxsize=1)
def _conjunctions() -> frozenset[str]:
    return frozenset([way for pack in language_packs().values() for way in (*pack.withs, *pack.buts, *pack.joins)])


def is_conjunction(token: Token) -> bool:
    """Return whether a token is a conjunction: a negation before it does not reach beyond it."""
    return any(token.surface in pack.joins or token.surface in pack.buts for pack in language_packs().values())


def is_negation(token: Token) -> bool:
    """Return whether a token leaves out what follows."""
    return token.surface in _negations()


@lru_cache(maxsize=1)
def _negations() -> frozenset[str]:
    return frozenset([spelt for pack in language_packs().values() for way in pack.amounts["no"] for spelt in (way, words.fold(way))])


def is_counting(token: Token) -> bool:
    """Return whether a token is a number or a request, which belongs to an order."""
    return token.surface[0].isdecimal() or token.surface in _counting()


@lru_cache(maxsize=1)
def _counting() -> frozenset[str]:
    found: set[str] = set()
    for pack in language_packs().values():
        numbers = pack.numbers
        for way in (*numbers.units, *numbers.tens, *pack.classifiers, *pack.requests, *pack.removes, *pack.replaces):
            phrase = words.phrase(way)
            if len(phrase) == 1:
                found.update((phrase[0], words.fold(phrase[0])))
    return frozenset(found)
