"""Rules that assign a type to a numeral by its unit, opening phrase and size; `classify_numeral` tries the most reliable first."""

import re
from fractions import Fraction
from typing import Final

from voice.orders.numbers import THOUSAND
from voice.orders.spans.extent import MINUTES, extended
from voice.orders.spans.identifiers import address, phone_number
from voice.orders.spans.kinds import Numeral, Span, SpanKind
from voice.orders.spans.numerals import HOURS, unit_behind
from voice.orders.spans.quantities import number_range, quantity
from voice.orders.spans.utterance import Utterance

MAX_DAY: Final = 31
MAX_PARTY: Final = 50
YEARS: Final = range(1900, 2100)
_CENTS: Final = re.compile(r"\d+\.\d\d")


def classify_numeral(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    """Classify a numeral by the words around it; None for an article without a unit. `left`: the end of the previous span."""
    span = (
        _date_with_opening(utterance, numeral, start, left)
        or _ordinal_with_opening(utterance, numeral, start, left)
        or _with_unit(utterance, numeral, start, left)
    )
    if span is not None or numeral.article:
        return span
    return (
        number_range(utterance, numeral, start)
        or _money_in_words(utterance, numeral, start)
        or _ordinal_with_suffix(utterance, numeral, start, left)
        or phone_number(utterance, start, left)
        or _missing_in_series(utterance, numeral, start, left)
        or _with_opening(utterance, numeral, start, left)
        or _with_weak_opening(utterance, numeral, start, left)
        or address(utterance, numeral, start)
        or _year(utterance, numeral, start)
        or _price(utterance, numeral, start)
        or quantity(utterance, numeral, start)
    )


# --- Units --------------------------------------------------------------------------------------------------------------------------


def _with_unit(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    unit = unit_behind(utterance, numeral)
    if unit is None:
        return None
    kind, end = unit
    if (kind, numeral.value) in utterance.names.measures:
        return Span(SpanKind.NAME, start, end, numeral.value)
    vocabulary = utterance.vocabulary
    opening = utterance.opening(vocabulary.openings, start, left) or utterance.opening(vocabulary.weak_openings, start, left)
    begin = opening[1] if opening is not None and opening[0] is kind else start
    return extended(utterance, kind, begin, end, numeral.value)


def _money_in_words(utterance: Utterance, numeral: Numeral, start: int) -> Span | None:
    """Classify a number that ends with a unit of money ("hai mươi nghìn"), unless a classifier follows."""
    unit = utterance.surfaces[numeral.end - 1]
    if numeral.end - 1 <= start or ((unit,), SpanKind.MONEY) not in utterance.vocabulary.units.get(unit, ()):
        return None
    if utterance.is_classifier(numeral.end):
        return None
    if (SpanKind.MONEY, numeral.value) in utterance.names.measures:
        return Span(SpanKind.NAME, start, numeral.end, numeral.value)
    return extended(utterance, SpanKind.MONEY, start, numeral.end, numeral.value)


# --- Dates and ordinals -------------------------------------------------------------------------------------------------------------


def _date_with_opening(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    opening = utterance.opening(utterance.vocabulary.openings, start, left)
    if opening is None or opening[0] is not SpanKind.DATE or numeral.article:
        return None
    return extended(utterance, SpanKind.DATE, opening[1], numeral.end, numeral.value)


def _ordinal_with_opening(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    """Classify "thứ 2" as an ordinal or a weekday; before a classifier it is a quantity."""
    opened = start > left and utterance.surfaces[start - 1] in utterance.vocabulary.ordinal_openings
    if not opened or utterance.is_classifier(numeral.end):
        return None
    return _ordinal(utterance, start - 1, numeral.end, left, numeral.value)


def _ordinal_with_suffix(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    """Classify "2nd"."""
    end = numeral.end
    if not utterance.is_glued(end) or utterance.surfaces[end] not in utterance.vocabulary.ordinal_suffixes:
        return None
    return _ordinal(utterance, start, end + 1, left, numeral.value)


def _ordinal(utterance: Utterance, start: int, end: int, left: int, value: int | Fraction) -> Span:
    """Distinguish an ordinal, a date, a weekday and a numbered street."""
    unit = unit_behind(utterance, Numeral(end, value, decimal=False, article=False))
    if unit is not None and unit[0] in {SpanKind.DATE, SpanKind.LABEL}:
        return extended(utterance, unit[0], start, unit[1], value)
    opening = utterance.opening(utterance.vocabulary.openings, start, left)
    if opening is not None and opening[0] is SpanKind.DATE:
        return extended(utterance, SpanKind.DATE, opening[1], end, value)
    neighbours = {utterance.surfaces[place] for place in (start - 1, end) if 0 <= place < utterance.count}
    kind = SpanKind.ORDINAL if neighbours.isdisjoint(utterance.vocabulary.weekdays) else SpanKind.DATE
    return Span(kind, start, end, value)


def _year(utterance: Utterance, numeral: Numeral, start: int) -> Span | None:
    one_token = numeral.end == start + 1
    if numeral.value not in YEARS or numeral.decimal or not one_token or utterance.is_countable(numeral.end):
        return None
    return extended(utterance, SpanKind.DATE, start, numeral.end, numeral.value)


# --- Opening phrases ----------------------------------------------------------------------------------------------------------------


def _missing_in_series(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    """Classify a number that a numbered series of the menu lacks: "combo 9"."""
    head = utterance.unknown_in_series(start, numeral.value)
    if head < left or utterance.is_classifier(numeral.end):
        return None
    return Span(SpanKind.LABEL, head, numeral.end, numeral.value)


def _with_opening(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    opening = utterance.opening(utterance.vocabulary.openings, start, left)
    if opening is None:
        return None
    kind, begin = opening
    # Without diacritics the opening of a label may be another word: "ban" is "bàn" (table) or "bán" (sell).
    if kind is SpanKind.LABEL and utterance.vocabulary.is_folded and utterance.is_countable(numeral.end):
        return None
    if kind is SpanKind.TIME and numeral.value > HOURS:
        return None
    return extended(utterance, kind, begin, numeral.end, numeral.value)


def _with_weak_opening(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    """Classify a numeral behind an ambiguous opening phrase, if nothing countable follows."""
    end, value = numeral.end, numeral.value
    vocabulary = utterance.vocabulary
    opening = utterance.opening(vocabulary.weak_openings, start, left)
    if opening is None or utterance.is_countable(end) or utterance.phrase_end(vocabulary.partitives, end):
        return None
    if utterance.follows(vocabulary.no_openings, start):
        return None
    kind, begin = opening
    if kind is SpanKind.TIME and value > HOURS:
        hours_and_minutes = value % 100 < MINUTES and value // 100 <= HOURS  # "at 830"
        if not hours_and_minutes or utterance.closing_end(SpanKind.TEMPERATURE, end):
            kind = SpanKind.TEMPERATURE
    if kind is SpanKind.DATE and value > MAX_DAY:
        return None
    if (kind is SpanKind.TIME and value < 1) or (kind is SpanKind.PARTY and value > MAX_PARTY):
        return None
    return extended(utterance, kind, begin, end, value)


# --- Prices -------------------------------------------------------------------------------------------------------------------------


def _price(utterance: Utterance, numeral: Numeral, start: int) -> Span | None:
    """Classify a number with cents, if the currency has cents, or a number too large for a quantity."""
    one_token = numeral.end == start + 1
    cents = utterance.has_minor_unit and one_token and _CENTS.fullmatch(utterance.surfaces[start]) is not None
    if not cents and (numeral.value < THOUSAND or not _is_price(utterance, numeral, start)):
        return None
    return extended(utterance, SpanKind.MONEY, start, numeral.end, numeral.value)


def _is_price(utterance: Utterance, numeral: Numeral, start: int) -> bool:
    """Return whether a large number counts nothing behind it and is not the new quantity of a line."""
    if utterance.follows(utterance.vocabulary.quantity_setters, start):
        return False
    if not utterance.has_minor_unit and numeral.decimal and not utterance.is_plural(numeral.end):
        return not utterance.is_classifier(numeral.end)
    return (not utterance.has_minor_unit or numeral.decimal) and not utterance.is_countable(numeral.end)
