"""The lattice of an utterance: the arcs that begin at each token.

`voice.orders.lexicon` returns the arcs that depend only on the tokens behind their first one. This module adds the others: names that
overlap or share words, names by their sound, names of option groups, typed numbers, statements and questions.
"""

from collections.abc import Sequence
from typing import Final

from voice.orders import spelling, words
from voice.orders.costs import (
    AN_ARTICLE,
    ELSEWHERE,
    EMPTY,
    MISHEARD,
    NAME,
    NUMBER_AFTER_ARTICLE,
    OTHER_REGION,
    SEGMENT,
    SHARED_WORD,
    SOUNDING,
    STATEMENT,
)
from voice.orders.lexicon import MAX_WORDS, NAMING, REPORTED_WHOLE, UNKNOWN, Arc, Lexicon, Role
from voice.orders.numbers import Number
from voice.orders.spans import Span, SpanKind
from voice.orders.words import Token

UNCLEAR: Final = 10**9  # value of a quantity that needs a question
NO: Final = UNCLEAR + 1  # value of the quantity zero
_UNCLEAR_KINDS: Final = frozenset({SpanKind.FRACTION, SpanKind.RANGE})
_PAUSE: Final = [Arc(1, Role.PAUSE, None, 0.0)]
_STOP: Final = [Arc(1, Role.STOP, None, 0.0)]
_LABEL_ENDS: Final = frozenset(
    {Role.FILLER, Role.INTO, Role.ARTICLE, Role.SET, Role.WITH, Role.REPLACE, Role.REQUEST}
)  # between the name of a group and its choice
_CLAUSE_STARTS: Final = frozenset({Role.STOP, Role.PAUSE, Role.REQUEST, Role.JOIN})
_CLAUSE_ENDS: Final = frozenset({Role.STOP, Role.PAUSE, Role.REQUEST, Role.FILLER})
MIN_SIMILARITY: Final = 0.4  # of the letters of a name and the words that sound like it
MIN_CONSONANTS: Final = 2  # of words that sound like a name: fewer match too many names
MAX_SOUND_WORDS: Final = 4  # the recogniser may write one name as several words
MAX_LABEL_WORDS: Final = 5
MAX_LABELLED_WORDS: Final = 3  # of a choice before the name of its group
MAX_SHARED_WORDS: Final = 3  # of a choice before the words shared with an item
MAX_LIST_LINKS: Final = 4  # words between two members of a list
MAX_NAME_WORDS: Final = 3
MAX_ALLERGY_WORDS: Final = 8
MAX_ASKED_WORDS: Final = 8  # between the first and the last words of a question


def _arc_of(span: Span, number: Number | None) -> Arc | None:
    """Return the arc of a typed number; None if the lexicon has the arc."""
    length = span.end - span.start
    if span.kind is SpanKind.QUANTITY:
        if span.value == 0:
            return Arc(length, Role.NUMBER, NO, SEGMENT)
        if span.value is not None and span.value >= UNCLEAR:
            return Arc(length, Role.NUMBER, UNCLEAR, SEGMENT)
        said = number is not None and number.end == span.end and number.value == span.value
        return None if said else Arc(length, Role.NUMBER, span.value, SEGMENT)
    if span.kind in _UNCLEAR_KINDS:
        return Arc(length, Role.NUMBER, UNCLEAR, SEGMENT)
    if span.kind is SpanKind.NAME:
        return None
    if span.kind is SpanKind.ORDINAL:
        return Arc(length, Role.ORDINAL, span.value, SEGMENT)
    return Arc(length, Role.STATEMENT, None, SEGMENT)


def _counts_people(span: Span, arcs: list[list[Arc]]) -> bool:
    """Return whether a span is a number of people; it may multiply the order."""
    return span.kind is SpanKind.PARTY and any(arc.role is Role.PEOPLE for row in arcs[span.start : span.end] for arc in row)


class Lattice:
    """Builds the lattices of utterances with the lexicon of a menu."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Build lattices with `lexicon`."""
        self._lexicon = lexicon

    def build(self, tokens: Sequence[Token]) -> list[list[Arc]]:
        """Return the arcs that begin at each token; a token without any has UNKNOWN. Rows are cached: do not change them."""
        has_diacritics = words.has_diacritics(tokens)
        surfaces = tuple([token.surface for token in tokens])
        keys = [token.key for token in tokens]
        numbers = self._lexicon.numbers.parse_all(tokens, has_diacritics=has_diacritics)
        arcs: list[list[Arc]] = []
        covered = [0] * len(tokens)  # the end of the complete names over each token
        ends = set()  # of the complete names
        breakable: list[int] = []  # tokens at which parts of names or unknown words may begin
        foreign: list[int] = []  # tokens that may be fillers of a language that is not the menu's
        items: list[tuple[int, Arc]] = []  # that may share words with another name
        unknown = [start for start, key in enumerate(keys) if key not in self._lexicon.known and not key.isdecimal()]
        for start, surface in enumerate(surfaces):
            if words.is_punctuation(surface):
                arcs.append(_PAUSE if surface == "," else _STOP)
                continue
            row = self._lexicon.row(tokens, surfaces, numbers, start, has_diacritics=has_diacritics)
            near_unknown = unknown and unknown[0] < start + MAX_SOUND_WORDS and unknown[-1] >= start
            arcs.append(row.arcs + self._sounding(surfaces, start, unknown) if near_unknown else row.arcs)
            if not row.has_only_whole_names:
                breakable.append(start)
            if row.sharing:
                items += [(start, item) for item in row.sharing]
            if row.may_be_foreign_filler:
                foreign.append(start)
            for length in row.wholes:
                ends.add(start + length)
                self._cover(covered, start, start + length)
        self._penalize_numbers_behind_articles(arcs, numbers)
        if foreign and has_diacritics and 3 * sum([not surface.isascii() for surface in surfaces]) > len(surfaces):
            self._penalize_foreign_fillers(arcs, foreign)
        items = [(start, item) for start, item in items if not (item.part and covered[start])]  # no category within a name
        if items:
            self._add_overlaps(arcs, items)
            self._add_shared_words(tokens, keys, arcs, items)
        if any([key in self._lexicon.labels_of for key in keys]):
            self._add_labelled(surfaces, keys, arcs, covered)
        for start in breakable:
            if covered[start] and start not in ends:
                arcs[start] = self._unbroken(arcs[start], start, covered[start])
        if not self._lexicon.statement_openings.isdisjoint(surfaces):
            self._add_statements(tokens, surfaces, arcs)
        if self._lexicon.spans.needed(surfaces, numbers):
            self._add_spans(self._lexicon.spans.classify(tokens, numbers, has_diacritics=has_diacritics), numbers, surfaces, arcs)
        return arcs

    @staticmethod
    def _cover(covered: list[int], start: int, end: int) -> None:
        """Record, for each token of a complete name, the end of the longest complete name over it."""
        for position in range(start, end):
            if covered[position] < end:
                covered[position] = end

    @staticmethod
    def _unbroken(row: list[Arc], start: int, end: int) -> list[Arc]:
        """Drop the arcs of unknown words and of parts of names that lie within a complete name.

        A part stays where the same words are also a complete name. After the first of two overlapping names ends, all arcs stay.
        """
        wholes = {arc.length for arc in row if arc.role in NAMING and not arc.part}
        kept = [
            arc
            for arc in row
            if start + arc.length > end or not (arc.part or arc.role is Role.UNKNOWN) or (arc.role in NAMING and arc.length in wholes)
        ]
        return kept or [UNKNOWN]

    @staticmethod
    def _penalize_numbers_behind_articles(arcs: list[list[Arc]], numbers: Sequence[Number | None]) -> None:
        """Raise the cost of a number behind an article; it is more often a size: "a 20 piece wings"."""
        for number in numbers:
            if number is not None and number.article and number.end < len(arcs) and numbers[number.end] is not None:
                row = arcs[number.end]
                arcs[number.end] = [arc.at(arc.cost + NUMBER_AFTER_ARTICLE) if arc.role is Role.NUMBER else arc for arc in row]

    def _add_spans(self, spans: Sequence[Span], numbers: Sequence[Number | None], surfaces: tuple[str, ...], arcs: list[list[Arc]]) -> None:
        """Replace the arcs of typed numbers that the lexicon does not have."""
        homophones = self._lexicon.spans.homophones
        for span in spans:
            start, length = span.start, span.end - span.start
            if surfaces[start] in homophones and span.kind is SpanKind.QUANTITY:
                arcs[start] = [*arcs[start], Arc(length, Role.NUMBER, span.value, SEGMENT + MISHEARD)]
                continue
            arc = _arc_of(span, numbers[start])
            spelt = surfaces[start].isalpha() and surfaces[span.end - 1].isalpha()  # an ordinal in words is in the language packs
            if arc is not None and not _counts_people(span, arcs) and not (span.kind is SpanKind.ORDINAL and spelt):
                self._set_span(span, arc, arcs)
            if span.kind is SpanKind.QUANTITY and span.value == 0:
                arcs[start] = [*arcs[start], Arc(length, Role.AMOUNT, "no", SEGMENT)]

    @staticmethod
    def _set_span(span: Span, span_arc: Arc, arcs: list[list[Arc]]) -> None:
        """Give a span one arc; only longer names may also cover it."""
        for start in range(max(0, span.start - MAX_WORDS), span.start):
            reach = span.start - start
            if any([arc.length > reach for arc in arcs[start]]):
                kept = [arc for arc in arcs[start] if arc.length <= reach or arc.length >= span.end - start]
                arcs[start] = kept or [UNKNOWN]
        arcs[span.start] = [
            span_arc,
            *[arc for arc in arcs[span.start] if arc.length > span_arc.length and arc.role in NAMING and not arc.part],
        ]
        for start in range(span.start + 1, span.end):
            arcs[start] = [UNKNOWN]

    @staticmethod
    def _penalize_foreign_fillers(arcs: list[list[Arc]], starts: Sequence[int]) -> None:
        """Raise the cost of fillers of languages that are not the menu's; called if more than a third of the words has diacritics."""
        for start in starts:
            arcs[start] = [arc.at(arc.cost + ELSEWHERE) if arc.role is Role.FILLER else arc for arc in arcs[start]]

    @staticmethod
    def _add_overlaps(arcs: list[list[Arc]], items: Sequence[tuple[int, Arc]]) -> None:
        """Add the rest of a name that overlaps with the name before it.

        "cơm sườn non" is "cơm sườn" with "sườn non", "half rack of ribs" a "half rack" of the "rack of ribs".
        """
        for start, item in items:
            end = start + item.length
            for shared in range(start + 1, end if not item.part else start):
                for option in arcs[shared]:
                    if option.role is Role.OPTION and not option.part and shared + option.length > end:
                        rest = Arc(shared + option.length - end, Role.OPTION, option.value, option.cost + SHARED_WORD, part=True)
                        arcs[end] = [*arcs[end], rest]
            for before in range(max(0, start - MAX_SHARED_WORDS), start):
                for option in arcs[before]:
                    behind = before + option.length
                    if option.role is Role.OPTION and not option.part and start < behind < end:
                        arcs[behind] = [*arcs[behind], Arc(end - behind, Role.ITEM, item.value, item.cost + SHARED_WORD, part=item.part)]

    def _add_shared_words(self, tokens: Sequence[Token], keys: list[str], arcs: list[list[Arc]], items: Sequence[tuple[int, Arc]]) -> None:
        """Add the items of a list that have their first or last words in common: "a ham and a turkey sandwich"."""
        waiting: dict[tuple[int, str, str], None] = {}  # of a possible further member: start, its shared first and last keys
        for start, item in items:
            end = start + item.length
            begin = self._next_member(tokens, end)
            if item.part:  # a category before its members
                said = "".join(keys[start:end])
                if begin:
                    waiting[begin, said, ""] = waiting[begin, "", said] = None
                continue
            if begin:
                shared = ["".join(keys[start:place]) for place in range(start + 1, end)]
                waiting.update({(begin, head, ""): None for head in shared if head in self._lexicon.shared_heads})
            tails = ["".join(keys[place:end]) for place in range(start + 1, end)] if start else []
            tails = [tail for tail in tails if tail in self._lexicon.shared_tails]
            if tails:
                self._add_before(tokens, keys, arcs, start, tails)
        met = set(waiting)
        while waiting:
            begin, head, tail = key = next(iter(waiting))
            del waiting[key]
            found = self._item_between(tokens, keys, begin, head, tail, (3, 2, 1))
            if found is not None:
                arcs[begin] = [*arcs[begin], found]
                further = self._next_member(tokens, begin + found.length), head, tail
                if further[0] and further not in met:
                    met.add(further)
                    waiting[further] = None

    def _next_member(self, tokens: Sequence[Token], end: int) -> int:
        """Return the start of the next member of a list, behind a conjunction, a comma or a number; 0 where there is none."""
        for begin in range(end, min(end + MAX_LIST_LINKS, len(tokens))):
            surface = tokens[begin].surface
            if not self._links(surface):
                return 0 if surface in self._lexicon.function_words else begin
        return 0

    def _add_before(self, tokens: Sequence[Token], keys: list[str], arcs: list[list[Arc]], start: int, tails: list[str]) -> None:
        """Add the item before a name with which it shares the last words."""
        place = start
        while place > 0 and start - place < MAX_LIST_LINKS and self._links(tokens[place - 1].surface):
            place -= 1
        if place == 0 or tokens[place - 1].surface in self._lexicon.function_words:
            return
        for length in (1, 2):
            for tail in tails if place >= length else ():
                found = self._item_between(tokens, keys, place - length, "", tail, (length,))
                if found is not None:
                    arcs[place - length] = [*arcs[place - length], found]
                    return

    def _links(self, surface: str) -> bool:
        """Return whether a word may stand between two members of a list."""
        return surface in self._lexicon.linking or surface.isdecimal()

    def _item_between(
        self, tokens: Sequence[Token], keys: list[str], start: int, head: str, tail: str, lengths: Sequence[int]
    ) -> Arc | None:
        """Return the item with the keys `head`, those of the next n tokens, and `tail`, for the first n of `lengths` that fits an item."""
        if head + keys[start] not in self._lexicon.index:
            return None
        for length in lengths:
            between = keys[start : start + length]
            entries = self._lexicon.index.get(head + "".join(between) + tail) if len(between) == length else None
            if not entries:
                continue
            said = tuple([token.surface for token in tokens[start : start + length]])
            has_diacritics = words.has_diacritics(tokens[start : start + length])
            found: dict[object, None] = {}
            for entry in entries:
                if entry.role is Role.ITEM and entry.cost <= OTHER_REGION:
                    phrase = entry.phrase
                    meant = phrase[len(phrase) - length :] if head else phrase[:length]
                    if (
                        length < len(phrase)
                        and spelling.distance(said, meant, has_diacritics=has_diacritics) <= spelling.MISSING_DIACRITICS * length
                    ):
                        found[entry.value] = None
            if found:
                return Arc(length, Role.ITEM, tuple(found), SEGMENT + SHARED_WORD)
        return None

    def _add_labelled(self, surfaces: tuple[str, ...], keys: list[str], arcs: list[list[Arc]], covered: Sequence[int]) -> None:
        """Add options beside the name of their group: "nước thì trà đào", "soft noodles"."""
        for start, key in enumerate(keys):
            if key not in self._lexicon.labels_of or (start and covered[start - 1] > start) or self._has_number(arcs[start]):
                continue
            for label, group in self._lexicon.labels_of[key]:
                if tuple(keys[start : start + len(label)]) != label:
                    continue
                behind = start + len(label)
                named = not self._lexicon.function_words.issuperset(surfaces[start:behind])
                for before in range(max(0, start - MAX_LABELLED_WORDS), start) if named else ():
                    for option in arcs[before]:
                        if option.length == start - before:
                            self._add_choices(arcs, before, option, group, behind - before)
                changed = False
                while behind < len(keys):
                    ends = [
                        arc.role
                        for arc in arcs[behind]
                        if arc.length == 1 and arc.role in _LABEL_ENDS and arc.cost <= SEGMENT + EMPTY + AN_ARTICLE
                    ]
                    if not ends:
                        break
                    changed = changed or Role.REPLACE in ends
                    behind += 1
                for option in arcs[behind] if behind < len(keys) else ():
                    end = behind + option.length
                    if changed and end < len(keys) and any(arc.role is Role.INTO for arc in arcs[end]):
                        continue  # the old choice of a replacement
                    self._add_choices(arcs, start, option, group, behind + option.length - start)

    @staticmethod
    def _has_number(row: Sequence[Arc]) -> bool:
        return any(arc.role is Role.NUMBER for arc in row)

    @staticmethod
    def _add_choices(arcs: list[list[Arc]], start: int, option: Arc, group: str, length: int) -> None:
        """Add those choices of an option that belong to the group named beside it."""
        entries = tuple([entry for entry in option.value if entry.group == group]) if option.role is Role.OPTION else ()
        if entries and not option.part:
            arcs[start] = [*arcs[start], Arc(length, Role.OPTION, entries, option.cost + EMPTY)]

    def _sounding(self, surfaces: tuple[str, ...], start: int, unknown: Sequence[int]) -> list[Arc]:
        """Return the arcs of names that sound like tokens with an unknown word: "peppa roni", "bơ gơ"."""
        found = []
        for end in range(start + 1, min(start + MAX_SOUND_WORDS, len(surfaces)) + 1):
            if any(word in self._lexicon.function_words or not word.isalpha() for word in (surfaces[start], surfaces[end - 1])):
                continue
            if not any(start <= position < end for position in unknown):
                continue
            if end == start + 1 and not surfaces[start].isascii():
                continue  # a single syllable with diacritics is spelt correctly
            said = "".join((*surfaces[start : end - 1], words.singular(surfaces[end - 1])))
            skeleton = words.skeleton(said)
            if len(skeleton) < MIN_CONSONANTS:
                continue
            best: dict[Role, tuple[float, list[object]]] = {}
            for entry in self._lexicon.skeletons.get(skeleton, ()):
                meant = "".join(entry.phrase)
                if not said.isascii() and not meant.isascii():
                    continue  # Vietnamese syllables imitate foreign names, not Vietnamese ones
                similarity = spelling.similarity(said, meant)
                if similarity >= MIN_SIMILARITY and said != meant:
                    cost = SOUNDING + (1.0 - similarity) / 2
                    known = best.get(entry.role)
                    if known is None or cost < known[0]:
                        best[entry.role] = (cost, [entry.value])
                    elif cost == known[0] and entry.value not in known[1]:
                        known[1].append(entry.value)
            found += [Arc(end - start, role, tuple(values), cost + SEGMENT, part=True) for role, (cost, values) in best.items()]
        return found

    def _add_statements(self, tokens: Sequence[Token], surfaces: tuple[str, ...], arcs: list[list[Arc]]) -> None:
        """Add the statements and questions that order nothing."""
        for start, surface in enumerate(surfaces):
            if surface not in self._lexicon.statement_openings:
                continue
            for length in range(1, min(MAX_LABEL_WORDS, len(surfaces) - start) + 1):
                if length == 1 and surface in self._lexicon.names:
                    called = start + 1 < len(tokens) and tokens[start + 1].capital
                    self._add_numbered(surfaces, arcs, start, length, SEGMENT + (0.0 if called else NAME))
                label = surfaces[start : start + length]
                if label in self._lexicon.asked:
                    self._add_asked(arcs, start, start + length)
                if label in self._lexicon.statements.allergies:
                    self._add_allergy(arcs, start, start + length)
                if label in self._lexicon.statements.name_openings:
                    self._add_name(tokens, arcs, start, length, certain=label not in self._lexicon.statements.fillers)
            if surface in self._lexicon.statements.allergy_nouns:
                self._add_allergy_noun(surfaces, arcs, start)
            if surface in self._lexicon.names:
                self._add_name(tokens, arcs, start, 1, certain=False)
            for opening, closing in self._lexicon.questions:
                if surfaces[start : start + len(opening)] == opening:
                    self._add_question(surfaces, arcs, start, start + len(opening), closing)

    def _add_name(self, tokens: Sequence[Token], arcs: list[list[Arc]], start: int, length: int, *, certain: bool) -> None:
        """Add the name of a person behind `length` words: a word, or several with capital letters.

        `certain`: the words before it introduce only names.
        """
        begin = start + length
        end = begin
        while end < min(len(tokens), begin + MAX_NAME_WORDS) and self._is_name(tokens[end], certain=certain and end == begin):
            end += 1
        if end > begin:
            named = any(arc.role in NAMING and not arc.part and arc.cost <= SEGMENT for arc in arcs[begin])
            cost = SEGMENT + (NAME if named and not certain else 0.0)
            arcs[start] = [*arcs[start], Arc(end - start, Role.STATEMENT, REPORTED_WHOLE, cost)]

    def _is_name(self, token: Token, *, certain: bool) -> bool:
        """Return whether a word may be the name of a person."""
        return (token.capital or certain) and token.surface.isalpha() and token.surface not in self._lexicon.function_words

    def _add_allergy(self, arcs: list[list[Arc]], start: int, behind: int) -> None:
        """Add the statement of an allergy; it ends with the clause, or before the next number or item."""
        end = behind
        while end < min(len(arcs), start + MAX_ALLERGY_WORDS):
            whole = [arc.role for arc in arcs[end] if not arc.part and arc.cost <= SEGMENT]
            if Role.STOP in whole or Role.PAUSE in whole or Role.REQUEST in whole or Role.NUMBER in whole:
                break
            if end > behind and Role.ITEM in whole:
                break
            end += 1
        arcs[start] = [*arcs[start], Arc(end - start, Role.STATEMENT, REPORTED_WHOLE, SEGMENT)]

    def _add_allergy_noun(self, surfaces: tuple[str, ...], arcs: list[list[Arc]], noun: int) -> None:
        """Add the statement of an allergy that ends with a noun; it begins with its verb, else with the word before the noun."""
        begin = max(0, noun - 1)
        for place in range(noun - 1, max(-1, noun - MAX_ASKED_WORDS), -1):
            if any(arc.role in _CLAUSE_STARTS and arc.length == 1 and arc.cost <= SEGMENT for arc in arcs[place]):
                break
            if surfaces[place] in self._lexicon.statements.allergy_verbs:
                begin = place
                break
        arcs[begin] = [*arcs[begin], Arc(noun + 1 - begin, Role.STATEMENT, REPORTED_WHOLE, SEGMENT)]

    def _add_asked(self, arcs: list[list[Arc]], start: int, end: int) -> None:
        """Add a question by its last words ("trà đào bao nhiêu một ly"), or by its first ones ("how much is a latte")."""
        number = next((arc for arc in arcs[end] if arc.role is Role.NUMBER), None) if end < len(arcs) else None
        if number is not None and end + number.length < len(arcs):
            counted = [arc.length for arc in arcs[end + number.length] if arc.role is Role.CLASSIFIER]
            end += number.length + max(counted) if counted else 0
        begin = self._clause_start(arcs, start)
        if begin < start or end >= len(arcs) or any(arc.role in (Role.STOP, Role.PAUSE) for arc in arcs[end]):
            arcs[begin] = [*arcs[begin], Arc(end - begin, Role.STATEMENT, None, SEGMENT + STATEMENT)]
        else:
            arcs[start] = [*arcs[start], Arc(end - start, Role.INQUIRY, None, SEGMENT)]

    @staticmethod
    def _add_numbered(surfaces: tuple[str, ...], arcs: list[list[Arc]], start: int, length: int, cost: float) -> None:
        """Add a person's title with a number in place of the name; further numbers in digits belong to it."""
        behind = start + length
        while behind < len(arcs):
            number = next((arc for arc in arcs[behind] if arc.role is Role.NUMBER or arc.role is Role.STATEMENT), None)
            if number is None:
                return
            behind += number.length
            digits = surfaces[start + length].isdecimal() and surfaces[behind : behind + 1] and surfaces[behind].isdecimal()
            named = any(arc.role in NAMING and not arc.part and start + arc.length == behind for arc in arcs[start])
            arcs[start] = [*arcs[start], Arc(behind - start, Role.STATEMENT, None, cost + (NAME if named else 0.0))]
            if not digits:
                return

    def _add_question(self, surfaces: tuple[str, ...], arcs: list[list[Arc]], start: int, after: int, closing: tuple[str, ...]) -> None:
        """Add a question between its first and last words ("có ... không"), if the clause ends behind it."""
        for close in range(after + 1, min(len(surfaces), after + MAX_ASKED_WORDS) + 1):
            end = close + len(closing)
            if words.is_punctuation(surfaces[close - 1]):
                return
            if surfaces[close:end] == closing:
                if end >= len(surfaces) or any(arc.role in _CLAUSE_ENDS and arc.cost <= SEGMENT + EMPTY for arc in arcs[end]):
                    begin = self._clause_start(arcs, start)
                    arcs[begin] = [*arcs[begin], Arc(end - begin, Role.STATEMENT, None, SEGMENT + STATEMENT)]
                return

    @staticmethod
    def _clause_start(arcs: list[list[Arc]], position: int) -> int:
        """Return the start of the clause of a token: behind a stop, a pause, a conjunction or a request."""
        while position > 0:
            if any(arc.length == 1 and arc.role in _CLAUSE_STARTS and arc.cost <= SEGMENT for arc in arcs[position - 1]):
                break
            position -= 1
        return position
