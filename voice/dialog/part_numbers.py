"""Find numbers that are no number of units: fractions, decimals and ranges. The dialog asks how many instead."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from voice.dialog.phrases import names_of
from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.numbers import NumberWords
from voice.orders.spans import SpanClassifier, SpanKind
from voice.orders.words import Token

KINDS: Final = frozenset({SpanKind.FRACTION, SpanKind.RANGE})
SIGNS: Final = (".", "/", "-")  # within figures
FRACTIONS: Final = frozenset("½¼¾")


class PartNumberFinder:
    """Finds these numbers in utterances about one menu, whose names may have numbers of their own."""

    def __init__(self, menu: Menu) -> None:
        """Compile the menu's names."""
        packs = list(language_packs().values())
        self._numbers = NumberWords(packs, are_diacritics_optional=True)
        items = [name for item in menu.items.values() for name in (item.name, *item.aliases)]
        self._spans = SpanClassifier(packs, self._numbers, items, [*names_of(menu)], currency=menu.currency, languages=menu.languages)

    def find(self, tokens: Sequence[Token]) -> list[tuple[int, int]]:
        """Return the places of these numbers, in code points."""
        surfaces = [token.surface for token in tokens]
        if _words().isdisjoint(surfaces) and not any(_has_sign(surface) for surface in surfaces if not surface.isalpha()):
            return []
        has_diacritics = words.has_diacritics(tokens)
        numbers = self._numbers.parse_all(tokens, has_diacritics=has_diacritics)
        spans = self._spans.classify(tokens, numbers, has_diacritics=has_diacritics)
        return [(tokens[span.start].start, tokens[span.end - 1].end) for span in spans if span.kind in KINDS]

    def first_number(self, tokens: Sequence[Token]) -> int:
        """Return the first cardinal number; 0: none."""
        numbers = self._numbers.parse_all(tokens, has_diacritics=words.has_diacritics(tokens))
        return next((number.value for number in numbers if number is not None and not number.article), 0)


def _has_sign(surface: str) -> bool:
    return surface in FRACTIONS or (surface[0].isdecimal() and any(sign in surface for sign in SIGNS))


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    """Return the words without which a number in words is no fraction and no range."""
    found: set[str] = set()
    for pack in language_packs().values():
        spans = pack.spans
        for way in (*spans.halves, *spans.half_of, *spans.shares_of, *spans.points, *spans.ranges, *spans.throughs):
            found.update([spelt for word in words.phrase(way) for spelt in (word, words.fold(word)) if len(word) > 1])
    return frozenset(found)
