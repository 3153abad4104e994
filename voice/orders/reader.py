"""The search steps for connectives, operations and references, and the search for the cheapest parses of an utterance."""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.orders.costs import (
    ABSENT,
    AIMLESS,
    CLASSIFIER_ALONE,
    CONTRADICTED,
    DANGLING_AMOUNT,
    EARLY_JOINED,
    IDLE,
    QUESTION_WORD,
    REFERENCE,
    RETRACTED,
    STATEMENT,
    UNREAD_NAME,
)
from voice.orders.item_steps import CLAUSE_END_KINDS, ItemSteps
from voice.orders.lexicon import NAMING, UNKNOWN, Arc, Lexicon, Role
from voice.orders.search import (
    AGAIN,
    ALL,
    ALSO,
    APART,
    ARTICLE,
    AS_IS,
    CANCEL,
    CLASSIFIED,
    CORRECT,
    DESCRIBED,
    EACH,
    EVERYONE,
    INTO,
    IS_PART,
    ITS,
    JOINED,
    MORE,
    NO_OPTIONS,
    NONE,
    NOT_THAT,
    ONLY,
    ONTO_NEXT,
    OPERATIONS,
    PAUSED,
    PEOPLE,
    REFER,
    REMAINDER,
    REMOVE,
    REPLACE,
    SET,
    WITH,
    Parse,
    SearchSpace,
    Steps,
    cheapest,
)
from voice.orders.words import Token

_INSTEAD_OF_INTO: Final = frozenset({Role.WITH, Role.FILLER, Role.ONTO})  # other roles of the words of INTO
POSTPOSED_WORDS: Final = 2  # between an item and a verb of removal behind it


class Reader(ItemSteps):
    """Parses utterances about one menu: a step for each role, and the best-first search over all of them."""

    def __init__(self, lexicon: Lexicon) -> None:
        """List the step of each role."""
        super().__init__(lexicon)
        self._steps: Steps = {
            Role.ITEM: self._item,
            Role.OPTION: self._option,
            Role.NUMBER: self._number,
            Role.ARTICLE: self._number,
            Role.PORTION: self._portion,
            Role.AMOUNT: self._amount,
            Role.AFTER: self._after,
            Role.REMOVE: self._remove,
            Role.REPLACE: self._operation,
            Role.INTO: self._into,
            Role.INSTEAD: self._operation,
            Role.SET: self._operation,
            Role.KEEP: self._keep,
            Role.MORE: self._more,
            Role.ONLY: self._only,
            Role.CORRECT: self._correct,
            Role.CANCEL: self._cancel,
            Role.ALL: self._all,
            Role.EACH: self._each,
            Role.PEOPLE: self._people,
            Role.ORDINAL: self._ordinal,
            Role.PART: self._part,
            Role.REST: self._rest,
            Role.SHARE: self._share,
            Role.PLAIN: self._plain,
            Role.ONES: self._ones,
            Role.REFER: self._refer,
            Role.INQUIRY: self._inquiry,
            Role.REQUEST: self._boundary,
            Role.STOP: self._boundary,
            Role.CLASSIFIER: self._classifier,
            Role.JOIN: self._join,
            Role.OR: self._join,
            Role.WITH: self._with,
            Role.ONTO: self._skip,
            Role.FILLER: self._skip,
            Role.PAUSE: self._pause,
            Role.TIMES: self._skip,
            Role.STATEMENT: self._leave_unread,
            Role.UNKNOWN: self._leave_unread,
            Role.UNUSED: self._leave_unread,
        }

    def read(self, tokens: Sequence[Token], order: tuple[str, ...], count: int = 1) -> list[Parse]:
        """Return the `count` cheapest parses of an utterance; `order` holds the item of each line of the order so far."""
        arcs = self.lattice.build(tokens)
        space = SearchSpace(tokens, arcs, order)
        found = cheapest(space, self._steps, lambda parse: self._finish(parse, space), count)
        if found:
            return found
        # No path covers the utterance; retry with every word skippable.
        space = SearchSpace(tokens, [[*row, UNKNOWN] for row in arcs], order)
        return cheapest(space, self._steps, lambda parse: self._finish(parse, space), count)

    def _skip(self, parse: Parse, arc: Arc, start: int, _: SearchSpace) -> Iterator[Parse]:
        yield parse.fork(arc.cost)

    def _pause(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        answers = parse.amount == "no" and parse.done is None and parse.headless and not parse.options  # an answer before the order
        new = parse.fork(arc.cost + (CONTRADICTED if answers else 0.0))
        if parse.amount is not None and space.tokens[start].surface != ",":
            new.amount = None  # the negated words are not on the menu
            new.cost += REFERENCE
        yield new
        if parse.amount == "no" and not parse.bare and not parse.in_question:
            if parse.headless and parse.options:
                yield self._retracted(parse, arc.cost)
            new = parse.fork(arc.cost)  # a correction
            new.amount = None
            new = self._open(new, space, REFERENCE)
            new.flags |= CORRECT
            yield new

    def _join(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.flags & NOT_THAT and parse.headless and not parse.options:
            new = self._close(parse, space)  # the group of the rejected number ends
            new.cost += arc.cost
            yield new
            return
        new = parse.fork(arc.cost + self._corrected_by_more(parse))
        without = self._without(parse) if parse.amount == "no" else ()
        if without:
            new.options, new.amount = without, None  # "no" without an object negates the options of the part before
        elif parse.amount == "no":
            new.amount = None  # its object is not on the menu
            new.cost += REFERENCE
        yield new

    @staticmethod
    def _corrected_by_more(parse: Parse) -> float:
        """Return the cost of a correction that begins with a connective."""
        return CONTRADICTED if parse.flags == CORRECT and parse.headless and not parse.options and not parse.number else 0.0

    def _with(self, parse: Parse, arc: Arc, start: int, _: SearchSpace) -> Iterator[Parse]:
        new = parse.fork(arc.cost + self._corrected_by_more(parse))
        new.carry = False
        yield new

    def _boundary(self, parse: Parse, arc: Arc, start: int, _: SearchSpace) -> Iterator[Parse]:
        if not parse.in_question and parse.amount is None and not parse.carry:
            yield parse.fork(arc.cost)
            return
        without = self._without(parse) if parse.amount == "no" else ()
        dangling = 0.0 if parse.amount is None or without else ABSENT if parse.amount == "no" else DANGLING_AMOUNT
        new = parse.fork(arc.cost + dangling)
        new.options = new.options or without  # "no" without an object negates the options of the part before
        new.in_question = new.carry = False
        new.amount = None
        yield new

    def _remove(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield parse.fork(arc.cost)
            return
        if parse.flags & REMAINDER and not parse.options:
            new = parse.fork(arc.cost)  # the verb behind its object
            new.flags |= REMOVE
            yield new
        if parse.flags & REMOVE and parse.items and not parse.options:
            yield parse.fork(arc.cost)  # the removal is repeated
        yield from self._taken_off(parse, arc, start, space)
        new = self._open(parse, space, arc.cost) if parse.flags & NOT_THAT else parse.fork(arc.cost)
        if arc.value:
            new = self._open(parse, space, arc.cost)
            new.number = arc.value  # a comparative with its number
            new.extend_span(arc, start)
        new.amount = "no"
        new.bare = True
        new.carry = False
        yield new

    @staticmethod
    def _taken_off(parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        """Remove an item that was named right before the verb."""
        known = tuple([item for item in parse.items if item in space.there])
        near = start - parse.end <= POSTPOSED_WORDS
        if known and near and not parse.options and not parse.flags & ~(ALSO | ARTICLE | ALL | SET):
            new = parse.fork(arc.cost + REFERENCE)
            new.items = known
            new.flags |= REMOVE
            new.extend_span(arc, start)
            yield new

    def _operation(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield parse.fork(arc.cost)
            return
        if arc.role is Role.SET and not parse.base and not parse.items:
            yield parse.fork(arc.cost)  # there is no line to set yet: the verb is part of a request
            return
        if arc.role is Role.SET and not parse.options and parse.flags & (ALL if parse.headless else IS_PART):
            new = parse.fork(arc.cost)  # the verb behind its object
            if parse.items and parse.number and not space.there.isdisjoint(parse.items):
                new.flags = REPLACE  # another item replaces a part of the line
                new = self._open(new, space, REFERENCE)
                new.flags = INTO
            yield new
            return
        if arc.role is Role.SET and parse.flags == CORRECT and parse.headless and not (parse.options or parse.number):
            new = parse.fork(arc.cost)  # correction and verb together
            new.flags |= SET | (ITS if arc.value else 0)
            yield new
            return
        if (
            arc.role is Role.REPLACE
            and parse.items
            and not parse.options
            and not parse.flags & REMOVE
            and space.there.intersection(parse.items)
        ):
            new = parse.fork(arc.cost)  # the verb behind the item to replace
            new.items = tuple([item for item in parse.items if item in space.there])
            new.flags |= REPLACE
            yield new
            return
        if arc.role is Role.REPLACE and space.order and parse.headless and parse.options and not (parse.number or parse.flags):
            new = parse.fork(arc.cost)  # the verb behind the option to replace
            new.flags |= REPLACE
            yield new
        new = self._open(parse, space, arc.cost)
        if arc.role is Role.INSTEAD:
            new.amount = "no"
        else:
            new.flags |= REPLACE if arc.role is Role.REPLACE else SET | ITS if arc.value else SET
        yield new

    def _keep(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.flags & REMAINDER and not parse.options:
            new = parse.fork(arc.cost)  # the verb behind its object, the remainder
            new.flags, new.number = AS_IS | REMAINDER, 0
            yield new
            return
        if parse.headless and parse.number and not parse.options:
            yield from self._plain(parse, arc, start, space)  # the verb behind a number: a part without options
            return
        if parse.items and not parse.options and not parse.number:
            new = parse.fork(arc.cost + (CONTRADICTED if parse.flags & REMOVE else 0.0))
            new.cost -= REFERENCE if space.there.issuperset(parse.items) else 0.0  # a number is not expected here
            new.flags = AS_IS  # the verb behind its object
            yield new
        new = self._open(parse, space, arc.cost)
        new.flags |= AS_IS  # the verb before its object
        yield new

    def _into(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.flags & (REPLACE | SET) and not parse.in_question:
            empty = parse.headless and not parse.options and not parse.number
            new = parse.fork(arc.cost) if empty else self._open(parse, space, arc.cost)
            if parse.options and not parse.items and parse.flags & REPLACE:
                new.cost -= AIMLESS - REFERENCE
            new.flags = (new.flags & ~(REPLACE | SET)) | INTO
            yield new
        elif not any(other.role in _INSTEAD_OF_INTO and other.length == arc.length for other in space.arcs_at(start)):
            yield parse.fork(arc.cost + DANGLING_AMOUNT)

    def _more(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        named = any(other.role in NAMING for other in space.arcs_at(start + arc.length))
        apart = parse.number and (parse.joint == PAUSED or (parse.options and named))  # "more" belongs to the option behind it
        if parse.headless and not (parse.options or parse.in_question or apart):
            new = parse.fork(arc.cost)
        elif parse.headless and parse.number and not (parse.in_question or arc.value or apart):
            new = parse.fork(arc.cost)  # behind its number
        else:
            yield parse.fork(arc.cost + (AIMLESS if arc.value else IDLE))  # a determiner before a number
            if parse.in_question:
                return
            if arc.value > 1 and parse.items and not parse.options and not space.there.isdisjoint(parse.items):
                new = parse.fork(arc.cost)  # a line like one on the order, with other options
                new.flags |= MORE | AGAIN
                yield new
            new = self._open(parse, space, arc.cost)
        new.flags |= MORE
        if arc.value and not new.number:
            new.number = 1
            new.flags |= ARTICLE  # a number that follows replaces it
        if arc.value > 1:
            new.flags |= AGAIN
        new.extend_span(arc, start)
        yield new

    def _only(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.headless and not parse.options and not parse.in_question:
            new = parse.fork(arc.cost)
            new.flags |= ONLY
            yield new
            return
        yield parse.fork(arc.cost + IDLE)
        counts = any(other.role is Role.NUMBER for other in space.arcs_at(start + arc.length))
        if (parse.joint in APART and counts) or (parse.flags & REMOVE and parse.items):
            new = self._open(parse, space, arc.cost)  # before a counted item
            new.flags |= ONLY
            yield new
        if parse.number and parse.items and not parse.options and not space.there.isdisjoint(parse.items):
            new = parse.fork(arc.cost)  # behind the number of an item on the order
            new.flags |= ONLY
            yield new

    def _correct(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.done is None and not parse.items and not parse.options and not parse.number:
            new = parse.fork(arc.cost)
            new.amount = None  # a correction of the order so far
            new.flags |= CORRECT if space.order else 0
            yield new
            return
        if parse.headless and parse.options:
            yield self._retracted(parse, arc.cost)
        if parse.headless and parse.number and not parse.options:
            new = parse.fork(arc.cost + RETRACTED)  # a number before its item is corrected
            new.number = 0
            yield new
        behind = any(other.role is Role.PAUSE for other in space.arcs_at(start + arc.length))
        closing = behind and parse.end == start and parse.joint == NONE  # the word also means "only", at the end of a clause
        new = self._open(parse, space, arc.cost + (2 * IDLE if closing else 0.0))
        new.flags |= CORRECT
        yield new

    @staticmethod
    def _retracted(parse: Parse, cost: float) -> Parse:
        """Retract the options before an item."""
        new = parse.fork(cost + RETRACTED)
        new.options, new.used, new.amount = (), 0, None
        return new

    def _cancel(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        named = list(self._taken_off(parse, arc, start, space))  # behind its object, an item
        if named:
            yield from named
            return
        new = self._open(parse, space, arc.cost)
        new.flags |= CANCEL
        new.extend_span(arc, start)
        yield self._close(new, space)
        behind = space.arcs_at(start + arc.length)
        if any(other.role is Role.ITEM for other in behind) and not parse.in_question:
            new = parse.fork(arc.cost)  # before its object, an item
            new.amount, new.bare, new.carry = "no", True, False
            yield new

    def _all(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield parse.fork(arc.cost)
            return
        if parse.flags & REPLACE and parse.items and not parse.options:
            yield parse.fork(arc.cost)  # redundant beside the verb
            return
        new = (
            parse.fork(arc.cost)
            if parse.headless and not parse.options and (not parse.number or parse.flags & ALL)
            else self._open(parse, space, arc.cost)
        )
        new.flags |= ALL
        new.number = new.number or arc.value  # a number may precede the word
        yield new
        last = parse.options[-1] if parse.options else None
        if (
            last is not None
            and last.end == parse.end
            and parse.amount is None
            and parse.joint in {NONE, WITH, ONTO_NEXT}
            and not parse.flags & ALL
            and (len(parse.options) > 1 or parse.items)
        ):
            new = self._detach(parse, space, arc.cost + EARLY_JOINED)  # behind the last option, which applies to all lines
            new.flags, new.number = ALL, arc.value
            yield new
        behind_options = parse.headless and parse.options and not parse.number and parse.amount is None
        if behind_options and parse.joint not in {JOINED, WITH}:
            new = parse.fork(arc.cost)  # behind the options
            new.flags |= ALL
            new.number = 0 if parse.flags & EACH else arc.value
            new.carry = False
            new.extend_span(arc, start)
            yield new

    def _each(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield parse.fork(arc.cost)
            return
        everyone = EVERYONE if arc.value else 0
        if parse.headless and not (parse.options and parse.number):
            new = parse.fork(arc.cost)  # behind a number, or with options
            new.flags |= ALL | EACH | everyone
        else:
            ends = all(other.role in CLAUSE_END_KINDS for other in space.arcs_at(start + arc.length))
            named = everyone or not (parse.options and parse.options[-1].end == parse.end)
            if ends and named and parse.items and not parse.flags & EACH:
                new = parse.fork(arc.cost)  # behind the item, at the end of a clause
                new.flags |= EACH | EVERYONE
                yield new
            new = self._open(parse, space, arc.cost)
            new.flags |= ALL | EACH | everyone
            last = parse.options[-1] if parse.options else None
            if last is not None and last.end == parse.end and parse.amount is None:
                late = self._detach(parse, space, arc.cost + REFERENCE)  # behind the last option, which applies to all lines
                late.flags = ALL | EACH | everyone
                yield late
        new.carry = False
        yield new

    def _people(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield parse.fork(arc.cost)
            return
        new = self._open(parse, space, arc.cost)
        new.flags, new.number = PEOPLE, arc.value
        new.extend_span(arc, start)
        yield self._close(new, space)

    def _rest(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if not parse.base and not parse.items:
            yield from self._leave_unread(parse, arc.at(STATEMENT), start, space)
            return
        counted = parse.headless and parse.number and not (parse.options or parse.flags & NO_OPTIONS)  # behind its number
        new = parse.fork(arc.cost) if counted else self._open(parse, space, arc.cost)
        new.flags |= IS_PART | REMAINDER
        new.number = parse.number if counted else 1  # at least; `Editor._parts` computes the remainder
        new.extend_span(arc, start)
        yield new

    def _share(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        """Read a fraction of a line."""
        whole, done = parse.number if parse.items else 0, parse.done
        while done is not None and not whole:
            whole, done = done.value.number if done.value.items else 0, done.past
        if parse.in_question or not whole or whole % arc.value:
            yield from self._leave_unread(parse, arc.at(UNREAD_NAME), start, space)
            return
        new = self._open(parse, space, arc.cost)
        new.flags |= IS_PART
        new.number = whole // arc.value
        new.extend_span(arc, start)
        yield new

    def _plain(self, parse: Parse, arc: Arc, start: int, _: SearchSpace) -> Iterator[Parse]:
        if parse.headless and parse.number and not parse.options and not parse.flags & ARTICLE:
            new = parse.fork(arc.cost)  # a part without options
            new.flags |= IS_PART | NO_OPTIONS
            new.extend_span(arc, start)
            yield new
        else:
            yield parse.fork(arc.cost + AIMLESS)

    def _ones(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        described = parse.headless and parse.options and parse.options[-1].end == start
        if described and parse.flags & ARTICLE and parse.base:
            new = parse.fork(arc.cost)  # a line like the one before, with another option
            new.flags |= MORE
            new.extend_span(arc, start)
            yield new
        elif described and not parse.number and not parse.flags & ALL:
            new = parse.fork(arc.cost)  # a description of a line
            new.flags |= DESCRIBED
            new.extend_span(arc, start)
            yield new
        elif parse.items and parse.options and parse.options[-1].end == start and not space.there.issuperset(parse.items):
            yield parse.fork(arc.cost)  # stands for the item of the line
        elif parse.items and parse.end == start and (parse.flags & SET or not space.there.isdisjoint(parse.items)):
            new = parse.fork(arc.cost)  # behind the name of an item on the order
            new.extend_span(arc, start)
            yield new
        else:
            yield from self._leave_unread(parse, arc.at(UNREAD_NAME), start, space)

    def _part(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        counted = parse.items and parse.number and not parse.options and not parse.flags & OPERATIONS
        if counted and not any(other.role is Role.NUMBER for other in space.arcs_at(start + arc.length)):
            new = parse.fork(arc.cost)  # the options of the whole line follow
            new.flags |= IS_PART
            yield new
            return
        if parse.headless and parse.number and parse.flags & MORE and not parse.options:
            new = parse.fork(arc.cost)  # more of the line before
            new.flags |= AGAIN
            yield new
            return
        used = parse.headless and (not parse.options or parse.flags & IS_PART)
        new = parse.fork(arc.cost) if used else self._open(parse, space, arc.cost)
        new.flags |= IS_PART
        yield new

    def _refer(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.bare and parse.amount is not None:
            new = self._open(parse, space, arc.cost)
            new.cost -= DANGLING_AMOUNT if parse.items or parse.options or parse.number else 0.0
            new.amount, new.bare = None, False
            new.flags |= REMOVE | REFER
            new.extend_span(arc, start)
            yield new
        if parse.items and not parse.options and not parse.flags & ~CLASSIFIED and not space.there.isdisjoint(parse.items):
            new = parse.fork(arc.cost)  # behind an item on the order
            new.items = tuple([item for item in parse.items if item in space.there])
            new.flags |= REFER
            yield new
        yield parse.fork(arc.cost)

    def _inquiry(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield parse.fork(arc.cost)
            return
        new = self._open(parse, space, arc.cost + QUESTION_WORD)
        new.in_question = True
        new.leave_unread(arc, start)
        yield new

    def _classifier(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.headless and parse.number and not parse.options and not parse.flags & CLASSIFIED:
            new = parse.fork(arc.cost)
            new.flags |= CLASSIFIED
            yield new
        else:
            named = any(other.role is Role.OPTION for other in space.arcs_at(start))  # the word is an option here
            yield parse.fork(arc.cost + (CLASSIFIER_ALONE if named else 0.0))
