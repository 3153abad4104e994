"""The lattice of meanings of an utterance: what begins at each word, and what the whole adds to that.

A row of it is what `voice.orders.lexicon` knows of the words that begin there; what depends on more than those comes here:
names that overlap or share a word, names heard for others, labels, questions, and whatever orders nothing.
"""

from collections.abc import Sequence
from typing import Final

from voice.orders import spelling, words
from voice.orders.costs import AN_ARTICLE, ELSEWHERE, EMPTY, MISHEARD, NAME, ONE_OF, OTHER_REGION, SEGMENT, SHARED_WORD, SOUNDING, TALK
from voice.orders.lexicon import MAX_WORDS, NAMING, UNKNOWN, WHOLE, Arc, Lexicon, Role
from voice.orders.numbers import Number
from voice.orders.spans import Span, SpanKind
from voice.orders.words import Token

UNCLEAR: Final = 10**9  # the number of a quantity that is asked about
NO: Final = UNCLEAR + 1  # none of something: "0 coffees"
_ASKED: Final = frozenset({SpanKind.FRACTION, SpanKind.RANGE})
_PAUSE: Final = [Arc(1, Role.PAUSE, None, 0.0)]
_STOP: Final = [Arc(1, Role.STOP, None, 0.0)]
_LABEL_ENDS: Final = frozenset(
    {Role.FILLER, Role.INTO, Role.ARTICLE, Role.SET, Role.WITH, Role.REPLACE, Role.REQUEST}
)  # what may stand between a group's name and its choice
_CLAUSE_STARTS: Final = frozenset({Role.STOP, Role.PAUSE, Role.REQUEST, Role.JOIN})
_CLAUSE_ENDS: Final = frozenset({Role.STOP, Role.PAUSE, Role.REQUEST, Role.FILLER})
MIN_LIKENESS: Final = 0.4  # of such words
MIN_BONES: Final = 2  # consonants: fewer are in too many words
MAX_HEARD_WORDS: Final = 4  # that one name may be heard as
MAX_LABEL_WORDS: Final = 5
MAX_LABELLED_WORDS: Final = 3  # of a choice before the name of its group
MAX_SHARED_WORDS: Final = 3  # of a choice before those that it shares with an item
MAX_LIST_LINKS: Final = 4  # words between two members of a list: ", and two"
MAX_NAME_WORDS: Final = 3
MAX_ALLERGY_WORDS: Final = 8
MAX_ASKED_WORDS: Final = 8  # between the two halves of a question


def _meaning(span: Span, number: Number | None) -> Arc | None:
    """Return what a span means; None where its words mean it by themselves."""
    length = span.end - span.start
    if span.kind is SpanKind.QUANTITY:
        if span.value == 0:
            return Arc(length, Role.NUMBER, NO, SEGMENT)
        if span.value is not None and span.value >= UNCLEAR:
            return Arc(length, Role.NUMBER, UNCLEAR, SEGMENT)
        said = number is not None and number.end == span.end and number.value == span.value
        return None if said else Arc(length, Role.NUMBER, span.value, SEGMENT)
    if span.kind in _ASKED:
        return Arc(length, Role.NUMBER, UNCLEAR, SEGMENT)
    if span.kind is SpanKind.NAME:
        return None
    if span.kind is SpanKind.ORDINAL:
        return Arc(length, Role.ORDINAL, span.value, SEGMENT)
    return Arc(length, Role.TALK, None, SEGMENT)


def _serves(span: Span, arcs: list[list[Arc]]) -> bool:
    """Tell whether a span tells how many people are served, which the order may be multiplied by."""
    return span.kind is SpanKind.PARTY and any(arc.role is Role.PEOPLE for row in arcs[span.start : span.end] for arc in row)


class Lattice:
    """Makes lattices out of one menu's lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Keep the lexicon."""
        self._lexicon = lexicon

    def read(self, tokens: Sequence[Token]) -> list[list[Arc]]:
        """Return the arcs that begin at each token; the whole is covered, if only by UNKNOWN. The rows are shared: do not change them."""
        arcs: list[list[Arc]] = []
        marked = words.is_marked(tokens)
        surfaces = tuple([token.surface for token in tokens])
        numbers = self._lexicon.numbers.parse_all(tokens, marked=marked)
        known = self._lexicon.known
        keys = [token.key for token in tokens]
        foreign = [start for start, key in enumerate(keys) if key not in known and not key.isdecimal()]
        covered = [0] * len(tokens)  # how far names that were said whole reach over each token
        ends = set()  # of such names
        breakable: list[int] = []  # tokens where more than whole names and known words may begin
        doubtful: list[int] = []  # tokens that may be fillers of another language
        items: list[tuple[int, Arc]] = []  # that may share words with others
        for start, surface in enumerate(surfaces):
            if words.is_punctuation(surface):
                arcs.append(_PAUSE if surface == "," else _STOP)
                continue
            row = self._lexicon.row(tokens, surfaces, numbers, start, marked=marked)
            heard = foreign and foreign[0] < start + MAX_HEARD_WORDS and foreign[-1] >= start
            arcs.append(row.arcs + self._sounding(surfaces, start, foreign) if heard else row.arcs)
            if not row.solid:
                breakable.append(start)
            if row.sharing:
                items += [(start, item) for item in row.sharing]
            if row.foreign:
                doubtful.append(start)
            for length in row.wholes:
                end = start + length
                ends.add(end)
                for position in range(start, end):
                    if covered[position] < end:
                        covered[position] = end
        for number in numbers:
            if number is not None and number.article and number.end < len(arcs) and numbers[number.end] is not None:
                behind = number.end  # "a 20 piece wings": one, of a size that is told by a number
                arcs[behind] = [arc.at(arc.cost + ONE_OF) if arc.role is Role.NUMBER else arc for arc in arcs[behind]]
        if doubtful and marked and 3 * sum([not surface.isascii() for surface in surfaces]) > len(surfaces):
            self._doubt_foreign_fillers(arcs, doubtful)
        items = [(start, item) for start, item in items if not (item.part and covered[start])]  # a general word within a name is none
        if items:
            self._add_overlaps(arcs, items)
            self._add_shared_words(tokens, keys, arcs, items)
        if any([key in self._lexicon.labels_of for key in keys]):
            self._add_labelled(surfaces, keys, arcs, covered)
        for start in breakable:
            # A name said whole is never broken into parts of names and unknown words, only into other whole names. Where two overlap,
            # what the first leaves of the second may be anything.
            reach = covered[start]
            if reach and start not in ends:
                found = arcs[start]
                wholes = {arc.length for arc in found if arc.role in NAMING and not arc.part}
                arcs[start] = [
                    arc
                    for arc in found
                    if start + arc.length > reach
                    or not (arc.part or arc.role is Role.UNKNOWN)
                    or (
                        arc.role in NAMING and arc.length in wholes
                    )  # "beans", a side, or black ones; "naan", with something, or a garlic naan
                ] or [UNKNOWN]  # where another phrase ends within the name: "two kids" before "kids meal"
        if not self._lexicon.talk_openings.isdisjoint(surfaces):
            self._add_talk(tokens, surfaces, arcs)
        if self._lexicon.spans.needed(surfaces, numbers):
            self._add_spans(self._lexicon.spans.classify(tokens, numbers, marked=marked), numbers, surfaces, arcs)
        return arcs

    def _add_spans(self, spans: Sequence[Span], numbers: Sequence[Number | None], surfaces: tuple[str, ...], arcs: list[list[Arc]]) -> None:
        """Replace the meanings of what is no quantity, and of quantities that are more than their number's words."""
        homophones = self._lexicon.spans.homophones
        for span in spans:
            start, length = span.start, span.end - span.start
            if surfaces[start] in homophones and span.kind is SpanKind.QUANTITY:
                arcs[start] = [*arcs[start], Arc(length, Role.NUMBER, span.value, SEGMENT + MISHEARD)]
                continue
            meant = _meaning(span, numbers[start])
            spelt = surfaces[start].isalpha() and surfaces[span.end - 1].isalpha()  # "thứ hai" stands in the languages
            if meant is not None and not _serves(span, arcs) and not (span.kind is SpanKind.ORDINAL and spelt):
                self._set_span(span, meant, arcs)
            if span.kind is SpanKind.QUANTITY and span.value == 0:
                arcs[start] = [*arcs[start], Arc(length, Role.AMOUNT, "no", SEGMENT)]

    @staticmethod
    def _set_span(span: Span, meant: Arc, arcs: list[list[Arc]]) -> None:
        """Let a stretch mean one thing, or be a part of a longer name."""
        for start in range(max(0, span.start - MAX_WORDS), span.start):
            reach = span.start - start
            if any([arc.length > reach for arc in arcs[start]]):
                kept = [arc for arc in arcs[start] if arc.length <= reach or arc.length >= span.end - start]
                arcs[start] = kept or [UNKNOWN]
        arcs[span.start] = [
            meant,
            *[arc for arc in arcs[span.start] if arc.length > meant.length and arc.role in NAMING and not arc.part],
        ]
        for start in range(span.start + 1, span.end):
            arcs[start] = [UNKNOWN]

    @staticmethod
    def _doubt_foreign_fillers(arcs: list[list[Arc]], doubtful: Sequence[int]) -> None:
        """Make fillers of languages that the menu does not name dearer, where a third of the words has marks."""
        for start in doubtful:
            arcs[start] = [arc.at(arc.cost + ELSEWHERE) if arc.role is Role.FILLER else arc for arc in arcs[start]]

    @staticmethod
    def _add_overlaps(arcs: list[list[Arc]], items: Sequence[tuple[int, Arc]]) -> None:
        """Add what is left of a name of which the one before has said a part.

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
        """Add items whose names share words that are said once: "sinh tố bơ, xoài, dâu", "a ham and a turkey sandwich"."""
        waiting: dict[tuple[int, str, str], None] = {}  # where the next of a list begins, and what its name begins or ends with
        for start, item in items:
            end = start + item.length
            begin = self._next_member(tokens, end)
            if item.part:  # "three pizzas, one hawaiian"
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
            found = self._named_so(tokens, keys, begin, head, tail, (3, 2, 1))
            if found is not None:
                arcs[begin] = [*arcs[begin], found]
                further = self._next_member(tokens, begin + found.length), head, tail
                if further[0] and further not in met:
                    met.add(further)
                    waiting[further] = None

    def _next_member(self, tokens: Sequence[Token], end: int) -> int:
        """Return where the next member of a list begins, behind "and", a comma, a number; 0 where there is none."""
        for begin in range(end, min(end + MAX_LIST_LINKS, len(tokens))):
            surface = tokens[begin].surface
            if not self._links(surface):
                return 0 if surface in self._lexicon.function_words else begin
        return 0

    def _add_before(self, tokens: Sequence[Token], keys: list[str], arcs: list[list[Arc]], start: int, tails: list[str]) -> None:
        """Add items before a name that lends them its last words."""
        place = start
        while place > 0 and start - place < MAX_LIST_LINKS and self._links(tokens[place - 1].surface):
            place -= 1
        if place == 0 or tokens[place - 1].surface in self._lexicon.function_words:
            return
        for length in (1, 2):
            for tail in tails if place >= length else ():
                found = self._named_so(tokens, keys, place - length, "", tail, (length,))
                if found is not None:
                    arcs[place - length] = [*arcs[place - length], found]
                    return

    def _links(self, surface: str) -> bool:
        """Tell whether a word stands between the members of a list: "and", a comma, a number."""
        return surface in self._lexicon.linking or surface.isdecimal()

    def _named_so(self, tokens: Sequence[Token], keys: list[str], start: int, head: str, tail: str, lengths: Sequence[int]) -> Arc | None:
        """Return the item whose name is some words between a head and a tail, the most words that there are."""
        if head + keys[start] not in self._lexicon.index:
            return None
        for length in lengths:
            between = keys[start : start + length]
            entries = self._lexicon.index.get(head + "".join(between) + tail) if len(between) == length else None
            if not entries:
                continue
            said = tuple([token.surface for token in tokens[start : start + length]])
            marked = words.is_marked(tokens[start : start + length])
            found: dict[object, None] = {}
            for entry in entries:
                if entry.role is Role.ITEM and entry.cost <= OTHER_REGION:
                    phrase = entry.phrase
                    meant = phrase[len(phrase) - length :] if head else phrase[:length]
                    if length < len(phrase) and spelling.distance(said, meant, marked=marked) <= spelling.PLAIN * length:
                        found[entry.value] = None
            if found:
                return Arc(length, Role.ITEM, tuple(found), SEGMENT + SHARED_WORD)
        return None

    def _add_labelled(self, surfaces: tuple[str, ...], keys: list[str], arcs: list[list[Arc]], covered: Sequence[int]) -> None:
        """Add options with the name of their group: "nước thì trà đào", "the drink to a lemonade", "soft noodles"."""
        for start, key in enumerate(keys):
            if key not in self._lexicon.labels_of or (start and covered[start - 1] > start) or self._counts(arcs[start]):
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
                        continue  # "kem đổi dâu thành sầu riêng"
                    self._add_choices(arcs, start, option, group, behind + option.length - start)

    @staticmethod
    def _counts(row: Sequence[Arc]) -> bool:
        return any(arc.role is Role.NUMBER for arc in row)

    @staticmethod
    def _add_choices(arcs: list[list[Arc]], start: int, option: Arc, group: str, length: int) -> None:
        """Add what an option means in a group that is named beside it."""
        entries = tuple([entry for entry in option.value if entry.group == group]) if option.role is Role.OPTION else ()
        if entries and not option.part:
            arcs[start] = [*arcs[start], Arc(length, Role.OPTION, entries, option.cost + EMPTY)]

    def _sounding(self, surfaces: tuple[str, ...], start: int, foreign: Sequence[int]) -> list[Arc]:
        """Return names that sound like a stretch with a word that nothing else explains: "peppa roni", "bơ gơ"."""
        found = []
        for end in range(start + 1, min(start + MAX_HEARD_WORDS, len(surfaces)) + 1):
            if any(word in self._lexicon.function_words or not word.isalpha() for word in (surfaces[start], surfaces[end - 1])):
                continue
            if not any(start <= position < end for position in foreign):
                continue
            if end == start + 1 and not surfaces[start].isascii():
                continue  # a word of one syllable that is written with marks is that word
            said = "".join((*surfaces[start : end - 1], words.singular(surfaces[end - 1])))
            bones = words.skeleton(said)
            if len(bones) < MIN_BONES:
                continue
            best: dict[Role, tuple[float, list[object]]] = {}
            for entry in self._lexicon.skeletons.get(bones, ()):
                meant = "".join(entry.phrase)
                if not said.isascii() and not meant.isascii():
                    continue  # Vietnamese syllables spell other ones; what foreign names sound like is what they are read for
                likeness = spelling.similarity(said, meant)
                if likeness >= MIN_LIKENESS and said != meant:
                    cost = SOUNDING + (1.0 - likeness) / 2
                    known = best.get(entry.role)
                    if known is None or cost < known[0]:
                        best[entry.role] = (cost, [entry.value])
                    elif cost == known[0] and entry.value not in known[1]:
                        known[1].append(entry.value)
            found += [Arc(end - start, role, tuple(values), cost + SEGMENT, part=True) for role, (cost, values) in best.items()]
        return found

    def _add_talk(self, tokens: Sequence[Token], surfaces: tuple[str, ...], arcs: list[list[Arc]]) -> None:
        """Add the stretches that order nothing: table numbers, names, questions."""
        for start, surface in enumerate(surfaces):
            if surface not in self._lexicon.talk_openings:
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
                if label in self._lexicon.statements.calls:
                    self._add_name(tokens, arcs, start, length, certain=label not in self._lexicon.statements.fillers)
            if surface in self._lexicon.statements.allergy_nouns:
                self._add_allergy_noun(surfaces, arcs, start)
            if surface in self._lexicon.names:
                self._add_name(tokens, arcs, start, 1, certain=False)
            for opening, closing in self._lexicon.questions:
                if surfaces[start : start + len(opening)] == opening:
                    self._add_question(surfaces, arcs, start, start + len(opening), closing)

    def _add_name(self, tokens: Sequence[Token], arcs: list[list[Arc]], start: int, length: int, *, certain: bool) -> None:
        """Add a person's name behind such words: one word, or several with capital letters; `certain`: the words introduce nothing else."""
        begin = start + length
        end = begin
        while end < min(len(tokens), begin + MAX_NAME_WORDS) and self._is_name(tokens[end], certain=certain and end == begin):
            end += 1
        if end > begin:
            named = any(arc.role in NAMING and not arc.part and arc.cost <= SEGMENT for arc in arcs[begin])
            cost = SEGMENT + (NAME if named and not certain else 0.0)
            arcs[start] = [*arcs[start], Arc(end - start, Role.TALK, WHOLE, cost)]

    def _is_name(self, token: Token, *, certain: bool) -> bool:
        """Tell whether a word may be a person's name."""
        return (token.capital or certain) and token.surface.isalpha() and token.surface not in self._lexicon.function_words

    def _add_allergy(self, arcs: list[list[Arc]], start: int, behind: int) -> None:
        """Add a statement on an allergy: to the end of the clause, or to the next number or item."""
        end = behind
        while end < min(len(arcs), start + MAX_ALLERGY_WORDS):
            whole = [arc.role for arc in arcs[end] if not arc.part and arc.cost <= SEGMENT]
            if Role.STOP in whole or Role.PAUSE in whole or Role.REQUEST in whole or Role.NUMBER in whole:
                break
            if end > behind and Role.ITEM in whole:
                break
            end += 1
        arcs[start] = [*arcs[start], Arc(end - start, Role.TALK, WHOLE, SEGMENT)]

    def _add_allergy_noun(self, surfaces: tuple[str, ...], arcs: list[list[Arc]], noun: int) -> None:
        """Add a statement on an allergy that ends with that noun: from its verb, or the word before."""
        begin = max(0, noun - 1)
        for place in range(noun - 1, max(-1, noun - MAX_ASKED_WORDS), -1):
            if any(arc.role in _CLAUSE_STARTS and arc.length == 1 and arc.cost <= SEGMENT for arc in arcs[place]):
                break
            if surfaces[place] in self._lexicon.statements.allergy_verbs:
                begin = place
                break
        arcs[begin] = [*arcs[begin], Arc(noun + 1 - begin, Role.TALK, WHOLE, SEGMENT)]

    def _add_asked(self, arcs: list[list[Arc]], start: int, end: int) -> None:
        """Add what is asked about: the clause before such words, "trà đào bao nhiêu một ly", or what follows, "how much is a latte"."""
        number = next((arc for arc in arcs[end] if arc.role is Role.NUMBER), None) if end < len(arcs) else None
        if number is not None and end + number.length < len(arcs):
            counted = [arc.length for arc in arcs[end + number.length] if arc.role is Role.CLASSIFIER]
            end += number.length + max(counted) if counted else 0
        begin = self._clause_start(arcs, start)
        if begin < start or end >= len(arcs) or any(arc.role in (Role.STOP, Role.PAUSE) for arc in arcs[end]):
            arcs[begin] = [*arcs[begin], Arc(end - begin, Role.TALK, None, SEGMENT + TALK)]
        else:
            arcs[start] = [*arcs[start], Arc(end - start, Role.INQUIRY, None, SEGMENT)]

    @staticmethod
    def _add_numbered(surfaces: tuple[str, ...], arcs: list[list[Arc]], start: int, length: int, cost: float) -> None:
        """Add what a number makes of the word before it: a table, somebody's name; a telephone has several."""
        behind = start + length
        while behind < len(arcs):
            number = next((arc for arc in arcs[behind] if arc.role is Role.NUMBER or arc.role is Role.TALK), None)
            if number is None:
                return
            behind += number.length
            digits = surfaces[start + length].isdecimal() and surfaces[behind : behind + 1] and surfaces[behind].isdecimal()
            named = any(arc.role in NAMING and not arc.part and start + arc.length == behind for arc in arcs[start])
            arcs[start] = [*arcs[start], Arc(behind - start, Role.TALK, None, cost + (NAME if named else 0.0))]
            if not digits:
                return

    def _add_question(self, surfaces: tuple[str, ...], arcs: list[list[Arc]], start: int, after: int, closing: tuple[str, ...]) -> None:
        """Add the question between its two halves, "có ... không", where the clause ends behind it."""
        for close in range(after + 1, min(len(surfaces), after + MAX_ASKED_WORDS) + 1):
            end = close + len(closing)
            if words.is_punctuation(surfaces[close - 1]):
                return
            if surfaces[close:end] == closing:
                if end >= len(surfaces) or any(arc.role in _CLAUSE_ENDS and arc.cost <= SEGMENT + EMPTY for arc in arcs[end]):
                    begin = self._clause_start(arcs, start)
                    arcs[begin] = [*arcs[begin], Arc(end - begin, Role.TALK, None, SEGMENT + TALK)]
                return

    @staticmethod
    def _clause_start(arcs: list[list[Arc]], position: int) -> int:
        """Go back to where the clause begins: behind a stop, a pause or a word that asks for something."""
        while position > 0:
            if any(arc.length == 1 and arc.role in _CLAUSE_STARTS and arc.cost <= SEGMENT for arc in arcs[position - 1]):
                break
            position -= 1
        return position
