"""Digits with separators: clock times, dates, telephone numbers, ranges; and the prefixes of chat messages."""

import re
from typing import Final

from voice.orders.spans.extent import extended
from voice.orders.spans.identifiers import MIN_PHONE_DIGITS
from voice.orders.spans.kinds import Numeral, Span, SpanKind
from voice.orders.spans.numerals import is_grouped, unit_behind, vulgar_fraction
from voice.orders.spans.utterance import Utterance

MAX_RANGE: Final = 99
MAX_SPEAKER_TOKENS: Final = 9  # before the colon
DATE_PARTS: Final = 3  # day, month, year
PAIR: Final = 2  # parts of a range, or of a decimal
_CLOCK: Final = re.compile(r"(\d{1,2}):([0-5]\d)(?::[0-5]\d)?")
_SEPARATORS: Final = re.compile(r"[.:/-]")


def is_clock_time(surface: str) -> bool:
    """Return whether digits are hours and minutes: "8:15"."""
    return _CLOCK.fullmatch(surface) is not None


def separated_digits(utterance: Utterance, start: int, left: int) -> Span | None:
    """Classify digits by their separators; None for decimals, grouped numbers and fractions. `left`: the end of the previous span."""
    surface = utterance.surfaces[start]
    opening = utterance.opening(utterance.vocabulary.openings, start, left)
    if is_clock_time(surface):
        opening = opening or utterance.opening(utterance.vocabulary.weak_openings, start, left)
        begin = opening[1] if opening is not None and opening[0] is SpanKind.TIME else start
        return extended(utterance, SpanKind.TIME, begin, start + 1, None)
    if opening is not None and opening[0] in {SpanKind.PHONE, SpanKind.LABEL, SpanKind.DATE}:
        return extended(utterance, opening[0], opening[1], start + 1, None)
    if "/" in surface:
        return _slashed(utterance, start)
    parts = _SEPARATORS.split(surface)
    if "-" in surface:
        return _dashed(utterance, start, parts)
    if (len(parts) == PAIR and "." in surface) or is_grouped(surface):
        return None
    kind = SpanKind.PHONE if sum(map(len, parts)) > MIN_PHONE_DIGITS else SpanKind.DATE
    return Span(kind, start, start + 1, None)


def _slashed(utterance: Utterance, start: int) -> Span | None:
    """Distinguish a date, a house number of an alley ("12/5 Lê Lợi") and a fraction (None)."""
    end = start + 1
    if vulgar_fraction(utterance.surfaces[start]) is not None and (
        utterance.is_countable(end) or utterance.multiplier(end) or utterance.begins_item_with_article(end)
    ):
        return None
    street = end < utterance.count and utterance.tokens[end].capital and not utterance.is_countable(end)
    return Span(SpanKind.LABEL if street else SpanKind.DATE, start, end, None)


def _dashed(utterance: Utterance, start: int, parts: list[str]) -> Span:
    """Distinguish a range, a date and a telephone number."""
    end = start + 1
    if len(parts) == PAIR and sum(map(len, parts)) < MIN_PHONE_DIGITS and int(parts[0]) < int(parts[1]):
        unit = unit_behind(utterance, Numeral(end, int(parts[1]), decimal=False, article=False))
        if unit is not None:
            return extended(utterance, unit[0], start, unit[1], None)
        if int(parts[1]) <= MAX_RANGE:
            return Span(SpanKind.RANGE, start, end, None)
    return Span(SpanKind.DATE if len(parts) == DATE_PARTS else SpanKind.PHONE, start, end, None)


def chat_prefix(utterance: Utterance, start: int) -> Span | None:
    """Parse the time and the author that a chat export writes before a message: "[10:32] Lan:"."""
    surfaces = utterance.surfaces
    for end in range(start, min(start + MAX_SPEAKER_TOKENS, utterance.count)):
        if surfaces[end] == "\n":
            return Span(SpanKind.SPEAKER, start, end, None) if end > start and is_clock_time(surfaces[end - 1]) else None
        if surfaces[end] == ":" and end > start:
            dated = surfaces[start][0].isdecimal() or is_clock_time(surfaces[end - 1])
            clock = any(map(is_clock_time, surfaces[start:end]))
            return Span(SpanKind.SPEAKER, start, end + 1, None) if dated and clock else None
    return None
