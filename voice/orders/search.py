"""Readings of an utterance, and the search for the cheapest one.

A reading is a chain of groups; a group has at most one item. The lattice of meanings is searched best first, with what the cheapest way
through the rest of the lattice costs as the estimate of what is to come (A*: Hart, Nilsson, Raphael 1968), and with a bound on how many
readings are followed from one token.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple, final

from schemas import Amount
from voice.orders.costs import HEAD_AGAIN, SEGMENT, TALK_WORD
from voice.orders.lexicon import Arc, ChoiceRef, Role
from voice.orders.words import Token

# Readings with an item, and as many without, that are followed from a token; wider has changed no case of the development sets.
WIDTH: Final = 5
# But no fewer than the first, and about so many in all as the second: a long utterance is followed less widely.
MIN_WIDTH: Final = 2
WORK: Final = 250
MAX_PORTIONS: Final = 99  # of an option
ANY_ONE: Final = -1  # "with a": one portion, or the one choice

# What is said of a group besides its item, number and options: bits.
MORE: Final = 1 << 0  # nữa, another
ONLY: Final = 1 << 1  # thôi, just
CORRECT: Final = 1 << 2  # à không, no wait
ALL: Final = 1 << 3  # tất cả, both
IS_PART: Final = 1 << 4  # trong đó, of them
REFER: Final = 1 << 5  # cái đó, that one
SET: Final = 1 << 6  # make it
REMOVE: Final = 1 << 7  # bỏ, cancel
REPLACE: Final = 1 << 8  # đổi, change
INTO: Final = 1 << 9  # thành, to
CANCEL: Final = 1 << 10  # hủy đơn
ARTICLE: Final = 1 << 11  # a, an
CLASSIFIED: Final = 1 << 12  # ly, cup of, behind the number
POST: Final = 1 << 13  # its number came behind its item
ADDED: Final = 1 << 14  # its number came behind 'with'
ALSO: Final = 1 << 15  # its number came behind 'and'
AS_IS: Final = 1 << 16  # giữ nguyên, keep
NOT_THAT: Final = 1 << 17  # a number that is taken back: 'not three'
EACH: Final = 1 << 18  # mỗi người, of each
EVERYONE: Final = 1 << 19  # mỗi người: it is people that each of them is for
PEOPLE: Final = 1 << 20  # for three people: its number counts them
REST: Final = 1 << 21  # còn lại, the other one
ITS: Final = 1 << 22  # make it, that: the line before is meant
AGAIN: Final = 1 << 23  # same again: a line like the one before
PLAIN: Final = 1 << 24  # nothing is said of that part: 'and one plain'
FORWARD: Final = 1 << 25  # its item comes with a later group: 'one large and one small coffee'
DESCRIBED: Final = 1 << 26  # some of its options tell which line is meant: 'the large one'
OPERATIONS: Final = MORE | ONLY | CORRECT | ALL | SET | REMOVE | REPLACE | INTO
# What an Aside is: nothing that is understood; a sum, a time, a question; a statement that is reported with its function words; an amount
# without an option; "no" without one.
UNREAD: Final = 0
TALK: Final = 1
UNREAD_WHOLE: Final = 2
AMOUNT: Final = 3
NEGATION: Final = 4
# What may stand before a word; KEEP: what stood before that.
KEEP: Final = -1
NONE: Final = 0
MULTIPLIED: Final = 1
PAUSED: Final = 2
JOINED: Final = 3
ONTO_NEXT: Final = 4
WITH: Final = 5
BREAK: Final = 6


class Spoken(NamedTuple):
    """An option as it was said."""

    entries: tuple[ChoiceRef, ...]
    amount: Amount | None
    portions: int
    start: int  # tokens
    end: int
    cost: float


class Aside(NamedTuple):
    """Words that no group has."""

    start: int  # tokens
    end: int
    kind: int


class Group(NamedTuple):
    """What belongs together: a line, part of one, or something that is done to lines."""

    flags: int
    number: int  # 0: none was said
    items: tuple[str, ...]
    options: tuple[Spoken, ...]
    start: int
    end: int
    cost: float
    item_cost: float
    line: int  # of the order so far, where one was told by its place; -1: none was


@final
class Link:
    """A linked list, newest first: readings share their past."""

    __slots__ = ("past", "value")

    def __init__(self, past: "Link | None", value: Any) -> None:
        self.past = past
        self.value = value


class Reading:
    """One way to read the utterance up to a token."""

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
        "item_cost",
        "items",
        "joint",
        "line",
        "lost",
        "number",
        "options",
        "own",
        "start",
        "talk",
        "used",
    )

    cost: float
    done: Link | None  # groups
    lost: Link | None  # Aside: stretches that order nothing, and amounts; int: tokens where those amounts begin that an option took
    base: tuple[str, ...]  # items of the line before the present group
    flags: int
    number: int
    items: tuple[str, ...]
    options: tuple[Spoken, ...]
    used: int  # bits of the groups that have a choice
    own: float  # the present group's part of the cost
    item_cost: float
    line: int
    start: int
    end: int
    amount: Amount | None
    amount_at: int  # token where it was said
    bare: bool  # the amount came as an order to take something off
    count: int  # portions of the next option
    carry: bool  # "no" goes on behind "and"
    talk: bool
    joint: int  # what stands right before the next token

    def fork(self, cost: float) -> "Reading":
        """Copy, at a cost."""
        new = Reading.__new__(Reading)
        new.cost = self.cost + cost
        new.done = self.done
        new.lost = self.lost
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
        new.talk = self.talk
        new.joint = self.joint
        return new

    def is_like(self, other: "Reading") -> bool:
        """Tell whether all that may follow one may follow the other; readings that share their past share its parts."""
        return (
            self.options is other.options
            and self.flags == other.flags
            and self.items is other.items
            and self.line == other.line
            and self.done is other.done
            and self.number == other.number
            and self.amount == other.amount
            and self.joint == other.joint
            and self.talk == other.talk
            and self.carry == other.carry
            and self.bare == other.bare
            and self.count == other.count
        )

    def touch(self, edge: Arc, start: int) -> None:
        """Widen the present group's span."""
        if self.start < 0:
            self.start = start
        self.end = start + edge.length

    def say_amount(self, edge: Arc, start: int, *, negative: bool) -> None:
        """Note an amount that waits for its option."""
        self.amount_at = start
        self.lost = Link(self.lost, Aside(start, start + edge.length, NEGATION if negative else AMOUNT))

    def use_amount(self) -> None:
        """Note that an option took the amount that was said last."""
        if self.amount_at >= 0:
            self.lost = Link(self.lost, self.amount_at)
            self.amount_at = -1

    def lose(self, edge: Arc, start: int) -> None:
        """Note that a stretch orders nothing."""
        kind = UNREAD_WHOLE if edge.value else TALK if edge.role is Role.TALK else UNREAD
        self.lost = Link(self.lost, Aside(start, start + edge.length, kind))

    @property
    def headless(self) -> bool:
        """No item yet."""
        return not self.items


def groups(reading: Reading) -> list[Group]:
    """Return the reading's groups, first one first."""
    return _unroll(reading.done)


def asides(reading: Reading) -> list[Aside]:
    """Return the stretches of tokens that the reading does not use, first one first: amounts only where no option took them."""
    found = _unroll(reading.lost)
    taken = {aside for aside in found if isinstance(aside, int)}
    return [aside for aside in found if isinstance(aside, Aside) and (aside.kind < AMOUNT or aside.start not in taken)]


def lost(reading: Reading) -> list[tuple[int, int]]:
    """Return the stretches of tokens that say nothing that the reading understands, first one first."""
    return [(aside.start, aside.end) for aside in _unroll(reading.lost) if isinstance(aside, Aside) and aside.kind < AMOUNT]


def _unroll(kept: Link | None) -> list[Any]:
    values = []
    while kept is not None:
        values.append(kept.value)
        kept = kept.past
    values.reverse()
    return values


class Walk:
    """What all readings of one utterance share."""

    __slots__ = ("ahead", "edges", "last_item", "order", "rest", "spoken", "taken", "there")

    def __init__(self, spoken: Sequence[Token], edges: list[list[Arc]], order: tuple[str, ...]) -> None:
        self.spoken = spoken
        self.edges = edges
        self.order = order
        self.there = frozenset(order)
        self.last_item = -1
        self.taken: list[int] | None = None  # bits of the groups that items from each token on offer, once somebody asks
        # The cheapest way through the lattice alone, from each token to the end, for readings that order and for those within a
        # question (where every word is cheap): no reading is cheaper.
        infinite = float("inf")
        count = len(spoken)
        self.rest = ordering, asking = [infinite] * count + [0.0], [infinite] * count + [0.0]
        self.ahead: tuple[list[list[tuple[float, Arc]]], ...] = ([[] for _ in spoken], [[] for _ in spoken])
        asked = any([edge.role is Role.INQUIRY for row in edges for edge in row])
        for start in range(count - 1, -1, -1):
            least, ahead = infinite, self.ahead[0][start]
            for edge in edges[start]:
                kind, cost, end = edge.role, edge.cost, start + edge.length
                if kind is Role.INQUIRY:
                    estimate = cost + TALK_WORD + asking[end]
                else:
                    estimate = (HEAD_AGAIN if edge.part and cost > HEAD_AGAIN and kind is not Role.UNUSED else cost) + ordering[end]
                    if kind is Role.ITEM and start > self.last_item:
                        self.last_item = start
                if estimate < infinite:
                    ahead.append((estimate, edge))
                    if estimate < least:
                        least = estimate
                if asked:
                    ends = kind is Role.REQUEST or kind is Role.STOP
                    estimate = cost + ordering[end] if ends else min(cost, TALK_WORD) + asking[end]
                    if estimate < infinite:
                        self.ahead[1][start].append((estimate, edge))
                        asking[start] = min(asking[start], estimate)
            ordering[start] = least

    def edges_at(self, position: int) -> list[Arc]:
        """Return the edges that begin at a token; none at the end."""
        return self.edges[position] if position < len(self.edges) else []

    @staticmethod
    def said(reading: Reading) -> list[str]:
        """Return the items that were ordered so far in this utterance, each once, first one first."""
        found = [reading.items[0]] if reading.items else []
        kept = reading.done
        while kept is not None:
            group: Group = kept.value
            if group.items and not group.flags & OPERATIONS:
                found.append(group.items[0])
            kept = kept.past
        found.reverse()
        return list(dict.fromkeys(found))

    def mentioned(self, reading: Reading) -> set[str]:
        """Return the items that are on the order, or were said before."""
        found = set(self.order) | set(reading.items)
        kept = reading.done
        while kept is not None:
            found.update(kept.value.items)
            kept = kept.past
        return found


def nothing_read(order: tuple[str, ...]) -> Reading:
    """Return the reading of nothing, before the first word."""
    reading = Reading.__new__(Reading)
    reading.cost = reading.own = reading.item_cost = 0.0
    reading.done = reading.lost = None
    reading.base = order
    reading.flags = reading.number = reading.used = reading.count = 0
    reading.items = ()
    reading.options = ()
    reading.start = reading.end = reading.line = reading.amount_at = -1
    reading.joint = BREAK
    reading.amount = None
    reading.bare = reading.carry = reading.talk = False
    return reading


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
    Role.FILLER: KEEP,
    Role.CLASSIFIER: KEEP,
}

Steps = Mapping[Role, Callable[[Reading, Arc, int, Walk], Iterator[Reading]]]


def cheapest(walk: Walk, steps: Steps, finish: Callable[[Reading], Reading], count: int) -> list[Reading]:
    """Return the cheapest `count` readings of the whole, cheapest first; `finish` closes one at the end of the utterance."""
    ahead, rest = walk.ahead, walk.rest
    goal = len(walk.spoken)
    width = max(MIN_WIDTH, min(WIDTH, WORK // (goal + 1)))
    met: list[list[Reading]] = [[] for _ in range(2 * goal + 2)]  # the cheapest of each state, at each token
    found: list[Reading] = []
    number = 0  # ties: the farthest first, then the first found
    heap: list[tuple[float, int, int, Reading, Arc | None]] = [(rest[0][0], 0, 0, nothing_read(walk.order), None)]
    while heap:
        _, negative, _, reading, edge = heappop(heap)
        position = -negative
        if edge is not None:
            start, position = position, position + edge.length
            joint = JOINTS.get(edge.role, NONE)
            plain = min(SEGMENT, edge.cost)
            for new in steps[edge.role](reading, edge, start, walk):
                number += 1
                new.own -= plain  # what every reading pays says nothing about this one
                if joint != KEEP:
                    new.joint = max(joint, reading.joint) if joint else NONE
                heappush(heap, (new.cost + rest[new.talk][position], -position, number, new, None))
        elif position < goal:
            place = 2 * position + (not reading.items)  # what still lacks an item looks cheaper than it is
            others = met[place]
            if len(others) < width and not any(map(reading.is_like, others)):
                others.append(reading)
                cost = reading.cost
                for estimate, edge in ahead[reading.talk][position]:
                    number += 1
                    heappush(heap, (cost + estimate, -position, number, reading, edge))
        elif position == goal:
            number += 1
            closed = finish(reading)
            heappush(heap, (closed.cost, -goal - 1, number, closed, None))
        else:
            found.append(reading)
            if len(found) == count:
                break
    return found
