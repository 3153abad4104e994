"""Quantities: fractions, ranges, and homophones of numbers."""

from fractions import Fraction
from typing import Final

from voice.orders import words
from voice.orders.spans.extent import extended
from voice.orders.spans.kinds import Numeral, Span, SpanKind
from voice.orders.spans.numerals import HOURS, half_at, numeral_at, unit_behind
from voice.orders.spans.utterance import Utterance

MAX_MODIFIERS: Final = 2  # between a homophone of a number and its noun
HALF: Final = Fraction(1, 2)


def quantity(utterance: Utterance, numeral: Numeral, start: int) -> Span:
    """Return a numeral as a quantity, with a half behind its classifier: "2 ly rưỡi"."""
    if utterance.is_classifier(numeral.end):
        half_end = utterance.phrase_end(utterance.vocabulary.half_suffixes, numeral.end + 1)
        if half_end:
            return Span(SpanKind.FRACTION, start, half_end, numeral.value + HALF)
    kind = SpanKind.QUANTITY if isinstance(numeral.value, int) else SpanKind.FRACTION
    return Span(kind, start, numeral.end, numeral.value)


def share(utterance: Utterance, start: int) -> Span | None:
    """Parse half a unit ("nửa lít") or a share of an item ("a quarter of a pizza")."""
    end = utterance.phrase_end(utterance.vocabulary.share_prefixes, start)
    if end and (utterance.item_end(end) or utterance.is_countable(end)):
        return Span(SpanKind.FRACTION, start, end, None)
    numeral = half_at(utterance, start)
    unit = unit_behind(utterance, numeral) if numeral is not None else None
    if numeral is None or unit is None or unit[0] is SpanKind.LABEL or utterance.names.begins_with_half(utterance.surfaces[start:]):
        return None
    return extended(utterance, unit[0], start, unit[1], numeral.value)


def half(utterance: Utterance, start: int) -> Span | None:
    """Parse a half before a noun, or a half behind a noun without a number (one and a half)."""
    vocabulary, surfaces = utterance.vocabulary, utterance.surfaces
    end = utterance.phrase_end(vocabulary.half_prefixes, start)
    if end and any(utterance.names.begins_with_half(surfaces[place:]) for place in (start, start + 1)):
        return None
    if end and (utterance.item_end(end) or utterance.is_classifier(end)):
        return Span(SpanKind.FRACTION, start, end, HALF)
    end = utterance.phrase_end(vocabulary.half_suffixes, start)
    if not end or not start or words.is_punctuation(surfaces[start - 1]):
        return None
    if utterance.is_classifier(start - 1):
        return Span(SpanKind.FRACTION, start - 1, end, 1 + HALF)
    return Span(SpanKind.FRACTION, start, end, 1 + HALF) if utterance.ends_clause(end) else None


def number_range(utterance: Utterance, numeral: Numeral, start: int) -> Span | None:
    """Parse "2 or 3" or "2 to 3"; a unit decides the type."""
    if numeral.end >= utterance.count:
        return None
    vocabulary = utterance.vocabulary
    word = utterance.surfaces[numeral.end]
    bounded = start > 0 and utterance.surfaces[start - 1] in vocabulary.range_openings
    joined = word in vocabulary.range_joins or (bounded and word in vocabulary.conjunctions)
    if word not in vocabulary.ranges and not joined:
        return None
    second = numeral_at(utterance, numeral.end + 1) if numeral.end + 1 < utterance.count else None
    if second is None or second.article or not numeral.value < second.value:
        return None
    unit = unit_behind(utterance, second)
    if unit is not None:
        return extended(utterance, unit[0], start, unit[1], None)
    if not utterance.is_countable(second.end):
        is_time = bounded and joined and second.value <= HOURS
        return extended(utterance, SpanKind.TIME, start - 1, second.end, None) if is_time else None
    # Behind a verb of change, the words between two numbers lead from the old quantity to the new one.
    changed = not vocabulary.change_verbs.isdisjoint(utterance.surfaces[:start])
    return Span(SpanKind.RANGE, start, second.end, None) if word in vocabulary.ranges or not changed else None


def homophone(utterance: Utterance, start: int) -> Span | None:
    """Accept a homophone of a number at the beginning of a clause, before a noun whose grammatical number agrees with it."""
    vocabulary, surfaces = utterance.vocabulary, utterance.surfaces
    before = surfaces[start - 1] if start else ","
    if not (words.is_punctuation(before) or before in vocabulary.conjunctions or utterance.follows(vocabulary.requests, start)):
        return None
    if utterance.phrase_end(vocabulary.homophone_phrases, start):
        return None
    value = vocabulary.homophones[surfaces[start]]
    for place in range(start + 1, min(start + 2 + MAX_MODIFIERS, utterance.count)):
        end = utterance.item_end(place)
        if end:
            is_plural = surfaces[end - 1] != words.singular(surfaces[end - 1])
            return Span(SpanKind.QUANTITY, start, start + 1, value) if is_plural == (value > 1) else None
        if not utterance.is_countable(place):
            return None
    return None
