"""One utterance and its numbers, and the words around them."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from typing import Final

from voice.orders import words
from voice.orders.numbers import Number, NumberWords
from voice.orders.spans.kinds import SpanKind
from voice.orders.spans.menu_names import MenuNames
from voice.orders.spans.vocabulary import Phrase, PhraseTable, SpanVocabulary
from voice.orders.words import Token

MAX_PHRASE: Final = 8  # tokens before a number


class Utterance:
    """The tokens of an utterance with the vocabulary and the menu's names against which they are matched.

    Methods named `*_end` return the token behind a match, 0 if there is none.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        numbers: Sequence[Number | None],
        vocabulary: SpanVocabulary,
        names: MenuNames,
        number_words: NumberWords,
        *,
        has_minor_unit: bool,
    ) -> None:
        """`numbers`: the result of `NumberWords.parse_all`; `has_minor_unit`: the menu's currency has cents."""
        self.tokens = tokens
        self.numbers = numbers
        self.vocabulary = vocabulary
        self.names = names
        self.number_words = number_words
        self.has_minor_unit = has_minor_unit
        self.surfaces = tuple([token.surface for token in tokens])
        self.count = len(tokens)

    # --- Phrases ----------------------------------------------------------------------------------------------------------------------

    def phrase_end(self, phrases: Iterable[Phrase], start: int) -> int:
        """Return the end of the first of the phrases that begins at a token."""
        for phrase in phrases:
            if self.surfaces[start : start + len(phrase)] == phrase:
                return start + len(phrase)
        return 0

    def follows(self, phrases: AbstractSet[Phrase], start: int) -> bool:
        """Return whether a token stands right behind one of the phrases."""
        return any(self.surfaces[begin:start] in phrases for begin in range(max(0, start - MAX_PHRASE), start))

    def opening(self, table: PhraseTable, start: int, left: int) -> tuple[SpanKind, int] | None:
        """Return the type that a phrase before a number assigns to it, and the token where the phrase begins.

        The phrase does not begin before `left`, the end of the previous span.
        """
        if start - 1 > left and self.surfaces[start - 1] == "." and self.is_glued(start) and self.is_glued(start - 1):
            start -= 1  # an abbreviation: "P.302"
        if start <= left:
            return None
        for phrase, kind in table.get(self.surfaces[start - 1], ()):
            begin = start - len(phrase)
            if begin < left or self.surfaces[begin:start] != phrase:
                continue
            word = phrase[0]
            if len(phrase) == 1 and len(word) == 1 and word.isalpha() and self.is_glued(begin):
                continue  # a unit of the number before: "2p 1"
            if len(phrase) == 1 and self.names.is_unmeasured(word):
                continue  # also a word of the menu
            return kind, begin
        return None

    def closing_end(self, kind: SpanKind, start: int) -> int:
        """Return the end of a phrase at a token that may be the last of a span of this type."""
        if start < self.count:
            for phrase, closed_kind in self.vocabulary.closings.get(self.surfaces[start], ()):
                if closed_kind is kind and self.surfaces[start : start + len(phrase)] == phrase:
                    return start + len(phrase)
        return 0

    # --- Single tokens ----------------------------------------------------------------------------------------------------------------

    def begins_line(self, start: int) -> bool:
        """Return whether a token is the first of its line of text."""
        return start == 0 or self.surfaces[start - 1] == "\n"

    def ends_clause(self, end: int) -> bool:
        """Return whether a clause ends before a token."""
        return end == self.count or words.is_punctuation(self.surfaces[end])

    def is_glued(self, position: int) -> bool:
        """Return whether a token is written together with the one before it."""
        return 0 < position < self.count and self.tokens[position - 1].end == self.tokens[position].start

    def is_classifier(self, position: int) -> bool:
        """Return whether there is a classifier: a word between a number and its noun, as "ly"."""
        return position < self.count and self.surfaces[position] in self.vocabulary.classifiers

    def is_countable(self, position: int) -> bool:
        """Return whether a countable phrase begins at a token."""
        if position >= self.count:
            return False
        surface = self.surfaces[position]
        return surface in self.vocabulary.classifiers or surface in self.vocabulary.adjectives or self.names.is_noun(surface)

    def is_plural(self, position: int) -> bool:
        """Return whether a countable phrase begins at a token, with an English plural."""
        return self.is_countable(position) and self.surfaces[position] != words.singular(self.surfaces[position])

    def multiplier(self, position: int) -> int:
        """Return the factor of a word, 12 of "dozen"; 0: it has none."""
        return self.number_words.multiplier(self.surfaces[position]) if position < self.count else 0

    # --- Names of the menu ------------------------------------------------------------------------------------------------------------

    def item_end(self, start: int) -> int:
        """Return the end of the longest name of an item that begins at a token."""
        return self.names.item_end(self.tokens, start)

    def begins_item_with_article(self, position: int) -> bool:
        """Return whether an article and the name of an item begin at a token."""
        number = self.numbers[position] if position < self.count else None
        return number is not None and number.article and self.item_end(number.end) > 0

    def unknown_in_series(self, start: int, value: int | Fraction) -> int:
        """Return the start of the head of a numbered series of the menu that lacks the number at a token; -1 where there is none."""
        return self.names.unknown_in_series(self.tokens, start, value)
