"""The words of the language packs that assign a type to a number."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

from voice.orders import words
from voice.orders.language_packs import LanguagePack, SpanName
from voice.orders.spans.kinds import SpanKind

Phrase = tuple[str, ...]
PhraseTable = dict[str, list[tuple[Phrase, SpanKind]]]  # by the first word, openings by the last one; longest phrase first


class SpanVocabulary:
    """The words of all languages that assign a type to a number, with diacritics or without."""

    def __init__(self, packs: Sequence[LanguagePack], menu_packs: Sequence[LanguagePack], *, folded: bool) -> None:
        """Index the words; `menu_packs`: languages of the menu, `folded`: spell the words without diacritics."""
        self.is_folded = folded
        # Without diacritics a unit may spell another language's function word: "độ" (degree) and "do".
        self._function_words = {word for pack in packs for word in pack.function_words() if word.isascii()} if folded else set()
        self.ambiguous_units: PhraseTable = defaultdict(list)  # units like that: only where a clause ends
        spans = [pack.spans for pack in packs]
        self.units = self._table([row.units for row in spans])
        # A letter behind digits abbreviates other units in other languages, so only the menu's languages count.
        self.decimal_units = self._table([pack.spans.decimal for pack in menu_packs])
        glued = self._table([pack.spans.glued for pack in menu_packs])
        self.glued_units = {word: entries for word, entries in glued.items() if word not in self.decimal_units}
        self.openings = self._table([row.openings for row in spans], by_last=True)
        self.weak_openings = self._table([row.weak_openings for row in spans], by_last=True)
        self.closings = self._table([row.closings for row in spans])
        self.article_units = {word for row in spans for word in row.articles}
        self.no_openings = frozenset(self._phrases([phrase for row in spans for phrase in row.no_openings]))
        self.streets = {word for row in spans for word in row.streets}
        self.ordinal_suffixes = {word for row in spans for word in row.ordinals}
        self.ordinal_openings = self._words([word for row in spans for word in row.ordinal_openings])
        self.weekdays = self._words([word for row in spans for word in row.weekdays])
        self.ranges = self._words([word for row in spans for word in row.ranges])
        self.range_openings = self._words([word for row in spans for word in row.betweens])
        self.range_joins = self._words([word for row in spans for word in row.throughs])

        self.decimal_points = self._words([word for row in spans for word in row.points])
        self.half_suffixes = self._phrases([phrase for row in spans for phrase in row.halves])
        self.half_prefixes = self._phrases([phrase for row in spans for phrase in row.half_of])
        self.share_prefixes = self._phrases([phrase for row in spans for phrase in row.shares_of])
        self.half_words = self._words([phrase.split()[0] for pack in packs for phrase in pack.numbers.halves])
        self.share_starts = self.half_words | {phrase[0] for phrase in self.share_prefixes}
        self.fraction_starts = self.share_starts | {phrase[0] for phrase in (*self.half_prefixes, *self.half_suffixes)}

        self.zero_words = {word for pack in packs for word in pack.numbers.zero_determiners}
        self.homophones = {word: value for pack in packs for word, value in pack.numbers.homophones.items()}
        # Phrases that begin with a homophone and contain no number: "for here".
        openings = tuple([f"{homophone} " for homophone in self.homophones])
        self.homophone_phrases = [words.phrase(phrase) for pack in packs for phrase in pack.phrases() if phrase.startswith(openings)]

        self.classifiers = self._words([words.phrase(phrase)[0] for pack in packs for phrase in pack.classifiers])
        self.adjectives = self._words([phrase for pack in packs for phrase in pack.adjectives if " " not in phrase])
        self.partitives = self._phrases([phrase for pack in packs for phrase in pack.parts])
        self.conjunctions = self._words([phrase for pack in packs for phrase in pack.joins])
        self.multiplication_signs = {word for pack in packs for word in pack.multiplies}
        self.requests = frozenset(self._phrases([phrase for pack in packs for phrase in pack.requests]))
        self.quantity_setters = frozenset(
            self._phrases([phrase for pack in packs for phrase in (*pack.sets, *pack.set_pronouns, *pack.intos)])
        )
        self.change_verbs = {
            words.phrase(self._spell(phrase))[0] for pack in packs for phrase in (*pack.replaces, *pack.sets, *pack.set_pronouns)
        }

    def _spell(self, phrase: str) -> str:
        return words.fold(phrase) if self.is_folded else phrase

    def _words(self, single_words: Iterable[str]) -> set[str]:
        return {self._spell(word) for word in single_words}

    def _phrases(self, phrases: Iterable[str]) -> list[Phrase]:
        """Return the phrases, the longest first."""
        return sorted({_surfaces(self._spell(phrase)) for phrase in phrases}, key=len, reverse=True)

    def _table(self, tables: Iterable[dict[SpanName, list[str]]], *, by_last: bool = False) -> PhraseTable:
        indexed: PhraseTable = defaultdict(list)
        for table in tables:
            for name, phrases in table.items():
                for phrase in phrases:
                    surfaces = _surfaces(self._spell(phrase))
                    if len(surfaces) == 1 and surfaces[0] in self._function_words and not phrase.isascii():
                        self.ambiguous_units[surfaces[0]].append((surfaces, SpanKind(name)))
                    else:
                        indexed[surfaces[-1 if by_last else 0]].append((surfaces, SpanKind(name)))
        for entries in indexed.values():
            entries.sort(key=lambda entry: (-len(entry[0]), entry[1] is not SpanKind.TIME))  # "g" behind a few is hours, not grams
        return indexed


@lru_cache(maxsize=65_536)
def _surfaces(phrase: str) -> Phrase:
    """Return the surfaces of a phrase, signs included."""
    return tuple([token.surface for token in words.tokenize(phrase)])
