"""Identifiers: telephone numbers, codes, house numbers."""

from typing import Final

from voice.orders import words
from voice.orders.numbers import MIN_DIGIT_RUN
from voice.orders.spans.kinds import Numeral, Span, SpanKind
from voice.orders.spans.numerals import MAX_QUANTITY_DIGITS, unit_behind
from voice.orders.spans.utterance import Utterance

MIN_PHONE_DIGITS: Final = 7
MAX_STREET_WORDS: Final = 3  # between a house number and "street"


def spoken_digits(utterance: Utterance) -> dict[int, int]:
    """Map the starts of digits that are spoken one by one to their ends; a last digit before a noun is its quantity and left out."""
    ends = {}
    for start, end in utterance.number_words.digit_runs(utterance.tokens, utterance.numbers):
        last = end - 1 if utterance.is_countable(end) else end
        if last - start >= MIN_DIGIT_RUN:
            ends[start] = last
    return ends


def phone_span(utterance: Utterance, start: int, end: int, left: int) -> Span:
    """Return a telephone number with its opening phrase; `left`: the end of the previous span."""
    opening = utterance.opening(utterance.vocabulary.openings, start, left)
    return Span(SpanKind.PHONE, opening[1] if opening is not None and opening[0] is SpanKind.PHONE else start, end, None)


def phone_number(utterance: Utterance, start: int, left: int) -> Span | None:
    """Parse a telephone number in digits: at least `MIN_PHONE_DIGITS`, grouped or not, or a leading zero."""
    surfaces = utterance.surfaces
    leading_zero = surfaces[start].startswith("0") and surfaces[start].isdecimal() and len(surfaces[start]) > 1
    end, digits = start, 0
    while end < utterance.count and surfaces[end][0].isdecimal() and "." not in surfaces[end]:
        digits += sum(map(str.isdecimal, surfaces[end]))
        end += 1
    if leading_zero:
        return phone_span(utterance, start, end, left)
    counts = end == start + 1 and digits <= MAX_QUANTITY_DIGITS and utterance.is_countable(end)
    return phone_span(utterance, start, end, left) if digits >= MIN_PHONE_DIGITS and not counts else None


def code(utterance: Utterance, numeral: Numeral, start: int, left: int) -> Span | None:
    """Parse a letter and digits that are written together and are in no name: "B12", but not the multiplication "x2"."""
    if start <= left or not utterance.is_glued(start) or not utterance.surfaces[start].isdecimal():
        return None
    letter = utterance.surfaces[start - 1]
    if len(letter) != 1 or not letter.isalpha() or letter in utterance.vocabulary.multiplication_signs:
        return None
    if utterance.names.is_noun(letter) or utterance.is_glued(start - 1) or unit_behind(utterance, numeral) is not None:
        return None
    opening = utterance.opening(utterance.vocabulary.openings, start - 1, left)
    begin = opening[1] if opening is not None and opening[0] is SpanKind.LABEL else start - 1
    return Span(SpanKind.LABEL, begin, numeral.end, numeral.value)


def address(utterance: Utterance, numeral: Numeral, start: int) -> Span | None:
    """Parse a house number with the name of its street behind it: "123 Main Street"."""
    if not utterance.surfaces[start].isdecimal():
        return None
    for place in range(numeral.end, min(numeral.end + MAX_STREET_WORDS, utterance.count)):
        if words.is_punctuation(utterance.surfaces[place]) or utterance.is_countable(place):
            return None
        if place + 1 < utterance.count and utterance.surfaces[place + 1] in utterance.vocabulary.streets:
            return None if utterance.is_countable(place + 1) else Span(SpanKind.LABEL, start, place + 2, None)
    return None
