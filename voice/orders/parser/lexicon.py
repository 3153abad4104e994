"""The lexicon of a menu and of all languages, and the lattice of arcs of an utterance."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from voice.menus.menu import Menu
from voice.menus.names import all_names, spoken_names
from voice.orders import words
from voice.orders.language_packs import LanguagePack, language_packs
from voice.orders.numbers import Number, NumberWords
from voice.orders.parser.arc import Arc
from voice.orders.parser.figure_arcs import FigureIndex
from voice.orders.parser.model import Features, Model
from voice.orders.parser.names import NameIndex
from voice.orders.parser.roles import NAMING, Role, phrases
from voice.orders.parser.spelling import function_spelling
from voice.orders.parser.splitting import WordSplitter
from voice.orders.spans import Span, SpanClassifier, SpanKind
from voice.orders.words import Token

MAX_CACHED: Final = 8192  # rows of arcs
MAX_QUANTITY: Final = 999
MAX_PEOPLE_WORDS: Final = 2
MAX_SHORTHAND_REACH: Final = 8  # tokens of a phrase with shorthand
SHORT: Final = 3  # letters; shorter words are often interjections

# Phrases with their roles, values and languages.
FunctionPhrases = dict[tuple[str, ...], tuple[tuple[tuple[str, ...], Role, Any, str], ...]]


class _Manner(NamedTuple):
    """How an utterance is written."""

    language: str  # of most of its function words; "": no language has the most
    has_diacritics: bool


class Lexicon:
    """The names of one menu, and the function words, numbers and typed spans of all languages; compiled once."""

    def __init__(self, menu: Menu, model: Model) -> None:
        packs = list(language_packs().values())
        self._model = model
        self._names = NameIndex(menu, packs, model)
        self._figures = FigureIndex(menu, packs, model)
        self._numbers = NumberWords(packs, are_diacritics_optional=True)
        self._splitter = WordSplitter(
            self._names.vocabulary(),
            [word for pack in packs for word in (*pack.numbers.units, *pack.numbers.tens)],
            {word for pack in packs for word in pack.function_words()},
        )
        self._spans = _span_classifier(menu, packs, self._numbers)
        self._people = frozenset({words.phrase(spelt) for pack in packs for way in pack.people for spelt in (way, words.fold(way))})
        self._functions, self._longest = _function_phrases()
        self._shorthand = [(pack.language, _words_of_shorthand(pack)) for pack in packs]
        self._vocabularies = _vocabularies()
        self._groups = _words_of_groups(menu, packs)
        self._rows: dict[tuple[object, ...], tuple[Arc, ...]] = {}
        self._reach: dict[tuple[str, _Manner], int] = {}

    def tokens(self, utterance: str) -> list[Token]:
        """Split an utterance into tokens, and words that were typed as one at the names of the menu."""
        return self._splitter.split(words.tokenize(utterance))

    def lattice(self, tokens: Sequence[Token]) -> list[tuple[Arc, ...]]:
        """Return the arcs that begin at each token; each token has one that leaves it unread."""
        has_diacritics = words.has_diacritics(tokens)
        surfaces = tuple([token.surface for token in tokens])
        numbers = self._numbers.parse_all(tokens, has_diacritics=has_diacritics)
        manner = _Manner(self._language(surfaces, has_diacritics=has_diacritics), has_diacritics)
        rows = [self._row(tokens, surfaces, numbers, start, manner) for start in range(len(tokens))]
        if self._spans.needed(surfaces, numbers):
            for span in self._spans.classify(tokens, numbers, has_diacritics=has_diacritics):
                self._add_span(span, rows)
        for span in self._list_numbers(surfaces, numbers, rows):
            self._add_list_number(span, rows)
        return rows

    def _add_list_number(self, span: Span, rows: list[tuple[Arc, ...]]) -> None:
        """Add the arc of an entry's number: it stands for one unit."""
        number = span.start + 1
        rows[number] = tuple([self._typed(arc, span.kind.value) if arc.role is Role.NUMBER else arc for arc in rows[number]])
        listed = self._arc(span.end - span.start, Role.NUMBER, 1, (("number", 1.0), ("number.listed", 1.0)))
        rows[span.start] = (*rows[span.start], listed)

    def _list_numbers(self, surfaces: Sequence[str], numbers: Sequence[Number | None], rows: Sequence[Sequence[Arc]]) -> list[Span]:
        """Return the numbers that count the entries of a list, each behind the same counting word: "cup one: ...; cup two: ..."."""
        found: dict[str, list[Span]] = defaultdict(list)
        for start, surface in enumerate(surfaces[:-1]):
            number = numbers[start + 1]
            if number is None or number.article or number.value != len(found.get(surface, ())) + 1:
                continue
            if (start == 0 or numbers[start - 1] is None) and self._counts(surface, rows[start]):
                found[surface].append(Span(SpanKind.LABEL, start, number.end, number.value))
        return [span for spans in found.values() if len(spans) > 1 for span in spans]

    def _counts(self, surface: str, row: Sequence[Arc]) -> bool:
        """Return whether a word counts units or people."""
        return (surface,) in self._people or any([arc.role is Role.CLASSIFIER and arc.length == 1 for arc in row])

    def _language(self, surfaces: Sequence[str], *, has_diacritics: bool) -> str:
        """Return the language to which most words belong that belong to one language only."""
        count = dict.fromkeys(self._vocabularies, 0)
        for surface in surfaces:
            owners = [
                language for language, (exact, plain) in self._vocabularies.items() if surface in (exact if has_diacritics else plain)
            ]
            if len(owners) == 1:
                count[owners[0]] += 1
        (language, most), *others = sorted(count.items(), key=lambda one: -one[1])
        return language if not others or most > others[0][1] else ""

    def _row(
        self, tokens: Sequence[Token], surfaces: tuple[str, ...], numbers: Sequence[Number | None], start: int, manner: "_Manner"
    ) -> tuple[Arc, ...]:
        """Return the arcs at a token, cached under the tokens that they depend on."""
        first = surfaces[start], manner
        reach = self._reach.get(first, 1)
        row = self._rows.get(_window(surfaces, start, reach, manner))
        if row is None:
            arcs, looked_at = self._arcs_at(tokens, surfaces, numbers, start, manner)
            row = tuple(arcs)
            if len(self._rows) > MAX_CACHED:
                self._rows.clear()
                self._reach.clear()
                reach = 1
            reach = self._reach[first] = max(looked_at, reach)
            self._rows[_window(surfaces, start, reach, manner)] = row
        return row

    def _arcs_at(
        self, tokens: Sequence[Token], surfaces: tuple[str, ...], numbers: Sequence[Number | None], start: int, manner: "_Manner"
    ) -> tuple[list[Arc], int]:
        """Return the arcs at a token, and the number of tokens that were looked at."""
        surface = surfaces[start]
        if words.is_punctuation(surface):
            return [Arc(1, Role.COMMA if surface == "," else Role.STOP, surface, (), 0.0)], 1
        arcs, reach = self._names.arcs_at(surfaces, start, has_diacritics=manner.has_diacritics)
        of_figures, figure_reach = self._figures.arcs_at(surfaces, numbers, start)
        arcs = [self._shared(arc, arcs) for arc in _merged(arcs, of_figures)]
        functions, phrase_reach = self._function_arcs(tokens, surfaces, start, manner)
        functions += self._number_arcs(surfaces, numbers[start], start)
        functions += self._numbers_before_names(tokens, numbers[start], start, manner)
        groups = self._groups.get(words.singular(surface))
        if groups is not None:
            functions.append(self._arc(1, Role.GROUP, groups, (("function", 1.0), ("function.GROUP", 1.0))))
        longest = max([arc.length for arc in functions], default=1)
        arcs += functions
        arcs.append(self._unread(surface, arcs, is_function=bool(functions)))
        return arcs, max(reach, figure_reach, longest + MAX_PEOPLE_WORDS, phrase_reach)

    def _shared(self, arc: Arc, arcs: Sequence[Arc]) -> Arc:
        """Return the arc of a name with a feature if the same words also name items, or choices, respectively."""
        others = [other for other in arcs if other.length == arc.length and other.role is not arc.role]
        if not others:
            return arc
        kind, extent = arc.role.name.lower(), "partial" if all([other.is_partial for other in others]) else "whole"
        features = (*arc.features, (f"name.{kind}.shared={extent}", 1.0))
        return Arc.scored(self._model, arc.length, arc.role, arc.value, features, is_partial=arc.is_partial)

    def _arc(self, length: int, role: Role, value: Any, features: Features) -> Arc:
        return Arc.scored(self._model, length, role, value, features)

    def _unread(self, surface: str, arcs: Sequence[Arc], *, is_function: bool) -> Arc:
        names = [arc for arc in arcs if arc.role in NAMING]
        features = [("unread", 1.0)]
        if is_function:
            features.append(("unread.function", 1.0))
        if names:
            features.append(("unread.partial_name" if all(arc.is_partial for arc in names) else "unread.name", 1.0))
        if len(surface) < SHORT:
            features.append(("unread.short", 1.0))
        return self._arc(1, Role.UNREAD, None, tuple(features))

    def _function_arcs(self, tokens: Sequence[Token], surfaces: tuple[str, ...], start: int, manner: "_Manner") -> tuple[list[Arc], int]:
        """Return an arc for each role and value of the function phrases that begin at a token, and the number of tokens looked at.

        Of several spellings the arc has the cheapest.
        """
        best: dict[tuple[int, Role, Any], Arc] = {}
        reach = 1
        for of_shorthand, said in self._readings(surfaces, start):
            reach = max(reach, len(said))
            folded = tuple(map(words.fold, said))
            for length in range(1, len(said) + 1):
                entries = self._functions.get(folded[:length], ())
                is_exact = any([phrase == said[:length] for phrase, *_ in entries])
                for phrase, role, value, of_language in entries:
                    if of_shorthand not in {"", of_language}:
                        continue
                    if is_exact and phrase != said[:length] and manner.language != of_language:
                        continue  # "no" is no "nó" without its mark
                    spelling = function_spelling(said[:length], phrase, has_diacritics=manner.has_diacritics)
                    if spelling is None:
                        continue
                    is_name = "".join([token.key for token in tokens[start : start + length]]) in self._names.keys
                    features = _function_features(role, spelling, is_name=is_name, is_foreign=manner.language not in {of_language, ""})
                    arc = self._arc(length, role, value, features)
                    key = length, role, value
                    if key not in best or arc.cost < best[key].cost:
                        best[key] = arc
        return list(best.values()), reach

    def _readings(self, surfaces: tuple[str, ...], start: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the tokens that a phrase may reach; again, with the language, if a language has words for which some are shorthand."""
        yield "", surfaces[start : start + self._longest.get(words.fold(surfaces[start]), 0)]
        for language, meant in self._shorthand:
            ahead = surfaces[start : start + MAX_SHORTHAND_REACH]
            if any([surface in meant for surface in ahead]):
                spelt = tuple([meant.get(surface, surface) for surface in ahead])
                said = spelt[: self._longest.get(words.fold(spelt[0]), 0)]
                if said != ahead[: len(said)]:
                    yield language, said

    def _number_arcs(self, surfaces: tuple[str, ...], number: Number | None, start: int) -> Iterator[Arc]:
        """Yield the arcs of a number: a quantity, and the number of people where a word for people follows."""
        if number is None:
            return
        length = number.end - start
        if number.article:
            yield self._arc(length, Role.ARTICLE, 1, (("article", 1.0),))
            return
        if number.value == 0:  # zero of something is none
            for role in (Role.AMOUNT, Role.AMOUNT_BEHIND):
                yield self._arc(length, role, "no", (("number", 1.0), ("number.zero", 1.0)))
        if not 1 <= number.value <= MAX_QUANTITY:
            return
        features: Features = (("number", 1.0), ("number.spelling", number.cost)) if number.cost else (("number", 1.0),)
        yield self._arc(length, Role.NUMBER, number.value, features)
        for n_words in range(1, MAX_PEOPLE_WORDS + 1):
            people = surfaces[number.end : number.end + n_words]
            if len(people) == n_words and people in self._people:
                yield self._arc(length + n_words, Role.PEOPLE, number.value, (*features, ("number.people", 1.0)))

    def _numbers_before_names(self, tokens: Sequence[Token], number: Number | None, start: int, manner: "_Manner") -> Iterator[Arc]:
        """Yield the shorter numbers in a number whose last word begins a name of the menu: "2 dozen" where "dozen" is a choice."""
        if number is None or number.base == 0 or number.end - start < 2 or not self._names.begins(tokens[number.end - 1].surface):  # noqa: PLR2004
            return
        shorter = self._numbers.parse(tokens[: number.end - 1], start, has_diacritics=manner.has_diacritics)
        if shorter is not None and shorter.end == number.end - 1:
            yield from self._number_arcs(tuple([token.surface for token in tokens]), shorter, start)

    def _add_span(self, span: Span, rows: list[tuple[Arc, ...]]) -> None:
        """Add the arc of a typed span; numbers within a span that is no quantity get features of its type."""
        start, length = span.start, span.end - span.start
        if span.kind is SpanKind.QUANTITY:
            if span.value:
                features: Features = (("number", 1.0), ("number.typed.quantity", 1.0))
                rows[start] = (*rows[start], self._arc(length, Role.NUMBER, int(span.value), features))
            return
        kind = span.kind.value
        for at in range(start, span.end):
            rows[at] = tuple([self._typed(arc, kind) if arc.role is Role.NUMBER else arc for arc in rows[at]])
        rows[start] = (*rows[start], self._arc(length, Role.TALK, kind, (("span", 1.0), (f"span.{kind}", 1.0))))

    def _typed(self, arc: Arc, kind: str) -> Arc:
        return self._arc(arc.length, arc.role, arc.value, (*arc.features, ("number.typed", 1.0), (f"number.typed.{kind}", 1.0)))


def _merged(arcs: Sequence[Arc], others: Sequence[Arc]) -> list[Arc]:
    """Return arcs of names with the others that are cheaper than those of the same tokens and the same meaning."""
    cost = {(arc.length, arc.role, arc.value): arc.cost for arc in arcs}
    return [*arcs, *[one for one in others if one.cost < cost.get((one.length, one.role, one.value), math.inf)]]


def _function_features(role: Role, spelling: Features, *, is_name: bool, is_foreign: bool) -> Features:
    """Return the features of a function phrase; `is_name`: it is also a name of the menu, `is_foreign`: of another language."""
    features = [("function", 1.0), (f"function.{role.name}", 1.0), *spelling]
    if any([feature == "function.tone" for feature, _ in spelling]):
        features.append((f"function.tone.{role.name}", 1.0))
    if is_name:
        features += [("function.named", 1.0), (f"function.named.{role.name}", 1.0)]
    if is_foreign:
        features.append(("function.foreign", 1.0))
    return tuple(features)


@lru_cache(maxsize=1)
def _function_phrases() -> tuple[FunctionPhrases, dict[str, int]]:
    """Return the function phrases of all languages by their words without diacritics, and the length of the longest by its first word."""
    found: FunctionPhrases = {}
    longest: dict[str, int] = {}
    for pack in language_packs().values():
        for role, value, spelt in phrases(pack):
            for phrase in filter(None, map(words.phrase, spelt)):
                for spelling in {phrase, _with_digits(phrase, pack)}:
                    folded = tuple(map(words.fold, spelling))
                    found[folded] = (*found.get(folded, ()), (spelling, role, value, pack.language))
                    longest[folded[0]] = max(len(folded), longest.get(folded[0], 0))
    return found, longest


@lru_cache(maxsize=1)
def _vocabularies() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Return the function words of each language, and the same with those without their diacritics."""
    found = {}
    for language, pack in language_packs().items():
        exact = frozenset({word for way in pack.phrases() for word in words.phrase(way)})
        found[language] = exact, exact | {words.fold(word) for word in exact}
    return found


def _words_of_groups(menu: Menu, packs: Sequence[LanguagePack]) -> dict[str, tuple[str, ...]]:
    """Return the option groups that a word of their names, or a synonym of it, may mean; function words mean none."""
    synonyms: dict[str, set[str]] = defaultdict(set)
    for pack in packs:
        for row in pack.synonyms:
            spelt = [phrase[0] for phrase in map(words.phrase, row) if len(phrase) == 1]
            for word in spelt:
                synonyms[word].update(spelt)
    ignored = {word for pack in packs for word in (*pack.amounts, *pack.joins, *pack.withs, *pack.ontos, *pack.classifiers)}
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    for group_id, group in menu.option_groups.items():
        for word in {word for name in all_names(group.name) for word in words.phrase(name)} - ignored:
            for same in {word, *synonyms[word]}:
                if len(same) > 1:
                    groups[words.singular(same)][group_id] = None
    return {word: tuple(found) for word, found in groups.items()}


def _with_digits(phrase: tuple[str, ...], pack: LanguagePack) -> tuple[str, ...]:
    """Return a phrase of several words with digits for its number words."""
    units = pack.numbers.units
    return tuple([str(units[word]) if word in units else word for word in phrase]) if len(phrase) > 1 else phrase


def _words_of_shorthand(pack: LanguagePack) -> dict[str, str]:
    """Return the words of a language by their spellings in chats."""
    return {short: word for word, shorts in pack.shorthand.items() for short in shorts}


def _window(surfaces: tuple[str, ...], start: int, reach: int, manner: "_Manner") -> tuple[object, ...]:
    """Return the cache key of a row: the tokens within reach, and whether the utterance ends there."""
    return (manner, *surfaces[start : start + reach], start + reach >= len(surfaces))


def _span_classifier(menu: Menu, packs: Sequence[LanguagePack], numbers: NumberWords) -> SpanClassifier:
    items = [name for item in menu.items.values() for name in spoken_names(item)]
    choices = [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    named = [name for choice in choices for name in spoken_names(choice)]
    return SpanClassifier(packs, numbers, items, named, currency=menu.currency, languages=menu.languages)
