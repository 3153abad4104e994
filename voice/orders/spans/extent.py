"""The extent of typed spans: minutes behind hours, a year behind a month, further digits of a telephone number."""

from fractions import Fraction
from typing import Final

from voice.orders.numbers import THOUSAND
from voice.orders.spans.kinds import Numeral, Span, SpanKind
from voice.orders.spans.numerals import numeral_at, unit_behind
from voice.orders.spans.utterance import Utterance

MINUTES: Final = 60


def extended(utterance: Utterance, kind: SpanKind, start: int, end: int, value: int | Fraction | None) -> Span:
    """Return a span with its continuations."""
    while end < utterance.count:
        longer = (
            utterance.closing_end(kind, end)
            or utterance.phrase_end(utterance.vocabulary.half_suffixes, end)
            or _continuation_end(utterance, kind, end)
        )
        if not longer:
            break
        end = longer
    return Span(kind, start, end, value)


def _continuation_end(utterance: Utterance, kind: SpanKind, end: int) -> int:
    """Return the end of a further number of a span that ends before `end`; 0 where there is none."""
    surface = utterance.surfaces[end]
    if kind is SpanKind.PHONE:
        digits = surface[0].isdecimal() or utterance.numbers[end] is not None
        return end + 1 if digits and not utterance.is_countable(end) and not utterance.is_countable(end + 1) else 0
    if kind is SpanKind.LABEL:
        letter = utterance.is_glued(end) and len(surface) == 1 and surface.isalpha()
        return end + 1 if letter and utterance.surfaces[end - 1][0].isdecimal() else 0  # "14A"
    if kind is SpanKind.SIZE:
        return end + 1 if utterance.is_glued(end) and surface.isdecimal() else 0  # "1l5"
    if kind is SpanKind.DATE:
        return _date_end(utterance, end)
    numeral = numeral_at(utterance, end)
    if numeral is not None and not numeral.article:
        return _smaller_unit_end(utterance, kind, end, numeral)
    return _until_end(utterance, end) if kind is SpanKind.TIME else 0


def _date_end(utterance: Utterance, end: int) -> int:
    """Return the end of a unit, or of a number with an opening, that continues a date."""
    for unit, kind in utterance.vocabulary.units.get(utterance.surfaces[end], ()):
        if kind is SpanKind.DATE and utterance.surfaces[end : end + len(unit)] == unit:
            return end + len(unit)
    for number_start in range(end + 1, min(end + 3, utterance.count)):
        numeral = numeral_at(utterance, number_start)
        if numeral is not None and utterance.opening(utterance.vocabulary.openings, number_start, end) == (SpanKind.DATE, end):
            return numeral.end
    return 0


def _until_end(utterance: Utterance, end: int) -> int:
    """Return the end of a second time of day: "from 5 to 6"."""
    if utterance.surfaces[end] not in utterance.vocabulary.range_joins or end + 1 >= utterance.count:
        return 0
    numeral = numeral_at(utterance, end + 1)
    return numeral.end if numeral is not None and not numeral.article and not utterance.is_countable(numeral.end) else 0


def _smaller_unit_end(utterance: Utterance, kind: SpanKind, end: int, numeral: Numeral) -> int:
    """Return the end of a numeral in the same or a smaller unit: minutes, cents."""
    unit = unit_behind(utterance, numeral)
    if unit is not None:
        minutes = kind is SpanKind.TIME and unit[0] is SpanKind.DURATION
        minutes = minutes and utterance.surfaces[end - 1] not in utterance.vocabulary.conjunctions
        return unit[1] if unit[0] is kind or minutes else 0
    if kind is SpanKind.MONEY and numeral.value < THOUSAND and not utterance.is_countable(numeral.end):
        return numeral.end
    if kind is SpanKind.TIME and numeral.value < MINUTES and (utterance.is_glued(end) or not utterance.is_countable(numeral.end)):
        return numeral.end
    return 0
