"""The names of one menu that numbers depend on: countable nouns, and names that contain a number."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from voice.orders import words
from voice.orders.cooperation import let_others_run
from voice.orders.language_packs import LanguagePack
from voice.orders.numbers import THOUSAND, Number, NumberWords
from voice.orders.spans.vocabulary import Phrase, SpanVocabulary
from voice.orders.words import Token

if TYPE_CHECKING:
    from voice.orders.spans.kinds import SpanKind

MAX_SERIES_HEAD: Final = 3  # words before the number of a numbered series


class MenuNames:
    """An index of the names of items and choices."""

    def __init__(
        self,
        number_words: NumberWords,
        packs: Sequence[LanguagePack],
        vocabularies: Sequence[SpanVocabulary],
        items: Iterable[str],
        choices: Iterable[str],
    ) -> None:
        """Index the names."""
        self._number_words = number_words
        self._function_words = {word for pack in packs for word in pack.function_words()}
        self._figure_labels = [word for pack in packs for word in pack.spans.figure_labels]  # "number"
        self._half_words = {word for vocabulary in vocabularies for word in vocabulary.half_words}
        self.measures: set[tuple[SpanKind, int | Fraction]] = set()  # sizes, prices and other typed numbers within names
        self.with_number: list[list[Token]] = []
        self.series_words: set[str] = set()  # words of names that end with a number
        self._items: dict[str, list[Phrase]] = defaultdict(list)  # keys, by the first one
        self._numbered: dict[str, list[Phrase]] = defaultdict(list)  # keys of names with a number, in digits; by the first one
        self._nouns: set[str] = set()  # words of names, with diacritics and without
        self._unmeasured: set[str] = set()  # words of names that do not follow a number, with diacritics and without
        self._halves: set[Phrase] = set()  # names that begin with a half
        self._series: dict[Phrase, set[str]] = defaultdict(set)  # numbers of "combo 1" and "combo 2", by the keys before them
        whole_names = {self._add(name, is_item=True) for name in items} | {self._add(name, is_item=False) for name in choices}
        label_keys = {words.phonetic_key(word) for vocabulary in vocabularies for word in vocabulary.openings}
        for head, numbers in list(self._series.items()):
            if head in whole_names or (len(numbers) == 1 and head[-1] not in label_keys):
                del self._series[head]

    def _add(self, name: str, *, is_item: bool) -> Phrase:
        """Index a name and return its keys, numbers in digits."""
        let_others_run()
        tokens = [token for token in words.tokenize(name) if not words.is_punctuation(token.surface)]
        if not tokens:
            return ()
        surfaces = tuple([token.surface for token in tokens])
        spellings = [tuple(map(words.phonetic_key, spelling)) for spelling in self.in_digits_and_labelled(surfaces)]
        if is_item:
            self._items[tokens[0].key].append(tuple([token.key for token in tokens]))
        for word in surfaces:
            if word not in self._function_words and not word.isdecimal():
                self._nouns.update(_noun_spellings(word))
        if surfaces[0] in self._half_words:
            self._halves |= {surfaces, tuple(map(words.fold, surfaces))}
        measured = {place + 1 for place, word in enumerate(surfaces) if word[0].isdecimal()}
        if any(key[0].isdecimal() for key in spellings[0]):
            numbers = self._number_words.parse_all(tokens, has_diacritics=words.has_diacritics(tokens))
            measured |= {number.end for number in numbers if number is not None}
            self.with_number.append(tokens)
            self._numbered[spellings[0][0]] += spellings
            if len(spellings[0]) > 1 and spellings[0][-1][0].isdecimal():
                self._series[spellings[0][:-1]].add(spellings[0][-1])
                self.series_words.update([spelling for word in surfaces for spelling in _noun_spellings(word)])
        for place, word in enumerate(surfaces):
            if place not in measured:
                self._unmeasured.update(_noun_spellings(word))
        return spellings[0]

    # --- Spellings of a name ----------------------------------------------------------------------------------------------------------

    def in_digits(self, name: Phrase) -> Phrase:
        """Return a name with its numbers in digits."""
        if not any(word[0].isdecimal() or self._number_words.is_number_word(word) for word in name):
            return name
        tokens = [token for word in name for token in words.tokenize(word)]
        numbers = self._number_words.parse_all(tokens, has_diacritics=words.has_diacritics(tokens))
        spelling, place = [], 0
        while place < len(tokens):
            number = numbers[place]
            if number is not None and not number.article and number.cost == 0.0:
                spelling.append(str(number.value))
                place = number.end
            else:
                spelling.append(tokens[place].surface)
                place += 1
        return tuple(spelling)

    def in_digits_and_labelled(self, name: Phrase) -> list[Phrase]:
        """Return a name with its numbers in digits, then with a word for "number" before a last one: "combo 2", "combo number 2"."""
        spelling = self.in_digits(name)
        if not spelling[1:] or not spelling[-1][0].isdecimal() or spelling[-2][0].isdecimal():
            return [spelling]
        return [spelling, *[(*spelling[:-1], label, spelling[-1]) for label in self._figure_labels if label != spelling[-2]]]

    # --- Names in an utterance --------------------------------------------------------------------------------------------------------

    def numbered_end(self, tokens: Sequence[Token], numbers: Sequence[Number | None], start: int) -> int:
        """Return the end of the longest name with a number that begins at a token; 0 where there is none."""
        number = numbers[start]
        firsts = [tokens[start].key] if number is None or number.article else [tokens[start].key, str(number.value)]
        return max([_match(tokens, numbers, start, name) for first in firsts for name in self._numbered.get(first, ())], default=0)

    def begins_numbered(self, token: Token) -> bool:
        """Return whether a name with a number begins with the word."""
        return token.key in self._numbered

    def item_end(self, tokens: Sequence[Token], start: int) -> int:
        """Return the end of the longest name of an item that begins at a token; 0 where there is none."""
        if start >= len(tokens):
            return 0
        longest = 0
        for name in self._items.get(tokens[start].key, ()):
            if len(name) > longest and tuple([token.key for token in tokens[start : start + len(name)]]) == name:
                longest = len(name)
        return start + longest if longest else 0

    def is_noun(self, surface: str) -> bool:
        """Return whether the word is in a name."""
        return words.singular(surface) in self._nouns

    def is_unmeasured(self, surface: str) -> bool:
        """Return whether the word is in a name other than behind a number."""
        return words.singular(surface) in self._unmeasured

    def begins_with_half(self, surfaces: Phrase) -> bool:
        """Return whether the words begin with a name that begins with a half: "half rack"."""
        return any(surfaces[: len(name)] == name for name in self._halves)

    def unknown_in_series(self, tokens: Sequence[Token], start: int, value: int | Fraction) -> int:
        """Return the start of the head of a numbered series before a token if the series lacks the number, else -1.

        The head is "combo" of combo 1 and combo 2. Prices may be said in thousands: "45" for 45000.
        """
        keys = [token.key for token in tokens[max(0, start - MAX_SERIES_HEAD) : start]]
        for length in range(len(keys), 0, -1):
            numbers = self._series.get(tuple(keys[-length:]), ())
            if numbers:
                return -1 if str(value * THOUSAND) in numbers else start - length
        return -1


def _noun_spellings(word: str) -> tuple[str, str]:
    singular = words.singular(word)
    return singular, words.fold(singular)


def _match(tokens: Sequence[Token], numbers: Sequence[Number | None], start: int, name: Phrase) -> int:
    """Return the end of a name that begins at a token, its numbers in words or digits; 0 where it does not."""
    position = start
    for word in name:
        if position >= len(tokens):
            return 0
        token, number = tokens[position], numbers[position]
        if token.key == word:
            position += 1
        elif number is not None and not number.article and str(number.value) == word:
            position = number.end
        else:
            return 0
    return position
