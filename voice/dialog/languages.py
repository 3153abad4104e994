"""The language of an utterance, from its words."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.words import Token


def language_of(tokens: Sequence[Token], menu: Menu) -> str:
    """Return the language of an utterance; the menu's first language if the words do not tell."""
    return spoken_language(tokens) or (menu.languages[0] if menu.languages else "en")


def spoken_language(tokens: Sequence[Token]) -> str | None:
    """Return the language of most words that belong to one language only; None if none leads."""
    languages_of = _languages_of_words()
    count: dict[str, int] = {}
    for token in tokens:
        for language in languages_of.get(token.surface) or _languages_of_letters(token.surface):
            count[language] = count.get(language, 0) + 1
    best = sorted(count.values(), reverse=True)
    if not best or (len(best) > 1 and best[0] == best[1]):
        return None
    return max(count, key=count.__getitem__)


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
def _languages_of_words() -> Mapping[str, tuple[str, ...]]:
    """Return the language of each function word; words of several languages tell nothing."""
    found: dict[str, set[str]] = {}
    for language, pack in language_packs().items():
        phrases = [*pack.phrases(), *[way for ways in (*pack.answers.values(), *pack.acts.values()) for way in ways]]
        for phrase in phrases:
            for word in words.phrase(phrase):
                found.setdefault(word, set()).add(language)
                found.setdefault(words.fold(word), set()).add(language)
    return {word: tuple(languages) for word, languages in found.items() if len(languages) == 1}
