"""The language of an utterance, from its words."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from voice.dialog.phrases import Phrases
from voice.menus.menu import Menu
from voice.menus.names import Name
from voice.orders import words
from voice.orders.language_packs import LanguagePack, language_packs
from voice.orders.words import Token


def languages_of_names(names: Iterable[str], languages: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the languages of the words of a menu's names: the one in whose names alone a word stands, () if customers say it in any.

    A name in one string, and an alias, tell nothing, but that a word without letters of a language may belong to any.
    """
    found: dict[str, set[str]] = {}
    for name in names:
        by_language = name.by_language if isinstance(name, Name) else {}
        for language, text in by_language.items():
            for word in words.phrase(text):
                found.setdefault(word, set()).add(language)
        if not by_language:
            for word in words.phrase(name):
                if word.isascii():
                    found.setdefault(word, set())
    return {word: (one,) if len(those) == 1 and (one := next(iter(those))) in languages else () for word, those in found.items()}


EMPTY: Final[Mapping[str, tuple[str, ...]]] = {}


def spoken_languages(menu: Menu) -> tuple[str, ...]:
    """Return the languages in which the shop speaks: those of the menu that have a pack, the menu's first one first."""
    packs = language_packs()
    return tuple([language for language in menu.languages if language in packs]) or (("en",) if menu.languages else tuple(packs))


def language_of(tokens: Sequence[Token], languages: Sequence[str], names: Mapping[str, tuple[str, ...]] = EMPTY) -> str:
    """Return the language of an utterance; the first of `languages` if its words do not tell. `names`: as in `leading_language`."""
    return leading_language(tokens, languages, names) or languages[0]


def leading_language(tokens: Sequence[Token], languages: Sequence[str], names: Mapping[str, tuple[str, ...]] = EMPTY) -> str | None:
    """Return the one of `languages` to which most words belong that belong to one language only; None if none leads.

    `names`: the languages of the words of the menu's names.
    """
    languages_of = _languages_of_words()
    count: dict[str, int] = {}
    for language, _, _ in _phrases_of_one_language().find([token.surface for token in tokens]):
        if language in languages:
            count[language] = count.get(language, 0) + 1
    for token in tokens:
        of_word = names.get(token.surface)
        for language in languages_of.get(token.surface) or _languages_of_letters(token.surface) if of_word is None else of_word:
            if language in languages:
                count[language] = count.get(language, 0) + 1
    best = sorted(count.values(), reverse=True)
    if not best or (len(best) > 1 and best[0] == best[1]):
        return None
    return max(count, key=count.__getitem__)


def are_adjectives_first(language: str) -> bool:
    """Return whether the adjectives of a language stand before their noun."""
    pack = language_packs().get(language)
    return pack is not None and pack.adjectives_first


def _languages_of_letters(surface: str) -> tuple[str, ...]:
    """Return the language whose letters a word has, if they are not those of all."""
    if surface.isascii():
        return ()
    for language, letters in _letters().items():
        if letters.issuperset(surface):
            return (language,)
    return ()


@lru_cache(maxsize=1)
def _letters() -> Mapping[str, frozenset[str]]:
    """Return the letters of each language with letters of its own."""
    return {
        language: letters
        for language, pack in language_packs().items()
        if not (letters := frozenset("".join(pack.phrases()))).issubset(map(chr, range(128)))
    }


@lru_cache(maxsize=1)
def _phrases_of_one_language() -> Phrases[str]:
    """Return the phrases of several words that belong to one language, whose words may belong to all: "to go"."""
    found: dict[tuple[str, ...], set[str]] = {}
    for language, pack in language_packs().items():
        for phrase in _phrases_of(pack):
            found.setdefault(words.phrase(phrase), set()).add(language)
    return Phrases((next(iter(those)), phrase) for phrase, those in found.items() if len(phrase) > 1 and len(those) == 1)


def _phrases_of(pack: LanguagePack) -> Iterable[str]:
    tables = (*pack.answers.values(), *pack.acts.values(), *pack.services.values(), pack.allergies, pack.allergy_nouns, pack.owners)
    yield from pack.phrases()
    yield from [way for ways in (*tables, pack.introductions, pack.diet_openings, *pack.asks.diets.values()) for way in ways]


@lru_cache(maxsize=1)
def _languages_of_words() -> Mapping[str, tuple[str, ...]]:
    """Return the language of each function word; words of several languages tell nothing."""
    found: dict[str, set[str]] = {}
    for language, pack in language_packs().items():
        for phrase in _phrases_of(pack):
            for word in words.phrase(phrase):
                found.setdefault(word, set()).add(language)
                found.setdefault(words.fold(word), set()).add(language)
    return {word: tuple(languages) for word, languages in found.items() if len(languages) == 1 and not word.isdecimal()}
