"""Parses of an utterance, and the best-first search for the cheapest one.

A parse is a chain of groups; a group has at most one item. The search is A* (Hart, Nilsson and Raphael 1968) over the lattice: the
estimate is the cost of the cheapest path through the rest of the lattice. The number of parses that continue from a token is bounded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple, final

from schemas import Amount
from voice.orders.costs import HEAD_AGAIN, QUESTION_WORD, SEGMENT
from voice.orders.lexicon import Arc, ChoiceRef, Role
from voice.orders.words import Token

# Limit of the parses with an item, and of those without, that continue from a token. A larger one changes no case of the development sets.
WIDTH: Final = 5
MIN_WIDTH: Final = 2  # in a long utterance
WORK: Final = 250  # width times tokens: a long utterance has a smaller width
MAX_PORTIONS: Final = 99  # of an option
ANY_ONE: Final = -1  # an article: one portion, or the one choice of a group

# Flags of a group. Integers, because each operator of enum.IntFlag is a Python function that takes 0.8 to 1.1 us, compiled or not.
MORE: Final = 1 << 0  # more of a line
ONLY: Final = 1 << 1  # no more than the number
CORRECT: Final = 1 << 2  # corrects the groups before
ALL: Final = 1 << 3  # edits all lines
IS_PART: Final = 1 << 4  # edits some units of the line before
REFER: Final = 1 << 5  # refers to a line on the order
SET: Final = 1 << 6  # sets a line to its item, number or options
REMOVE: Final = 1 << 7  # removes lines or units
REPLACE: Final = 1 << 8  # is replaced by the next group
INTO: Final = 1 << 9  # replaces the group before
CANCEL: Final = 1 << 10  # cancels the order
ARTICLE: Final = 1 << 11  # its number is an article
CLASSIFIED: Final = 1 << 12  # a classifier stands behind its number
POST: Final = 1 << 13  # its number stands behind its item
ADDED: Final = 1 << 14  # its number stands behind "with"
ALSO: Final = 1 << 15  # its number stands behind "and"
AS_IS: Final = 1 << 16  # stays as it is
NOT_THAT: Final = 1 << 17  # its number is rejected
EACH: Final = 1 << 18  # its number applies to each line or person
EVERYONE: Final = 1 << 19  # its number applies to each person
PEOPLE: Final = 1 << 20  # its number counts people
REMAINDER: Final = 1 << 21  # the remainder of a line
ITS: Final = 1 << 22  # its object is a pronoun: the line before
AGAIN: Final = 1 << 23  # a line like the one before
NO_OPTIONS: Final = 1 << 24  # a part without options
FORWARD: Final = 1 << 25  # its item comes with a later group
DESCRIBED: Final = 1 << 26  # some of its options describe a line
OPERATIONS: Final = MORE | ONLY | CORRECT | ALL | SET | REMOVE | REPLACE | INTO
# Kinds of unused spans
SPAN_UNREAD: Final = 0
SPAN_STATEMENT: Final = 1  # a sum of money, a time, a question
SPAN_REPORTED_WHOLE: Final = 2  # a statement that is reported with its function words
SPAN_AMOUNT: Final = 3  # an amount without an option
SPAN_NEGATION: Final = 4  # a negation without an option
# Connectives before a token
SAME_JOINT: Final = -1  # the token keeps the connective before it
NONE: Final = 0
MULTIPLIED: Final = 1
PAUSED: Final = 2
JOINED: Final = 3
ONTO_NEXT: Final = 4
WITH: Final = 5
BREAK: Final = 6


class SpokenOption(NamedTuple):
    """An option as it was spoken."""

    entries: tuple[ChoiceRef, ...]
    amount: Amount | None
    portions: int
    start: int  # tokens
    end: int
    cost: float


class UnusedSpan(NamedTuple):
    """Tokens that belong to no group."""

    start: int  # tokens
    end: int
    kind: int


class Group(NamedTuple):
    """A line, a part of a line, or an operation on lines."""

    flags: int
    number: int  # 0: none was said
    items: tuple[str, ...]
    options: tuple[SpokenOption, ...]
    start: int
    end: int
    cost: float
    item_cost: float
    line: int  # of the order so far, named by its place; -1: none


@final
class Link:
    """A linked list, last value first; parses share its tail."""

    __slots__ = ("past", "value")

    def __init__(self, past: "Link | None", value: Any) -> None:
        self.past = past
        self.value = value


class Parse:
    """A parse of the utterance up to a token."""

    __slots__ = (
        "amount",
        "amount_at",
        "bare",
        "base",
        "carry",
        "cost",
        "count",
        "done",
        "end",
        "flags",
        "in_question",
        "item_cost",
        "items",
        "joint",
        "line",
        "number",
        "options",
        "own",
        "start",
        "unused",
        "used",
    )

    cost: float
    done: Link | None  # groups
    unused: Link | None  # UnusedSpan values; an int is the first token of an amount that has got its option
    base: tuple[str, ...]  # items of the line before the present group
    flags: int
    number: int
    items: tuple[str, ...]
    options: tuple[SpokenOption, ...]
    used: int  # bits of the groups that have a choice
    own: float  # the cost of the present group
    item_cost: float
    line: int
    start: int
    end: int
    amount: Amount | None
    amount_at: int  # token where it was said
    bare: bool  # the amount is a verb of removal
    count: int  # portions of the next option
    carry: bool  # a negation may cover the next option of an enumeration
    in_question: bool
    joint: int  # the connective right before the next token

    def fork(self, cost: float) -> "Parse":
        """Return a copy with a cost added."""
        new = Parse.__new__(Parse)
        new.cost = self.cost + cost
        new.done = self.done
        new.unused = self.unused
        new.base = self.base
        new.flags = self.flags
        new.number = self.number
        new.items = self.items
        new.options = self.options
        new.used = self.used
        new.own = self.own + cost
        new.item_cost = self.item_cost
        new.line = self.line
        new.start = self.start
        new.end = self.end
        new.amount = self.amount
        new.amount_at = self.amount_at
        new.bare = self.bare
        new.count = self.count
        new.carry = self.carry
        new.in_question = self.in_question
        new.joint = self.joint
        return new

    def is_like(self, other: "Parse") -> bool:
        """Return whether both parses are in the same search state; shared parts are compared by identity."""
        return (
            self.options is other.options
            and self.flags == other.flags
            and self.items is other.items
            and self.line == other.line
            and self.done is other.done
            and self.number == other.number
            and self.amount == other.amount
            and self.joint == other.joint
            and self.in_question == other.in_question
            and self.carry == other.carry
            and self.bare == other.bare
            and self.count == other.count
        )

    def extend_span(self, arc: Arc, start: int) -> None:
        """Extend the span of the present group."""
        if self.start < 0:
            self.start = start
        self.end = start + arc.length

    def note_amount(self, arc: Arc, start: int, *, negative: bool) -> None:
        """Record an amount before its option."""
        self.amount_at = start
        self.unused = Link(self.unused, UnusedSpan(start, start + arc.length, SPAN_NEGATION if negative else SPAN_AMOUNT))

    def use_amount(self) -> None:
        """Record that an option has the last amount."""
        if self.amount_at >= 0:
            self.unused = Link(self.unused, self.amount_at)
            self.amount_at = -1

    def leave_unread(self, arc: Arc, start: int) -> None:
        """Record tokens that order nothing."""
        kind = SPAN_REPORTED_WHOLE if arc.value else SPAN_STATEMENT if arc.role is Role.STATEMENT else SPAN_UNREAD
        self.unused = Link(self.unused, UnusedSpan(start, start + arc.length, kind))

    @property
    def headless(self) -> bool:
        """True if the present group has no item yet."""
        return not self.items


def groups(parse: Parse) -> list[Group]:
    """Return the groups of a parse, in order."""
    return _unroll(parse.done)


def unused_spans(parse: Parse) -> list[UnusedSpan]:
    """Return the unused spans of a parse, in order; amounts and negations only if no option has them."""
    found = _unroll(parse.unused)
    taken = {span for span in found if isinstance(span, int)}
    return [span for span in found if isinstance(span, UnusedSpan) and (span.kind < SPAN_AMOUNT or span.start not in taken)]


def unread_spans(parse: Parse) -> list[tuple[int, int]]:
    """Return start and end of the unread spans of a parse, in order."""
    return [(span.start, span.end) for span in _unroll(parse.unused) if isinstance(span, UnusedSpan) and span.kind < SPAN_AMOUNT]


def _unroll(link: Link | None) -> list[Any]:
    values = []
    while link is not None:
        values.append(link.value)
        link = link.past
    values.reverse()
    return values


class SearchSpace:
    """The lattice of an utterance, with estimates of the cost from each token to the end."""

    __slots__ = ("ahead", "arcs", "last_item", "order", "rest", "taken", "there", "tokens")

    def __init__(self, tokens: Sequence[Token], arcs: list[list[Arc]], order: tuple[str, ...]) -> None:
        self.tokens = tokens
        self.arcs = arcs
        self.order = order
        self.there = frozenset(order)
        self.last_item = -1
        self.taken: list[int] | None = None  # bits of the option groups that items from each token on offer, once computed
        # The cost of the cheapest path through the lattice from each token to the end. One estimate for ordering, one for a question, where
        # every word is cheap. Both are lower bounds.
        infinite = float("inf")
        count = len(tokens)
        self.rest = ordering, asking = [infinite] * count + [0.0], [infinite] * count + [0.0]
        self.ahead: tuple[list[list[tuple[float, Arc]]], ...] = ([[] for _ in tokens], [[] for _ in tokens])
        asked = any([arc.role is Role.INQUIRY for row in arcs for arc in row])
        for start in range(count - 1, -1, -1):
            least, ahead = infinite, self.ahead[0][start]
            for arc in arcs[start]:
                kind, cost, end = arc.role, arc.cost, start + arc.length
                if kind is Role.INQUIRY:
                    estimate = cost + QUESTION_WORD + asking[end]
                else:
                    estimate = (HEAD_AGAIN if arc.part and cost > HEAD_AGAIN and kind is not Role.UNUSED else cost) + ordering[end]
                    if kind is Role.ITEM and start > self.last_item:
                        self.last_item = start
                if estimate < infinite:
                    ahead.append((estimate, arc))
                    if estimate < least:
                        least = estimate
                if asked:
                    ends = kind is Role.REQUEST or kind is Role.STOP
                    estimate = cost + ordering[end] if ends else min(cost, QUESTION_WORD) + asking[end]
                    if estimate < infinite:
                        self.ahead[1][start].append((estimate, arc))
                        asking[start] = min(asking[start], estimate)
            ordering[start] = least

    def arcs_at(self, position: int) -> list[Arc]:
        """Return the arcs that begin at a token; none at the end."""
        return self.arcs[position] if position < len(self.arcs) else []

    @staticmethod
    def said(parse: Parse) -> list[str]:
        """Return the items that this utterance has ordered so far, each once, in order."""
        found = [parse.items[0]] if parse.items else []
        link = parse.done
        while link is not None:
            group: Group = link.value
            if group.items and not group.flags & OPERATIONS:
                found.append(group.items[0])
            link = link.past
        found.reverse()
        return list(dict.fromkeys(found))

    def mentioned(self, parse: Parse) -> set[str]:
        """Return the items that are on the order or were named before."""
        found = set(self.order) | set(parse.items)
        link = parse.done
        while link is not None:
            found.update(link.value.items)
            link = link.past
        return found


def empty_parse(order: tuple[str, ...]) -> Parse:
    """Return the parse before the first token."""
    parse = Parse.__new__(Parse)
    parse.cost = parse.own = parse.item_cost = 0.0
    parse.done = parse.unused = None
    parse.base = order
    parse.flags = parse.number = parse.used = parse.count = 0
    parse.items = ()
    parse.options = ()
    parse.start = parse.end = parse.line = parse.amount_at = -1
    parse.joint = BREAK
    parse.amount = None
    parse.bare = parse.carry = parse.in_question = False
    return parse


LISTED: Final = frozenset({PAUSED, JOINED})
APART: Final = frozenset({PAUSED, JOINED, BREAK})
JOINTS: Final = {
    Role.JOIN: JOINED,
    Role.OR: JOINED,
    Role.PAUSE: PAUSED,
    Role.TIMES: MULTIPLIED,
    Role.WITH: WITH,
    Role.ONTO: ONTO_NEXT,
    Role.STOP: BREAK,
    Role.REQUEST: BREAK,
    Role.FILLER: SAME_JOINT,
    Role.CLASSIFIER: SAME_JOINT,
}

Steps = Mapping[Role, Callable[[Parse, Arc, int, SearchSpace], Iterator[Parse]]]


def cheapest(space: SearchSpace, steps: Steps, finish: Callable[[Parse], Parse], count: int) -> list[Parse]:
    """Return the `count` cheapest parses of the utterance, cheapest first; `finish` closes a parse at the end."""
    ahead, rest = space.ahead, space.rest
    goal = len(space.tokens)
    width = max(MIN_WIDTH, min(WIDTH, WORK // (goal + 1)))
    met: list[list[Parse]] = [[] for _ in range(2 * goal + 2)]  # the cheapest parse in each state at each token
    found: list[Parse] = []
    number = 0  # breaks ties: the farthest parse first, then the first found
    heap: list[tuple[float, int, int, Parse, Arc | None]] = [(rest[0][0], 0, 0, empty_parse(space.order), None)]
    while heap:
        _, negative, _, parse, arc = heappop(heap)
        position = -negative
        if arc is not None:
            start, position = position, position + arc.length
            joint = JOINTS.get(arc.role, NONE)
            shared_cost = min(SEGMENT, arc.cost)
            for new in steps[arc.role](parse, arc, start, space):
                number += 1
                new.own -= shared_cost  # a cost that all parses have
                if joint != SAME_JOINT:
                    new.joint = max(joint, parse.joint) if joint else NONE
                heappush(heap, (new.cost + rest[new.in_question][position], -position, number, new, None))
        elif position < goal:
            place = 2 * position + (not parse.items)  # a parse without an item looks cheaper than it is
            others = met[place]
            if len(others) < width and not any(map(parse.is_like, others)):
                others.append(parse)
                cost = parse.cost
                for estimate, arc in ahead[parse.in_question][position]:
                    number += 1
                    heappush(heap, (cost + estimate, -position, number, parse, arc))
        elif position == goal:
            number += 1
            closed = finish(parse)
            heappush(heap, (closed.cost, -goal - 1, number, closed, None))
        else:
            found.append(parse)
            if len(found) == count:
                break
    return found
