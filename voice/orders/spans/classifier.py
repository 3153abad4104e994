"""Classify the numbers of an utterance by type: only quantities and fractions count items."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from voice.orders import words
from voice.orders.language_packs import LanguagePack
from voice.orders.numbers import MIN_DIGIT_RUN, THOUSAND, Number, NumberWords
from voice.orders.spans.identifiers import code, phone_number, phone_span, spoken_digits
from voice.orders.spans.kinds import Span, SpanKind
from voice.orders.spans.menu_names import MenuNames
from voice.orders.spans.numerals import begins_below_one, numeral_at, unit_behind
from voice.orders.spans.prefilter import Prefilter
from voice.orders.spans.quantities import half, homophone, share
from voice.orders.spans.rules import classify_numeral
from voice.orders.spans.separators import chat_prefix, separated_digits
from voice.orders.spans.utterance import Utterance
from voice.orders.spans.vocabulary import Phrase, SpanVocabulary
from voice.orders.words import Token

MAX_SPOKEN_ZEROS: Final = 2  # among the first digits of a telephone number; zeros are no cardinal numbers
# Source: ISO 4217, currencies without a minor unit.
WHOLE_CURRENCIES: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)


class SpanClassifier:
    """Classifies the numbers of utterances about one menu."""

    def __init__(
        self,
        packs: Iterable[LanguagePack],
        number_words: NumberWords,
        items: Iterable[str],
        choices: Iterable[str],
        *,
        currency: str,
        languages: Iterable[str] = (),
    ) -> None:
        """Index the words of the languages and the names of items and choices; `languages`: the menu's, all if empty."""
        all_packs = list(packs)
        menu_languages = set(languages)
        menu_packs = [pack for pack in all_packs if pack.language in menu_languages or not menu_languages]
        self.numbers = number_words
        self._has_minor_unit = currency not in WHOLE_CURRENCIES
        self._with_diacritics = SpanVocabulary(all_packs, menu_packs, folded=False)
        self._without_diacritics = SpanVocabulary(all_packs, menu_packs, folded=True)
        vocabularies = (self._with_diacritics, self._without_diacritics)
        self.homophones = self._with_diacritics.homophones
        self._names = MenuNames(number_words, all_packs, vocabularies, items, choices)
        self._names.measures = {measure for name in self._names.with_number for measure in self._measures(name)}
        self._prefilter = Prefilter(vocabularies, self._names, number_words)

    def spellings(self, name: Phrase) -> list[Phrase]:
        """Return a name with its numbers in digits, then with a word for "number" before a last one: "combo 2", "combo number 2"."""
        return self._names.in_digits_and_labelled(name)

    def needed(self, surfaces: tuple[str, ...], numbers: Sequence[Number | None]) -> bool:
        """Return whether an utterance may have a number other than a quantity, so that `classify` is needed."""
        return self._prefilter.passes(surfaces, numbers)

    def classify(self, tokens: Sequence[Token], numbers: Sequence[Number | None], *, has_diacritics: bool) -> list[Span]:
        """Return the spans in order; they do not overlap.

        `numbers`: the result of `NumberWords.parse_all`; `has_diacritics`: the utterance is written with diacritics.
        """
        utterance = self._utterance(tokens, numbers, has_diacritics=has_diacritics)
        cardinals = sum([number is not None for number in numbers])
        digit_runs = spoken_digits(utterance) if cardinals >= MIN_DIGIT_RUN - MAX_SPOKEN_ZEROS else {}
        spans: list[Span] = []
        start = left = 0  # the token to look at; the end of the last span
        while start < utterance.count:
            span = chat_prefix(utterance, start) if utterance.begins_line(start) else None
            if span is None and start in digit_runs:
                span = phone_span(utterance, start, digit_runs[start], left)
            if span is None and _may_begin_number(utterance, start):
                span = _span_at(utterance, start, left)
            if span is None:
                start += 1
            else:
                spans.append(span)
                start = left = max(span.end, start + 1)
        return spans

    def _utterance(self, tokens: Sequence[Token], numbers: Sequence[Number | None], *, has_diacritics: bool) -> Utterance:
        vocabulary = self._with_diacritics if has_diacritics else self._without_diacritics
        return Utterance(tokens, numbers, vocabulary, self._names, self.numbers, has_minor_unit=self._has_minor_unit)

    def _measures(self, name: Sequence[Token]) -> list[tuple[SpanKind, int | Fraction]]:
        """Return the sizes, prices and other typed numbers in a name of the menu."""
        has_diacritics = words.has_diacritics(name)
        utterance = self._utterance(name, self.numbers.parse_all(name, has_diacritics=has_diacritics), has_diacritics=has_diacritics)
        measures: list[tuple[SpanKind, int | Fraction]] = []
        for start in range(len(name)):
            numeral = numeral_at(utterance, start)
            unit = unit_behind(utterance, numeral, in_name=True) if numeral is not None else None
            if numeral is not None and (unit is not None or numeral.value >= THOUSAND):
                measures.append((unit[0] if unit is not None else SpanKind.MONEY, numeral.value))
        return measures


def _may_begin_number(utterance: Utterance, start: int) -> bool:
    """Return whether a token may begin a number or a name with one."""
    surface = utterance.surfaces[start]
    return (
        utterance.numbers[start] is not None
        or not surface.isalpha()
        or surface in utterance.vocabulary.fraction_starts
        or surface in utterance.vocabulary.homophones
        or surface in utterance.vocabulary.zero_words
        or utterance.names.begins_numbered(utterance.tokens[start])
        or begins_below_one(utterance, start)
    )


def _span_at(utterance: Utterance, start: int, left: int) -> Span | None:
    """Return the span of the number that begins at a token; `left`: the end of the previous span."""
    surface = utterance.surfaces[start]
    name_end = utterance.names.numbered_end(utterance.tokens, utterance.numbers, start)
    if name_end:
        return Span(SpanKind.NAME, start, name_end, None)
    if surface in utterance.vocabulary.homophones:
        return homophone(utterance, start)
    span = share(utterance, start) if surface in utterance.vocabulary.share_starts else None
    if span is None and surface[0].isdecimal() and not surface.isdecimal():
        span = separated_digits(utterance, start, left)
    if span is not None:
        return span
    numeral = numeral_at(utterance, start)
    if numeral is None:
        return phone_number(utterance, start, left) if surface.isdecimal() else half(utterance, start)
    return code(utterance, numeral, start, left) or classify_numeral(utterance, numeral, start, left) or half(utterance, start)
