"""Classify the numbers of an utterance by type: of all of them only a quantity counts something.

Independent of how orders are read: tokens, the languages' words and the menu's names go in, typed spans come out.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum
from fractions import Fraction
from typing import Final, NamedTuple

from voice.orders import words
from voice.orders.language_packs import LanguagePack, SpanName
from voice.orders.numbers import MIN_ROW, TEN, THOUSAND, Number, NumberWords
from voice.orders.words import Token

HOURS: Final = 24
MINUTES: Final = 60
MAX_DAY: Final = 31
ROUND_MINUTES: Final = 5  # what is not a multiple of these is counted in servings: "3p"
MIN_PHONE: Final = 7  # digits
MAX_FIGURES: Final = 9  # digits that are still a quantity to be asked about
MAX_PARTY: Final = 50
YEARS: Final = range(1900, 2100)
MAX_RANGE: Final = 99
MAX_SPEAKER: Final = 9  # tokens before the colon
MAX_STREET: Final = 3  # words between a house number and "street"
MAX_HEAD: Final = 3  # words before the figure of a numbered series
MAX_NOUGHTS: Final = 2  # of a telephone's first figures
MAX_MODIFIERS: Final = 2  # between a homophone of a number and its noun
# ISO 4217: currencies without a minor unit.
WHOLE_CURRENCIES: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_CLOCK: Final = re.compile(r"(\d{1,2}):([0-5]\d)(?::[0-5]\d)?")
_GROUPED: Final = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
_DECIMAL: Final = re.compile(r"\d+\.\d+")
_CENTS: Final = re.compile(r"\d+\.\d\d")
_VULGAR: Final = {"½": Fraction(1, 2), "¼": Fraction(1, 4), "¾": Fraction(3, 4), "⅓": Fraction(1, 3), "⅔": Fraction(2, 3)}


class SpanKind(Enum):
    """The type of a number."""

    __hash__ = object.__hash__

    QUANTITY = "quantity"
    FRACTION = "fraction"  # a quantity that is not whole
    RANGE = "range"  # a quantity between two
    ORDINAL = "ordinal"
    MONEY = "money"
    TIME = "time"
    DATE = "date"
    DURATION = "duration"
    TEMPERATURE = "temperature"
    SIZE = "size"
    PERCENTAGE = "percentage"
    PHONE = "phone"
    LABEL = "label"  # table, room, house, ticket
    AGE = "age"
    PARTY = "party"  # people
    SPEAKER = "speaker"  # who wrote a chat's line, and when
    NAME = "name"  # part of the menu


class Span(NamedTuple):
    """A stretch of tokens that says a number; `value` is None where the type has no single one."""

    kind: SpanKind
    start: int
    end: int
    value: int | Fraction | None


class _Amount(NamedTuple):
    """A number before its type is known."""

    end: int
    value: int | Fraction
    decimal: bool  # written with a separator
    article: bool


_Phrases = dict[str, list[tuple[tuple[str, ...], SpanKind]]]  # by their first word, or by their last one; longest first


class _Words:
    """The languages' words, as they are written with diacritics or without."""

    def __init__(self, packs: Sequence[LanguagePack], spoken: Sequence[LanguagePack], *, plain: bool) -> None:
        self._plain = plain
        # Without diacritics a word may be another language's: "do" is no "độ".
        self._taken = {word for pack in packs for word in pack.function_words() if word.isascii()} if plain else set()
        self.doubtful: _Phrases = defaultdict(list)  # units and openings that are such words
        spans = [pack.spans for pack in packs]
        self.units = self._table([one.units for one in spans])
        # A letter behind a figure is short for something else in another language: "2l".
        self.decimal = self._table([pack.spans.decimal for pack in spoken])
        self.glued = self._table([pack.spans.glued for pack in spoken])
        self.glued = {word: entries for word, entries in self.glued.items() if word not in self.decimal}
        self.openings = self._table([one.openings for one in spans], last=True)
        self.weak = self._table([one.weak_openings for one in spans], last=True)
        self.closings = self._table([one.closings for one in spans])
        self.articles = {word for one in spans for word in one.articles}
        self.streets = {word for one in spans for word in one.streets}
        self.parts = self._phrases([way for pack in packs for way in pack.parts])
        self.no_openings = self._phrases([way for one in spans for way in one.no_openings])
        self.ordinals = {word for one in spans for word in one.ordinals}
        self.ordinal_openings = {self._spelt(word) for one in spans for word in one.ordinal_openings}
        self.weekdays = {self._spelt(word) for one in spans for word in one.weekdays}
        self.halves = self._phrases([way for one in spans for way in one.halves])
        self.half_of = self._phrases([way for one in spans for way in one.half_of])
        self.shares_of = self._phrases([way for one in spans for way in one.shares_of])
        self.points = {self._spelt(word) for one in spans for word in one.points}
        self.half = {self._spelt(way.split()[0]) for pack in packs for way in pack.numbers.halves}
        self.shares = self.half | {said[0] for said in self.shares_of}
        self.firsts = self.shares | {said[0] for said in (*self.half_of, *self.halves)}
        self.changes = {words.phrase(self._spelt(way))[0] for pack in packs for way in (*pack.replaces, *pack.sets, *pack.its)}
        self.ranges = {self._spelt(word) for one in spans for word in one.ranges}
        self.betweens = {self._spelt(word) for one in spans for word in one.betweens}
        self.throughs = {self._spelt(word) for one in spans for word in one.throughs}
        self.classifiers = {self._spelt(words.phrase(way)[0]) for pack in packs for way in pack.classifiers}
        self.adjectives = {self._spelt(way) for pack in packs for way in pack.adjectives if " " not in way}
        self.joins = {self._spelt(way) for pack in packs for way in pack.joins}
        self.multiplies = {way for pack in packs for way in pack.multiplies}
        self.sets = self._phrases([way for pack in packs for way in (*pack.sets, *pack.its, *pack.intos)])
        self.requests = self._phrases([way for pack in packs for way in pack.requests])

    def _spelt(self, way: str) -> str:
        return words.fold(way) if self._plain else way

    def _phrases(self, ways: Iterable[str]) -> list[tuple[str, ...]]:
        found = {_phrase(self._spelt(way)) for way in ways}
        return sorted(found, key=len, reverse=True)

    def _table(self, tables: Iterable[dict[SpanName, list[str]]], *, last: bool = False) -> _Phrases:
        found: _Phrases = defaultdict(list)
        for table in tables:
            for name, ways in table.items():
                for way in ways:
                    said = _phrase(self._spelt(way))
                    if len(said) == 1 and said[0] in self._taken and not way.isascii():
                        self.doubtful[said[0]].append((said, SpanKind(name)))
                        continue
                    found[said[-1 if last else 0]].append((said, SpanKind(name)))
        for phrases in found.values():
            phrases.sort(key=lambda entry: (-len(entry[0]), entry[1] is not SpanKind.TIME))  # few grams are rather hours: "8g"
        return found


def _phrase(way: str) -> tuple[str, ...]:
    """Return the surfaces of a phrase, signs included."""
    return tuple([token.surface for token in words.tokens(way)])


class SpanClassifier:
    """Classifies the numbers that are said to one menu."""

    def __init__(
        self,
        packs: Iterable[LanguagePack],
        numbers: NumberWords,
        items: Iterable[str],
        choices: Iterable[str],
        *,
        currency: str,
        languages: Iterable[str] = (),
    ) -> None:
        """Index the names that have a figure, and the words that may be counted; `languages`: those of the menu, all if there are none."""
        all_packs = list(packs)
        named = set(languages)
        spoken = [pack for pack in all_packs if pack.language in named or not named]
        self.numbers = numbers
        self.whole_currency = currency in WHOLE_CURRENCIES
        self.marked, self.plain = _Words(all_packs, spoken, plain=False), _Words(all_packs, spoken, plain=True)
        self._function_words = {word for pack in all_packs for word in pack.function_words()}
        self.homophones = {word: value for pack in all_packs for word, value in pack.numbers.homophones.items()}
        # What begins with such a word and is no number: "for here".
        self.known = [words.phrase(way) for pack in all_packs for way in pack.phrases() if words.phrase(way)[:1] and " " in way]
        self.known = [phrase for phrase in self.known if phrase[0] in self.homophones]
        self.figure_labels = [word for pack in all_packs for word in pack.spans.figure_labels]
        self.nones = {word for pack in all_packs for word in pack.numbers.nones}
        both = (self.marked, self.plain)
        self._half_words = self.marked.half | self.plain.half
        shares = {word for one in both for said in one.shares_of for word in said[:1]} - {"a"}
        self._special = self.nones | self._half_words | shares | set(_VULGAR)
        self._special |= {said[0] for one in both for said in one.halves if len(said) == 1}
        self._article_units = self.marked.articles
        self._openers = {said[-1] for one in both for said in one.requests} | {way for one in both for way in one.joins} | set(",;.:!?…\n")
        # What may stand right before a number, and right behind it, that is no quantity.
        self._weak = {word for one in both for word in one.weak}
        self._before = {word for one in both for word in (*one.openings, *one.ordinal_openings, *one.betweens, *one.points)} - self._weak
        self._behind = {
            word for one in both for word in (*one.units, *one.glued, *one.decimal, *one.ordinals, *one.ranges, *one.throughs, *one.points)
        }
        self._behind |= {said[0] for one in both for said in one.halves} | set(_VULGAR)
        self._behind |= {said[1] for one in both for said in one.shares_of if len(said) > 1}
        self._items: dict[str, list[tuple[str, ...]]] = defaultdict(list)  # keys, by the first one
        self._figured: dict[str, list[tuple[str, ...]]] = defaultdict(list)  # names with a number, in figures
        self._nouns: set[str] = set()  # words that the menu names something by, as they are written and without diacritics
        self._unmeasured: set[str] = set()  # the same, but for those behind a figure
        self._halves: set[tuple[str, ...]] = set()  # names that begin with a half
        self._measured: set[tuple[SpanKind, int | Fraction]] = set()  # sizes and the like of which the menu has names
        self._series: dict[tuple[str, ...], set[str]] = defaultdict(set)  # figures, by the words before them
        wholes = {self._index(name, is_item=True) for name in items} | {self._index(name, is_item=False) for name in choices}
        labels = {words.key_of(word) for one in both for word in one.openings}
        for head, figures in list(self._series.items()):
            if head in wholes or (len(figures) == 1 and head[-1] not in labels):
                del self._series[head]

    def _index(self, name: str, *, is_item: bool) -> tuple[str, ...]:
        """Index a name and return its keys, in figures."""
        tokens = [token for token in words.tokens(name) if not words.is_punctuation(token.surface)]
        if not tokens:
            return ()
        said = tuple([token.surface for token in tokens])
        ways = [tuple(map(words.key_of, way)) for way in self.ways(said)]
        if is_item:
            self._items[tokens[0].key].append(tuple([token.key for token in tokens]))
        self._nouns |= {spelt for word in said if word not in self._function_words and not word.isdecimal() for spelt in _spellings(word)}
        if said[0] in self._half_words:
            self._halves |= {said, tuple(map(words.fold, said))}
        figured = [place for place, word in enumerate(ways[0]) if word[0].isdecimal()]
        behind = {place + 1 for place, word in enumerate(said) if word[0].isdecimal()}
        if figured:
            numbers = self.numbers.read_all(tokens, marked=words.is_marked(tokens))
            behind |= {number.end for number in numbers if number is not None}
            self._figured[ways[0][0]] += ways
            self._measured |= self._measures(tokens)
            if 0 < figured[-1] == len(ways[0]) - 1:
                self._series[ways[0][:-1]].add(ways[0][-1])
                self._before |= {spelt for word in said for spelt in _spellings(word)}
        self._unmeasured |= {spelt for place, word in enumerate(said) if place not in behind for spelt in _spellings(word)}
        return ways[0]

    def in_figures(self, name: tuple[str, ...]) -> tuple[str, ...]:
        """Return a name with its numbers in figures."""
        if not any([word[0].isdecimal() or self.numbers.is_number_word(word) for word in name]):
            return name
        spoken = [token for word in name for token in words.tokens(word)]
        numbers = self.numbers.read_all(spoken, marked=words.is_marked(spoken))
        found, place = [], 0
        while place < len(spoken):
            number = numbers[place]
            if number is not None and not number.article and number.cost == 0.0:
                found.append(str(number.value))
                place = number.end
            else:
                found.append(spoken[place].surface)
                place += 1
        return tuple(found)

    def ways(self, name: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return a name in figures, and with a word for "number" before a figure that ends it: "combo 2", "combo number 2"."""
        figures = self.in_figures(name)
        if len(figures) < 2 or not figures[-1][0].isdecimal() or figures[-2][0].isdecimal():  # noqa: PLR2004 - a word and its figure
            return [figures]
        return [figures, *[(*figures[:-1], label, figures[-1]) for label in self.figure_labels if label != figures[-2]]]

    def _measures(self, spoken: Sequence[Token]) -> set[tuple[SpanKind, int | Fraction]]:
        marked = words.is_marked(spoken)
        reading = _Utterance(self, spoken, self.numbers.read_all(spoken, marked=marked), marked=marked)
        found = set()
        for start in range(len(spoken)):
            amount = reading.amount(start)
            unit = reading.unit(amount, named=True) if amount is not None else None
            if amount is not None and (unit is not None or amount.value >= THOUSAND):
                found.add((unit[0] if unit is not None else SpanKind.MONEY, amount.value))
        return found

    def classify(self, spoken: Sequence[Token], numbers: Sequence[Number | None], *, marked: bool) -> list[Span]:
        """Return the spans in order, none of which overlap; `numbers`: what `NumberWords.read_all` reads, `marked`: with diacritics."""
        return _Utterance(self, spoken, numbers, marked=marked).spans()

    def needed(self, surfaces: tuple[str, ...], numbers: Sequence[Number | None]) -> bool:
        """Tell whether anything beside a number may make it no quantity; costs a tenth of `classify`."""
        count, row = len(surfaces), 0
        for start, surface in enumerate(surfaces):
            number = numbers[start]
            if number is None:
                row = row + 1 if self.numbers.is_zero(surface) else 0
                if surface[0].isdecimal() or surface in self._special or (start and surface in self.marked.streets):
                    return True
                opens = surface in self.homophones and (start == 0 or surfaces[start - 1] in self._openers)
                if opens and start + 1 < count and self._names(surfaces[start + 1]):
                    return True
                continue
            end = number.end
            behind = surfaces[end] if end < count else ""
            if number.article:
                row = 0
                if behind in self._article_units:
                    return True
                continue
            row = row + 1 if end == start + 1 and number.value < TEN else 0
            if row >= MIN_ROW or number.value >= THOUSAND or behind in self._behind:
                return True
            if start and (surfaces[start - 1] in self._before or (surfaces[start - 1] in self._weak and not self._names(behind))):
                return True
            if surface[0].isdecimal():
                code = start > 0 and len(surfaces[start - 1]) == 1 and surfaces[start - 1].isalpha()
                if code or surface[0] == "0" or len(surface) >= MIN_PHONE // 2:
                    return True
        return False

    def _names(self, surface: str) -> bool:
        return words.singular(surface) in self._nouns or surface in self.marked.adjectives

    # --- The menu -------------------------------------------------------------------------------------------------------------------

    def named(self, spoken: Sequence[Token], numbers: Sequence[Number | None], start: int) -> int:
        """Return the end of the longest name with a figure that begins at a token; 0 where there is none."""
        number = numbers[start]
        firsts = [spoken[start].key] if number is None or number.article else [spoken[start].key, str(number.value)]
        return max([_matched(spoken, numbers, start, name) for first in firsts for name in self._figured.get(first, ())], default=0)

    def begins_name(self, token: Token) -> bool:
        """Tell whether a name with a figure begins with the word, or a number with a homophone of it."""
        return token.key in self._figured or token.surface in self.homophones or token.surface in self.nones

    def item_at(self, spoken: Sequence[Token], start: int) -> int:
        """Return the end of the longest item's name that begins at a token; 0 where there is none."""
        if start >= len(spoken):
            return 0
        best = 0
        for name in self._items.get(spoken[start].key, ()):
            if len(name) > best and tuple([token.key for token in spoken[start : start + len(name)]]) == name:
                best = len(name)
        return start + best if best else 0

    def is_noun(self, token: Token) -> bool:
        """Tell whether the menu names something by the word."""
        return words.singular(token.surface) in self._nouns

    def is_unmeasured(self, token: Token) -> bool:
        """Tell whether the word stands in the menu otherwise than behind a figure."""
        return words.singular(token.surface) in self._unmeasured

    def measures(self, kind: SpanKind, value: int | Fraction) -> bool:
        """Tell whether the menu has a name with that measure."""
        return (kind, value) in self._measured

    def names_half(self, said: tuple[str, ...]) -> bool:
        """Tell whether the menu has a name that begins with a half: "half", "half rack"."""
        return any(said[: len(name)] == name for name in self._halves)

    def in_series(self, spoken: Sequence[Token], start: int, value: int | Fraction) -> int:
        """Return where the head of a numbered series begins that ends at a token and has no such number; -1 where there is none.

        A head is "combo" of combo 1 and combo 2. Thousands may be left out, as of prices.
        """
        keys = [token.key for token in spoken[max(0, start - MAX_HEAD) : start]]
        for length in range(len(keys), 0, -1):
            figures = self._series.get(tuple(keys[-length:]), ())
            if figures:
                return -1 if str(value * THOUSAND) in figures else start - length
        return -1


def _spellings(word: str) -> tuple[str, str]:
    singular = words.singular(word)
    return singular, words.fold(singular)


def _matched(spoken: Sequence[Token], numbers: Sequence[Number | None], start: int, name: tuple[str, ...]) -> int:
    position = start
    for word in name:
        if position >= len(spoken):
            return 0
        token, number = spoken[position], numbers[position]
        if token.key == word:
            position += 1
        elif number is not None and not number.article and str(number.value) == word:
            position = number.end
        else:
            return 0
    return position


class _Utterance:
    """One utterance's numbers."""

    def __init__(self, menu: SpanClassifier, spoken: Sequence[Token], numbers: Sequence[Number | None], *, marked: bool) -> None:
        self._menu = menu
        self._spoken = spoken
        self._numbers = numbers
        self._words = menu.marked if marked else menu.plain
        self._surfaces = tuple([token.surface for token in spoken])
        self._count = len(spoken)
        self._rows: dict[int, int] = {}

    def spans(self) -> list[Span]:
        """Classify from left to right."""
        found: list[Span] = []
        start = free = 0
        if sum([number is not None for number in self._numbers]) >= MIN_ROW - MAX_NOUGHTS:
            self._rows = self._spelled_out()
        clock = any(map(_CLOCK.fullmatch, self._surfaces))
        while start < self._count:
            span = self._speaker(start) if clock and self._begins_line(start) else None
            if span is None and self._may_begin(start):
                span = self._span_at(start, free)
            if span is None:
                start += 1
            else:
                found.append(span)
                start = free = max(span.end, start + 1)
        return found

    def _may_begin(self, start: int) -> bool:
        surface = self._surfaces[start]
        return (
            self._numbers[start] is not None
            or surface[0].isdecimal()
            or surface in self._words.firsts
            or start in self._rows
            or self._menu.begins_name(self._spoken[start])
            or not surface.isalpha()
            or self._is_nought(start)
        )

    def _span_at(self, start: int, free: int) -> Span | None:
        """Classify the number that begins at a token; its opening may reach back to `free`."""
        surface = self._surfaces[start]
        if start in self._rows:
            return self._phoned(start, self._rows[start], free)
        end = self._menu.named(self._spoken, self._numbers, start)
        if end:
            return Span(SpanKind.NAME, start, end, None)
        if surface in self._menu.homophones:
            return self._homophone(start)
        measure = self._share(start) if surface in self._words.shares else None
        if measure is not None:
            return measure
        special = self._compound(start, free) if not surface.isdecimal() and surface[0].isdecimal() else None
        if special is not None:
            return special
        amount = self.amount(start)
        if amount is not None:
            return self._code(amount, start, free) or self._typed(amount, start, free) or self._half(start)
        return self._phone(start, free) if surface.isdecimal() else self._half(start)

    def _code(self, amount: _Amount, start: int, free: int) -> Span | None:
        """Read a letter and figures that are written together and stand in no name, "B12"; "x2" multiplies."""
        if start <= free or not self._glued(start) or not self._surfaces[start].isdecimal():
            return None
        letter = self._spoken[start - 1]
        coded = len(letter.surface) == 1 and letter.surface.isalpha() and letter.surface not in self._words.multiplies
        if not coded or self._menu.is_noun(letter) or self._glued(start - 1) or self.unit(amount) is not None:
            return None
        opening = self._opening(self._words.openings, start - 1, free)
        return Span(
            SpanKind.LABEL, opening[1] if opening is not None and opening[0] is SpanKind.LABEL else start - 1, amount.end, amount.value
        )

    # --- Words around ---------------------------------------------------------------------------------------------------------------

    def _any(self, phrases: Iterable[tuple[str, ...]], start: int) -> int:
        """Return the end of the first of some phrases that begins at a token; 0 where none does."""
        for said in phrases:
            if self._surfaces[start : start + len(said)] == said:
                return start + len(said)
        return 0

    def _ends(self, phrases: Iterable[tuple[str, ...]], start: int) -> bool:
        """Tell whether one of some phrases ends before a token."""
        return any([start >= len(said) and self._surfaces[start - len(said) : start] == said for said in phrases])

    def _glued(self, position: int) -> bool:
        """Tell whether a token is written together with the one before."""
        return 0 < position < self._count and self._spoken[position - 1].end == self._spoken[position].start

    def _counted(self, position: int) -> bool:
        """Tell whether something that may be counted begins at a token."""
        if position >= self._count:
            return False
        token = self._spoken[position]
        return token.surface in self._words.classifiers or token.surface in self._words.adjectives or self._menu.is_noun(token)

    def _plural(self, position: int) -> bool:
        """Tell whether something that may be counted begins at a token and is said in the plural, where a language has one."""
        return self._counted(position) and self._surfaces[position] != words.singular(self._surfaces[position])

    def _begins_line(self, start: int) -> bool:
        return start == 0 or self._surfaces[start - 1] == "\n"

    def unit(self, amount: _Amount, *, named: bool = False) -> tuple[SpanKind, int] | None:
        """Return the unit behind an amount and its end; `named`: in a name of the menu."""
        end = amount.end
        if end >= self._count:
            return None
        surface = self._surfaces[end]
        figures = self._surfaces[end - 1][0].isdecimal()
        tables = [self._words.units]
        if end + 1 == self._count or words.is_punctuation(self._surfaces[end + 1]):
            tables.append(self._words.doubtful)
        if figures and self._glued(end):
            tables.insert(0, self._words.glued)
            if amount.decimal or named or amount.value == 1:
                tables.insert(0, self._words.decimal)
        for table in tables:
            for said, kind in table.get(surface, ()):
                behind = end + len(said)
                if self._surfaces[end:behind] != said or (amount.article and said[0] not in self._words.articles):
                    continue
                if named or self._is_unit(amount, kind, behind, len(said)):
                    return kind, behind
        return None

    def _is_unit(self, amount: _Amount, kind: SpanKind, behind: int, length: int) -> bool:
        """Tell whether what may be a unit is one here."""
        token = self._spoken[amount.end]
        if kind is SpanKind.TIME and not 0 <= amount.value <= HOURS and token.surface != "past":
            return False
        if kind is SpanKind.PARTY:
            return not self._menu.item_at(self._spoken, amount.end)
        if length > 1 or amount.decimal or kind is SpanKind.PERCENTAGE:
            return True
        if token.surface in self._words.classifiers:  # "2p" are two servings
            return bool(self._closing(kind, behind)) or (amount.value % ROUND_MINUTES == 0 and not self._counted(behind))
        if kind is SpanKind.LABEL and behind < self._count and self._spoken[behind].capital:
            return True
        return not self._menu.is_unmeasured(token)

    def _closing(self, kind: SpanKind, start: int) -> int:
        """Return the end of a phrase that goes on with a type; 0 where there is none."""
        if start < self._count:
            for said, closes in self._words.closings.get(self._surfaces[start], ()):
                if closes is kind and self._surfaces[start : start + len(said)] == said:
                    return start + len(said)
        return 0

    def _opening(self, table: _Phrases, start: int, free: int) -> tuple[SpanKind, int] | None:
        """Return the type that a phrase before a number tells, and where the phrase begins."""
        if start - 1 > free and self._surfaces[start - 1] == "." and self._glued(start) and self._glued(start - 1):
            start -= 1  # "P.302"
        if start <= free:
            return None
        for said, kind in table.get(self._surfaces[start - 1], ()):
            begin = start - len(said)
            if begin < free or self._surfaces[begin:start] != said:
                continue
            if len(said) == 1 and len(said[0]) == 1 and said[0].isalpha() and self._glued(begin):
                continue  # "2p 1": servings
            if len(said) == 1 and self._menu.is_unmeasured(self._spoken[begin]):
                continue  # "giá" is what bean sprouts are called, too
            return kind, begin
        return None

    # --- Amounts --------------------------------------------------------------------------------------------------------------------

    def amount(self, start: int) -> _Amount | None:
        """Read a number with what multiplies it and halves behind it."""
        token, number = self._spoken[start], self._numbers[start]
        value: int | Fraction
        base, decimal = 0, False
        if number is not None:
            end, value, base = number.end, number.value, number.base
        elif token.surface.isdecimal() and len(token.surface) <= MAX_FIGURES:
            end, value = start + 1, int(token.surface)
        elif token.surface in _VULGAR:
            end, value, decimal = start + 1, _VULGAR[token.surface], True
        elif token.surface == "0" or (token.surface in self._menu.nones and (self._plural(start + 1) or not self._menu.is_noun(token))):
            end, value = start + 1, 0
        elif self._is_nought(start):
            end, value = start + (token.surface not in self._words.points), 0
        elif _GROUPED.fullmatch(token.surface):
            end, value, decimal = start + 1, int(token.surface.replace(".", "")), True
        elif _DECIMAL.fullmatch(token.surface):
            end, value, decimal = start + 1, Fraction(token.surface), True
        elif "/" in token.surface and _parted(token.surface) is not None:
            end, value, decimal = start + (2 if self._an_item(start + 1) else 1), _parted(token.surface) or 0, True
        else:
            return None
        article = number is not None and number.article
        fraction = _parted(self._surfaces[end]) if end < self._count and "/" in self._surfaces[end] else None
        if fraction is not None and token.surface.isdecimal() and (self._counted(end + 1) or self._times(end + 1)):  # "1 1/2"
            value, end, decimal = value + fraction, end + 1, True
        point = self._numbers[end + 1] if end + 1 < self._count and self._surfaces[end] in self._words.points else None
        if point is not None and not point.article and not article:  # "hai phẩy năm"
            value, end, decimal = value + Fraction(point.value, 10 ** len(str(point.value))), point.end, True
        if end < self._count and self._surfaces[end] in _VULGAR and not article:  # "1½"
            value, end, decimal = value + _VULGAR[self._surfaces[end]], end + 1, True
        halved = self._any(self._words.halves, end)
        if halved and not article:
            value, end, decimal = value + Fraction(max(base, 1), 2), halved, not base
        times = self._times(end) if base == 0 else 0
        if times and (decimal or (number is None and value)):
            value, end, decimal = value * times, end + 1, False
        if isinstance(value, Fraction) and value.denominator == 1:
            value = int(value)
        return _Amount(end, value, decimal, article)

    def half(self, start: int) -> _Amount | None:
        """Read a half, of a unit: "half an hour"."""
        if self._surfaces[start] not in self._words.half:
            return None
        article = self._numbers[start + 1] if start + 1 < self._count else None
        end = article.end if article is not None and article.article else start + 1
        return _Amount(end, Fraction(1, 2), decimal=True, article=False)

    def _an_item(self, position: int) -> bool:
        """Tell whether an article and an item's name begin at a token."""
        number = self._numbers[position] if position < self._count else None
        return number is not None and number.article and self._menu.item_at(self._spoken, number.end) > 0

    def _times(self, position: int) -> int:
        return self._menu.numbers.times(self._surfaces[position]) if position < self._count else 0

    def _is_nought(self, start: int) -> bool:
        """Tell whether a decimal below one begins at a token: "không phẩy năm", "point five"."""
        point = start if self._surfaces[start] in self._words.points else start + 1
        if point + 1 >= self._count or self._surfaces[point] not in self._words.points or self._numbers[point + 1] is None:
            return False
        return point == start or self._menu.numbers.is_zero(self._surfaces[start])

    def _share(self, start: int) -> Span | None:
        """Read half a unit: "nửa lít"; and a share of an item, which no number of items is."""
        end = self._any(self._words.shares_of, start)
        if end and (self._menu.item_at(self._spoken, end) or self._counted(end)):
            return Span(SpanKind.FRACTION, start, end, None)
        amount = self.half(start)
        unit = self.unit(amount) if amount is not None else None
        if amount is None or unit is None or unit[0] is SpanKind.LABEL or self._menu.names_half(self._surfaces[start:]):
            return None
        return self._closed(unit[0], start, unit[1], amount.value)

    def _half(self, start: int) -> Span | None:
        """Read a half of something, and a half behind something that nobody counted."""
        end = self._any(self._words.half_of, start)
        if end and any(self._menu.names_half(self._surfaces[place:]) for place in (start, start + 1)):
            return None
        if end and (self._menu.item_at(self._spoken, end) or (end < self._count and self._surfaces[end] in self._words.classifiers)):
            return Span(SpanKind.FRACTION, start, end, Fraction(1, 2))
        end = self._any(self._words.halves, start)
        if not end or not start or words.is_punctuation(self._surfaces[start - 1]):
            return None
        if self._surfaces[start - 1] in self._words.classifiers:
            return Span(SpanKind.FRACTION, start - 1, end, Fraction(3, 2))
        closes = end == self._count or words.is_punctuation(self._surfaces[end])
        return Span(SpanKind.FRACTION, start, end, Fraction(3, 2)) if closes else None

    # --- Types ----------------------------------------------------------------------------------------------------------------------

    def _typed(self, amount: _Amount, start: int, free: int) -> Span | None:
        """Tell the type of an amount by what stands around it."""
        end, value = amount.end, amount.value
        opening = self._opening(self._words.openings, start, free)
        if opening is not None and opening[0] is SpanKind.DATE and not amount.article:
            return self._closed(SpanKind.DATE, opening[1], end, value)
        classified = end < self._count and self._surfaces[end] in self._words.classifiers  # "mỗi thứ hai ly"
        if start > free and self._surfaces[start - 1] in self._words.ordinal_openings and not classified:
            return self._ordinal(start - 1, end, free, value)
        unit = self.unit(amount)
        if unit is not None:
            kind, behind = unit
            if self._menu.measures(kind, value):
                return Span(SpanKind.NAME, start, behind, value)
            opening = opening or self._opening(self._words.weak, start, free)
            begin = opening[1] if opening is not None and opening[0] is kind else start
            return self._closed(kind, begin, behind, value)
        if amount.article:
            return None
        several = self._several(amount, start)
        if several is not None:
            return several
        if self._is_sum_of_words(amount, start):
            if self._menu.measures(SpanKind.MONEY, value):
                return Span(SpanKind.NAME, start, end, value)
            return self._closed(SpanKind.MONEY, start, end, value)
        if self._glued(end) and self._surfaces[end] in self._words.ordinals:
            return self._ordinal(start, end + 1, free, value)
        phone = self._phone(start, free)
        if phone is not None:
            return phone
        opened = self._opened(amount, start, free)
        if opened is not None:
            return opened
        street = self._street(amount, start)
        if street:
            return Span(SpanKind.LABEL, start, street, None)
        cents = _CENTS.fullmatch(self._surfaces[start]) is not None and end == start + 1 and not self._menu.whole_currency
        if value in YEARS and not amount.decimal and end == start + 1 and not self._counted(end):
            return self._closed(SpanKind.DATE, start, end, value)
        if cents or (value >= THOUSAND and self._is_sum(amount, start)):
            return self._closed(SpanKind.MONEY, start, end, value)
        half = self._counted_half(end)
        if half:
            return Span(SpanKind.FRACTION, start, half, value + Fraction(1, 2))
        return Span(SpanKind.QUANTITY if isinstance(value, int) else SpanKind.FRACTION, start, end, value)

    def _counted_half(self, end: int) -> int:
        """Return the end of a half behind a classifier, "2 ly rưỡi"; 0 where there is none."""
        if end < self._count and self._surfaces[end] in self._words.classifiers:
            return self._any(self._words.halves, end + 1)
        return 0

    def _is_sum_of_words(self, amount: _Amount, start: int) -> bool:
        """Tell whether the last word of a number is also a unit of money, "hai mươi nghìn", and nothing is counted behind it."""
        last = self._surfaces[amount.end - 1]
        if amount.end - 1 <= start or ((last,), SpanKind.MONEY) not in self._words.units.get(last, ()):
            return False
        return amount.end >= self._count or self._surfaces[amount.end] not in self._words.classifiers

    def _is_sum(self, amount: _Amount, start: int) -> bool:
        """Tell whether a large number is a price: nothing is counted behind it, and no line is set to it."""
        if self._ends(self._words.sets, start):
            return False
        if self._menu.whole_currency and amount.decimal and not self._plural(amount.end):
            return amount.end >= self._count or self._surfaces[amount.end] not in self._words.classifiers
        return (self._menu.whole_currency or amount.decimal) and not self._counted(amount.end)

    def _several(self, amount: _Amount, start: int) -> Span | None:
        """Read two numbers between which the meant one lies."""
        if amount.end >= self._count:
            return None
        word = self._surfaces[amount.end]
        bounded = start > 0 and self._surfaces[start - 1] in self._words.betweens
        through = word in self._words.throughs or (bounded and word in self._words.joins)
        if word not in self._words.ranges and not through:
            return None
        second = self.amount(amount.end + 1) if amount.end + 1 < self._count else None
        if second is None or second.article or not amount.value < second.value:
            return None
        unit = self.unit(second)
        if unit is not None:
            return self._closed(unit[0], start, unit[1], None)
        changed = not self._words.changes.isdisjoint(self._surfaces[:start])  # "change two to three lattes"
        if self._counted(second.end) and (word in self._words.ranges or not changed):
            return Span(SpanKind.RANGE, start, second.end, None)
        if bounded and through and second.value <= HOURS and not self._counted(second.end):
            return self._closed(SpanKind.TIME, start - 1, second.end, None)
        return None

    def _opened(self, amount: _Amount, start: int, free: int) -> Span | None:
        """Tell the type by the phrase before the number."""
        end, value = amount.end, amount.value
        head = self._menu.in_series(self._spoken, start, value)
        if head >= free and not (end < self._count and self._surfaces[end] in self._words.classifiers):
            return Span(SpanKind.LABEL, head, end, value)
        opening = self._opening(self._words.openings, start, free)
        if opening is not None:
            kind, begin = opening
            plain_label = kind is SpanKind.LABEL and self._words is self._menu.plain  # "ban 2" may be "bán"
            if not (plain_label and self._counted(end)) and not (kind is SpanKind.TIME and value > HOURS):
                return self._closed(kind, begin, end, value)
        opening = self._opening(self._words.weak, start, free)
        if opening is None or self._counted(end) or self._any(self._words.parts, end):
            return None
        kind, begin = opening
        if self._ends(self._words.no_openings, start):
            return None
        if kind is SpanKind.TIME and value > HOURS:
            clock = value % 100 < MINUTES and value // 100 <= HOURS and not self._closing(SpanKind.TEMPERATURE, end)
            kind = SpanKind.TIME if clock else SpanKind.TEMPERATURE  # "at 830", "at 220 C"
        if kind is SpanKind.DATE and value > MAX_DAY:
            return None
        if (kind is SpanKind.TIME and value < 1) or (kind is SpanKind.PARTY and value > MAX_PARTY):
            return None
        return self._closed(kind, begin, end, value)

    def _closed(self, kind: SpanKind, start: int, end: int, value: int | Fraction | None) -> Span:
        """Extend a span over what goes on with it: minutes behind hours, "nữa" behind a duration."""
        while end < self._count:
            further = self._closing(kind, end) or self._any(self._words.halves, end) or self._continued(kind, end)
            if not further:
                break
            end = further
        return Span(kind, start, end, value)

    def _continued(self, kind: SpanKind, end: int) -> int:
        """Return the end of a further number of the same span."""
        surface = self._surfaces[end]
        if kind is SpanKind.PHONE:
            figures = surface[0].isdecimal() or self._numbers[end] is not None
            return end + 1 if figures and not self._counted(end) and not self._counted(end + 1) else 0
        if kind is SpanKind.LABEL:
            return end + 1 if self._glued(end) and len(surface) == 1 and surface.isalpha() and self._surfaces[end - 1][0].isdecimal() else 0
        if kind is SpanKind.SIZE:
            return end + 1 if self._glued(end) and surface.isdecimal() else 0  # "1l5"
        if kind is SpanKind.DATE:
            for said, other in self._words.units.get(surface, ()):
                if other is SpanKind.DATE and self._surfaces[end : end + len(said)] == said:
                    return end + len(said)
            for place in range(end, min(end + 2, self._count)):
                amount = self.amount(place + 1) if place + 1 < self._count else None
                if amount is not None and self._opening(self._words.openings, place + 1, end) == (SpanKind.DATE, end):
                    return amount.end
            return 0
        amount = self.amount(end)
        if amount is None or amount.article:
            if kind is SpanKind.TIME and surface in self._words.throughs and end + 1 < self._count:
                amount = self.amount(end + 1)
                return amount.end if amount is not None and not amount.article and not self._counted(amount.end) else 0
            return 0
        unit = self.unit(amount)
        if unit is not None:
            smaller = kind is SpanKind.TIME and unit[0] is SpanKind.DURATION and self._surfaces[end - 1] not in self._words.joins
            return unit[1] if unit[0] is kind or smaller else 0
        if kind is SpanKind.MONEY and amount.value < THOUSAND and not self._counted(amount.end):
            return amount.end
        if kind is SpanKind.TIME and amount.value < MINUTES and (self._glued(end) or not self._counted(amount.end)):
            return amount.end
        return 0

    def _ordinal(self, start: int, end: int, free: int, value: int | Fraction) -> Span:
        """Tell an ordinal from a date, a weekday and a street."""
        unit = self.unit(_Amount(end, value, decimal=False, article=False))
        if unit is not None and unit[0] in {SpanKind.DATE, SpanKind.LABEL}:
            return self._closed(unit[0], start, unit[1], value)
        opening = self._opening(self._words.openings, start, free)
        if opening is not None and opening[0] is SpanKind.DATE:
            return self._closed(SpanKind.DATE, opening[1], end, value)
        beside = {self._surfaces[place] for place in (start - 1, end) if 0 <= place < self._count}
        if not beside.isdisjoint(self._words.weekdays):
            return Span(SpanKind.DATE, start, end, value)
        return Span(SpanKind.ORDINAL, start, end, value)

    def _phone(self, start: int, free: int) -> Span | None:
        """Read a telephone number in figures: many digits in neighbouring groups, or a leading zero."""
        surface = self._surfaces[start]
        leading = surface.startswith("0") and surface.isdecimal() and len(surface) > 1
        end, digits = start, 0
        while end < self._count and self._surfaces[end][0].isdecimal() and "." not in self._surfaces[end]:
            digits += sum(map(str.isdecimal, self._surfaces[end]))
            end += 1
        counts = end == start + 1 and not leading and digits <= MAX_FIGURES and self._counted(end)
        return self._phoned(start, end, free) if leading or (digits >= MIN_PHONE and not counts) else None

    def _phoned(self, start: int, end: int, free: int) -> Span:
        opening = self._opening(self._words.openings, start, free)
        begin = opening[1] if opening is not None and opening[0] is SpanKind.PHONE else start
        return Span(SpanKind.PHONE, begin, end, None)

    def _spelled_out(self) -> dict[int, int]:
        """Map where figures said one by one begin to where they end: telephone numbers; the last one may count what follows."""
        found = {}
        for start, end in self._menu.numbers.rows(self._spoken, self._numbers):
            last = end - 1 if self._counted(end) else end
            if last - start >= MIN_ROW:
                found[start] = last
        return found

    def _street(self, amount: _Amount, start: int) -> int:
        """Return the end of a street behind a house number, "123 Main Street"; 0 where there is none."""
        if not self._surfaces[start].isdecimal():
            return 0
        for place in range(amount.end, min(amount.end + MAX_STREET, self._count)):
            if words.is_punctuation(self._surfaces[place]) or self._counted(place):
                return 0
            if place + 1 < self._count and self._surfaces[place + 1] in self._words.streets:
                return 0 if self._counted(place + 1) else place + 2
        return 0

    # --- Figures with separators ----------------------------------------------------------------------------------------------------

    def _compound(self, start: int, free: int) -> Span | None:
        """Tell the type of figures by their separators; None where they are a decimal or grouped number."""
        surface = self._surfaces[start]
        if _CLOCK.fullmatch(surface):
            opening = self._opening(self._words.openings, start, free) or self._opening(self._words.weak, start, free)
            begin = opening[1] if opening is not None and opening[0] is SpanKind.TIME else start
            return self._closed(SpanKind.TIME, begin, start + 1, None)
        opening = self._opening(self._words.openings, start, free)
        if opening is not None and opening[0] in {SpanKind.PHONE, SpanKind.LABEL, SpanKind.DATE}:
            return self._closed(opening[0], opening[1], start + 1, None)
        parts = re.split(r"[.:/-]", surface)
        digits = sum(map(len, parts))
        if "/" in surface:
            share = _parted(surface)
            if share is not None and (self._counted(start + 1) or self._times(start + 1) or self._an_item(start + 1)):
                return None
            street = start + 1 < self._count and self._spoken[start + 1].capital and not self._counted(start + 1)
            return Span(SpanKind.LABEL if street else SpanKind.DATE, start, start + 1, None)
        if "-" in surface:
            return self._dashed(start, parts, digits)
        if (len(parts) == 2 and "." in surface) or _GROUPED.fullmatch(surface):  # noqa: PLR2004 - a decimal
            return None
        return Span(SpanKind.PHONE if digits >= MIN_PHONE + 1 else SpanKind.DATE, start, start + 1, None)

    def _dashed(self, start: int, parts: Sequence[str], digits: int) -> Span:
        if len(parts) == 2 and digits < MIN_PHONE and int(parts[0]) < int(parts[1]):  # noqa: PLR2004 - from, to
            amount = _Amount(start + 1, int(parts[1]), decimal=False, article=False)
            unit = self.unit(amount)
            if unit is not None:
                return self._closed(unit[0], start, unit[1], None)
            if int(parts[1]) <= MAX_RANGE:
                return Span(SpanKind.RANGE, start, start + 1, None)
        return Span(SpanKind.DATE if len(parts) == 3 else SpanKind.PHONE, start, start + 1, None)  # noqa: PLR2004 - day, month, year

    # --- Chats and homophones -------------------------------------------------------------------------------------------------------

    def _speaker(self, start: int) -> Span | None:
        """Read what a chat writes before a line: when, and by whom."""
        for end in range(start, min(start + MAX_SPEAKER, self._count)):
            surface = self._surfaces[end]
            if surface == "\n":
                return Span(SpanKind.SPEAKER, start, end, None) if end > start and _CLOCK.fullmatch(self._surfaces[end - 1]) else None
            if surface == ":" and end > start:
                dated = self._surfaces[start][0].isdecimal() or _CLOCK.fullmatch(self._surfaces[end - 1]) is not None
                clock = any(map(_CLOCK.fullmatch, self._surfaces[start:end]))
                return Span(SpanKind.SPEAKER, start, end + 1, None) if dated and clock else None
        return None

    def _homophone(self, start: int) -> Span | None:
        """Accept a word that sounds like a number where a clause begins with it and a noun follows in the number that it says."""
        before = self._surfaces[start - 1] if start else ","
        opens = words.is_punctuation(before) or before in self._words.joins
        opens = opens or self._ends(self._words.requests, start)
        if not opens or self._any(self._menu.known, start):
            return None
        value = self._menu.homophones[self._surfaces[start]]
        for place in range(start + 1, min(start + 2 + MAX_MODIFIERS, self._count)):
            end = self._menu.item_at(self._spoken, place)
            if end:
                last = self._surfaces[end - 1]
                plural = last != words.singular(last)
                return Span(SpanKind.QUANTITY, start, start + 1, value) if plural == (value > 1) else None
            if not self._counted(place):
                return None
        return None


def _parted(surface: str) -> Fraction | None:
    """Return the value of a written fraction below one; None where it is none."""
    parts = surface.split("/")
    if len(parts) != 2 or not 0 < int(parts[0]) < int(parts[1]) <= 8:  # noqa: PLR2004 - two parts; eighths are the smallest
        return None
    return Fraction(int(parts[0]), int(parts[1]))
