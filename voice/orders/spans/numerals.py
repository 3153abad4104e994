"""Numerals: numbers with their fractions and multipliers, and the units behind them."""

import re
from fractions import Fraction
from typing import Final

from voice.orders.spans.kinds import Numeral, SpanKind
from voice.orders.spans.utterance import Utterance

HOURS: Final = 24
MAX_QUANTITY_DIGITS: Final = 9  # a longer number is no numeral
ROUND_MINUTES: Final = 5  # other values of a unit that is also a classifier count servings: "3p"
MAX_DENOMINATOR: Final = 8
_GROUPED: Final = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
_DECIMAL: Final = re.compile(r"\d+\.\d+")
_VULGAR_FRACTION: Final = re.compile(r"(\d+)/(\d+)")
VULGAR_FRACTIONS: Final = {"½": Fraction(1, 2), "¼": Fraction(1, 4), "¾": Fraction(3, 4), "⅓": Fraction(1, 3), "⅔": Fraction(2, 3)}


def is_grouped(surface: str) -> bool:
    """Return whether digits are grouped by thousands: "42.000"."""
    return _GROUPED.fullmatch(surface) is not None


def vulgar_fraction(surface: str) -> Fraction | None:
    """Return the value of a fraction below one that is written with a slash; None for other digits, such as a date."""
    match = _VULGAR_FRACTION.fullmatch(surface)
    if match is None or not 0 < int(match[1]) < int(match[2]) <= MAX_DENOMINATOR:
        return None
    return Fraction(int(match[1]), int(match[2]))


def numeral_at(utterance: Utterance, start: int) -> Numeral | None:
    """Parse the number that begins at a token, with a fraction behind it and a multiplier behind that."""
    number = utterance.numbers[start]
    first = Numeral(number.end, number.value, decimal=False, article=number.article) if number is not None else _written(utterance, start)
    if first is None:
        return None
    end, value, decimal, article = first.end, first.value, first.decimal, first.article
    base = number.base if number is not None else 0
    surfaces = utterance.surfaces
    fraction = vulgar_fraction(surfaces[end]) if end < utterance.count else None
    if fraction is not None and surfaces[start].isdecimal() and (utterance.is_countable(end + 1) or utterance.multiplier(end + 1)):
        value, end, decimal = value + fraction, end + 1, True
    if not article:
        point = utterance.numbers[end + 1] if end + 1 < utterance.count and surfaces[end] in utterance.vocabulary.decimal_points else None
        if point is not None and not point.article:
            value, end, decimal = value + Fraction(point.value, 10 ** len(str(point.value))), point.end, True
        if end < utterance.count and surfaces[end] in VULGAR_FRACTIONS:
            value, end, decimal = value + VULGAR_FRACTIONS[surfaces[end]], end + 1, True
        halved = utterance.phrase_end(utterance.vocabulary.half_suffixes, end)
        if halved:  # of the multiplier, if there is one: "trăm rưỡi" is 150
            value, end, decimal = value + Fraction(max(base, 1), 2), halved, not base
    factor = utterance.multiplier(end) if base == 0 else 0
    if factor and (decimal or (number is None and value)):
        value, end, decimal = value * factor, end + 1, False
    if isinstance(value, Fraction) and value.denominator == 1:
        value = int(value)
    return Numeral(end, value, decimal=decimal, article=article)


def _written(utterance: Utterance, start: int) -> Numeral | None:
    """Parse a number other than a cardinal number: many digits, a decimal, a fraction, a zero."""
    surface = utterance.surfaces[start]
    vocabulary = utterance.vocabulary
    if surface.isdecimal() and len(surface) <= MAX_QUANTITY_DIGITS:
        return Numeral(start + 1, int(surface), decimal=False, article=False)
    if surface in VULGAR_FRACTIONS:
        return Numeral(start + 1, VULGAR_FRACTIONS[surface], decimal=True, article=False)
    if surface in vocabulary.zero_words and (utterance.is_plural(start + 1) or not utterance.names.is_noun(surface)):
        return Numeral(start + 1, 0, decimal=False, article=False)
    if begins_below_one(utterance, start):
        return Numeral(start if surface in vocabulary.decimal_points else start + 1, 0, decimal=False, article=False)
    if is_grouped(surface):
        return Numeral(start + 1, int(surface.replace(".", "")), decimal=True, article=False)
    if _DECIMAL.fullmatch(surface):
        return Numeral(start + 1, Fraction(surface), decimal=True, article=False)
    fraction = vulgar_fraction(surface)
    if fraction is None:
        return None
    return Numeral(start + (2 if utterance.begins_item_with_article(start + 1) else 1), fraction, decimal=True, article=False)


def begins_below_one(utterance: Utterance, start: int) -> bool:
    """Return whether a decimal below one begins at a token: "không phẩy năm", "point five"."""
    points = utterance.vocabulary.decimal_points
    surface = utterance.surfaces[start]
    point = start if surface in points else start + 1
    if point + 1 >= utterance.count or utterance.surfaces[point] not in points or utterance.numbers[point + 1] is None:
        return False
    return point == start or utterance.number_words.is_zero(surface)


def half_at(utterance: Utterance, start: int) -> Numeral | None:
    """Parse a half before its unit: "half an hour"."""
    if utterance.surfaces[start] not in utterance.vocabulary.half_words:
        return None
    article = utterance.numbers[start + 1] if start + 1 < utterance.count else None
    end = article.end if article is not None and article.article else start + 1
    return Numeral(end, Fraction(1, 2), decimal=True, article=False)


# --- Units --------------------------------------------------------------------------------------------------------------------------


def unit_behind(utterance: Utterance, numeral: Numeral, *, in_name: bool = False) -> tuple[SpanKind, int] | None:
    """Return the type that the unit behind a numeral assigns to it, and the unit's end; `in_name`: the tokens are a name of the menu."""
    end = numeral.end
    if end >= utterance.count:
        return None
    vocabulary = utterance.vocabulary
    tables = [vocabulary.units]
    if utterance.ends_clause(end + 1):
        tables.append(vocabulary.ambiguous_units)
    if utterance.surfaces[end - 1][0].isdecimal() and utterance.is_glued(end):
        tables.insert(0, vocabulary.glued_units)
        if numeral.decimal or in_name or numeral.value == 1:
            tables.insert(0, vocabulary.decimal_units)
    for table in tables:
        for unit, kind in table.get(utterance.surfaces[end], ()):
            unit_end = end + len(unit)
            if utterance.surfaces[end:unit_end] != unit or (numeral.article and unit[0] not in vocabulary.article_units):
                continue
            if in_name or _is_unit(utterance, numeral, kind, unit_end):
                return kind, unit_end
    return None


def _is_unit(utterance: Utterance, numeral: Numeral, kind: SpanKind, end: int) -> bool:
    """Return whether the words before `end` are a unit here, and not a noun or a classifier."""
    surface = utterance.surfaces[numeral.end]
    if kind is SpanKind.TIME and not 0 <= numeral.value <= HOURS and surface != "past":
        return False
    if kind is SpanKind.PARTY:
        return not utterance.item_end(numeral.end)
    if end - numeral.end > 1 or numeral.decimal or kind is SpanKind.PERCENTAGE:
        return True
    if surface in utterance.vocabulary.classifiers:
        return bool(utterance.closing_end(kind, end)) or (numeral.value % ROUND_MINUTES == 0 and not utterance.is_countable(end))
    if kind is SpanKind.LABEL and end < utterance.count and utterance.tokens[end].capital:
        return True
    return not utterance.names.is_unmeasured(surface)
