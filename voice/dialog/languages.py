"""The language of an utterance, from its words."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

from schemas import Menu
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.words import Token


def plain_words_of(names: Iterable[str]) -> frozenset[str]:
    """Return the words of a menu's names that have no letter of one language alone, so that customers say them in any."""
    return frozenset([word for name in names for word in words.phrase(name) if word.isascii()])


def language_of(tokens: Sequence[Token], menu: Menu, plain_words: AbstractSet[str] = frozenset()) -> str:
    """Return the language of most words that belong to one language only; the menu's first language if none leads.

    `plain_words`: of the menu's names; they do not count.
    """
    languages_of = _languages_of_words()
    count: dict[str, int] = {}
    for token in tokens:
        if token.surface in plain_words:
            continue
        for language in languages_of.get(token.surface) or _languages_of_letters(token.surface):
            count[language] = count.get(language, 0) + 1
    best = sorted(count.values(), reverse=True)
    if not best or (len(best) > 1 and best[0] == best[1]):
        return menu.languages[0] if menu.languages else "en"
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
