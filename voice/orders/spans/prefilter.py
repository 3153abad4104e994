"""A quick test of whether an utterance may have a number other than a quantity: a tenth of the time of classifying its spans."""

from collections.abc import Sequence
from typing import Final

from voice.orders.numbers import MIN_DIGIT_RUN, TEN, THOUSAND, Number, NumberWords
from voice.orders.spans.menu_names import MenuNames
from voice.orders.spans.numerals import VULGAR_FRACTIONS
from voice.orders.spans.vocabulary import SpanVocabulary

MIN_LONG_NUMBER: Final = 3  # digits
_CLAUSE_STARTS: Final = frozenset(",;.:!?…\n")


class Prefilter:
    """The words beside which a number may have another type than a quantity, with diacritics and without."""

    def __init__(self, vocabularies: Sequence[SpanVocabulary], names: MenuNames, number_words: NumberWords) -> None:
        """Collect the words."""
        self._names = names
        self._number_words = number_words
        with_diacritics = vocabularies[0]
        self._homophones = with_diacritics.homophones
        self._streets = with_diacritics.streets
        self._article_units = with_diacritics.article_units
        self._adjectives = with_diacritics.adjectives
        self._special: set[str] = set(VULGAR_FRACTIONS) | with_diacritics.zero_words  # words of numbers that are no cardinal numbers
        self._homophone_openers = set(_CLAUSE_STARTS)
        self._weak_openings: set[str] = set()
        openings: set[str] = set()
        self._behind: set[str] = set(VULGAR_FRACTIONS)  # words that assign a type to the number before them
        for vocabulary in vocabularies:
            self._special |= vocabulary.half_words | {phrase[0] for phrase in vocabulary.half_suffixes if len(phrase) == 1}
            self._special |= {phrase[0] for phrase in vocabulary.share_prefixes} - {"a"}
            self._homophone_openers |= vocabulary.conjunctions | {phrase[-1] for phrase in vocabulary.requests}
            self._weak_openings |= set(vocabulary.weak_openings)
            openings |= set(vocabulary.openings) | vocabulary.ordinal_openings | vocabulary.range_openings | vocabulary.decimal_points
            for table in (vocabulary.units, vocabulary.glued_units, vocabulary.decimal_units):
                self._behind |= set(table)
            self._behind |= vocabulary.ordinal_suffixes | vocabulary.ranges | vocabulary.range_joins | vocabulary.decimal_points
            self._behind |= {phrase[0] for phrase in vocabulary.half_suffixes}
            self._behind |= {phrase[1] for phrase in vocabulary.share_prefixes if len(phrase) > 1}
        self._before = (openings - self._weak_openings) | names.series_words  # words that assign a type to the number behind them

    def passes(self, surfaces: tuple[str, ...], numbers: Sequence[Number | None]) -> bool:
        """Return whether the utterance needs a classification; `numbers`: the result of `NumberWords.parse_all`."""
        digits = 0  # spoken one by one up to here
        for start, surface in enumerate(surfaces):
            number = numbers[start]
            if number is None:
                digits = digits + 1 if self._number_words.is_zero(surface) else 0
                if self._is_special(surfaces, start):
                    return True
            elif number.article:
                digits = 0
                if number.end < len(surfaces) and surfaces[number.end] in self._article_units:
                    return True
            else:
                digits = digits + 1 if number.end == start + 1 and number.value < TEN else 0
                if digits >= MIN_DIGIT_RUN or self._may_be_typed(surfaces, start, number):
                    return True
        return False

    def _is_special(self, surfaces: tuple[str, ...], start: int) -> bool:
        """Return whether a token other than a cardinal number may be a number or assign a type to one."""
        surface = surfaces[start]
        if surface[0].isdecimal() or surface in self._special or (start and surface in self._streets):
            return True
        if surface not in self._homophones or (start and surfaces[start - 1] not in self._homophone_openers):
            return False
        return start + 1 < len(surfaces) and self._is_countable(surfaces[start + 1])

    def _may_be_typed(self, surfaces: tuple[str, ...], start: int, number: Number) -> bool:
        """Return whether a cardinal number may be of another type than a quantity."""
        behind = surfaces[number.end] if number.end < len(surfaces) else ""
        if number.value >= THOUSAND or behind in self._behind:
            return True
        before = surfaces[start - 1] if start else ""
        if start and (before in self._before or (before in self._weak_openings and not self._is_countable(behind))):
            return True
        surface = surfaces[start]
        if not surface[0].isdecimal():
            return False
        is_code = len(before) == 1 and before.isalpha()
        return is_code or surface[0] == "0" or len(surface) >= MIN_LONG_NUMBER

    def _is_countable(self, surface: str) -> bool:
        return self._names.is_noun(surface) or surface in self._adjectives
