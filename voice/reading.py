"""Find the cheapest consistent reading of an utterance: which words are lines, quantities, options, and what is done with them.

A reading is a chain of groups; a group has at most one item. The lattice of meanings is searched best first, with what the cheapest way
through the rest of the lattice costs as the estimate of what is to come (A*: Hart, Nilsson, Raphael 1968), and with a bound on how many
readings are followed from one token. All costs are in one unit: a word that nothing explains costs 1.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from schemas import Amount
from voice.lexicon import SEGMENT, UNSAID, Edge, Entry, Kind, Lexicon
from voice.words import Token

WIDTH = 5  # readings that are followed from a token; wider has changed no case of the development sets

PLURAL_ALONE = 0.3  # "iced teas" without a number: one has been misheard
ADDED_ITEM = 0.25  # "with a lemonade" speaks of the line before, where that can have one
BARE_ITEM = 0.3  # an item right behind a line, with neither number nor "and"
JOINED_ITEM = 0.25  # an item behind "and" without a number
ACROSS_JOIN = 0.1  # an option behind "and" belongs to the line before it
ACROSS_STOP = 0.2  # an option behind a full stop does
EARLY = 0.5  # an option right behind a line belongs to the line after it
EARLY_JOINED = 0.15  # the same behind "and"
SEPARATED = 0.4  # "and" between an option and the item that it precedes
CONFLICT = 0.6  # a second choice of a one-of group: it replaces the first
LATE = 0.35  # an option of a line that is not the last
UNFIT = 1.0  # an option that no line takes
COUNTED = 0.1  # "two shots"
COUNTED_ONE = 0.5  # "one" before an option counts lines more often than portions
POSTPOSED = 0.15  # "cà phê sữa hai ly"
POSTPOSED_BARE = 0.4  # the same without a classifier
PART = 0.2  # some of a line, or a line like the one before it
IMPLIED = 0.5  # options without an item word that only one item takes
DANGLING_NUMBER = 1.0
DANGLING_ARTICLE = 0.15
DANGLING_AMOUNT = 0.5
NOT_CARRIED = 0.3  # "no onions and mushrooms": only the first is left out
CARRIED_BARE = 0.35  # "không hành ngò": both are
UNDECIDED = 0.3  # an item that fits several
UNDECIDED_OPTION = 0.2
ONE_AMOUNT = 0.3  # a little or a lot of something that one chooses, as of a size
HEAD_AGAIN = 0.2  # the general word behind a special one: "ranch dressing"
REFERENCE = 0.1
IDLE = 0.02  # a word that could do something and does nothing
AIMLESS = 0.4  # something is changed, and not told into what
CONTRADICTED = 0.3  # a part of a line that takes back what was said of the whole
ABSENT = 1.5  # something is taken off that is not on the order
TALK_WORD = 0.15  # each word of a question that is about the menu

# What is said of a group besides its item, number and options.
FLAGS = {
    "MORE": "nữa, another",
    "ONLY": "thôi, just",
    "CORRECT": "à không, no wait",
    "ALL": "tất cả, both",
    "IS_PART": "trong đó, of them",
    "REFER": "cái đó, that one",
    "SET": "make it",
    "REMOVE": "bỏ, cancel",
    "REPLACE": "đổi, change",
    "INTO": "thành, to",
    "CANCEL": "hủy đơn",
    "ARTICLE": "a, an",
    "CLASSIFIED": "ly, cup of, behind the number",
    "POST": "its number came behind its item",
    "ADDED": "its number came behind 'with'",
    "ALSO": "its number came behind 'and'",
    "AS_IS": "giữ nguyên, keep",
    "NOT_THAT": "a number that is taken back: 'not three'",
}
(
    MORE,
    ONLY,
    CORRECT,
    ALL,
    IS_PART,
    REFER,
    SET,
    REMOVE,
    REPLACE,
    INTO,
    CANCEL,
    ARTICLE,
    CLASSIFIED,
    POST,
    ADDED,
    ALSO,
    AS_IS,
    NOT_THAT,
) = FLAG_BITS = tuple(1 << number for number in range(len(FLAGS)))
OPERATIONS = MORE | ONLY | CORRECT | ALL | SET | REMOVE | REPLACE | INTO
KEEP, NONE, PAUSED, JOINED, ONTO_NEXT, WITH, BREAK = range(-1, 6)  # what may stand before a word; KEEP: what stood before that


class Spoken(NamedTuple):
    """An option as it was said."""

    entries: tuple[Entry, ...]
    amount: Amount | None
    portions: int
    start: int  # tokens
    end: int
    cost: float


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


class Kept(NamedTuple):
    """A linked list, newest first: readings share their past."""

    past: "Kept | None"
    value: object


class Reading:
    """One way to read the utterance up to a token."""

    __slots__ = (
        "amount",
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
        "lost",
        "number",
        "options",
        "own",
        "start",
        "talk",
        "used",
    )

    cost: float
    done: Kept | None  # groups
    lost: Kept | None  # edges that order nothing
    base: tuple[str, ...]  # items of the line before the present group
    flags: int
    number: int
    items: tuple[str, ...]
    options: tuple[Spoken, ...]
    used: int  # bits of the groups that have a choice
    own: float  # the present group's part of the cost
    item_cost: float
    start: int
    end: int
    amount: Amount | None
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
        new.start = self.start
        new.end = self.end
        new.amount = self.amount
        new.bare = self.bare
        new.count = self.count
        new.carry = self.carry
        new.talk = self.talk
        new.joint = self.joint
        return new

    def touch(self, edge: Edge, start: int) -> None:
        """Widen the present group's span."""
        if self.start < 0:
            self.start = start
        self.end = start + edge.length

    def lose(self, edge: Edge, start: int) -> None:
        """Note that a stretch orders nothing."""
        self.lost = Kept(self.lost, (start, start + edge.length))

    @property
    def headless(self) -> bool:
        """No item yet."""
        return not self.items


def groups(reading: Reading) -> list[Group]:
    """Return the reading's groups, first one first."""
    return _unroll(reading.done)  # type: ignore[return-value]


def lost(reading: Reading) -> list[tuple[int, int]]:
    """Return the stretches of tokens that the reading does not use, first one first."""
    return _unroll(reading.lost)  # type: ignore[return-value]


def _unroll(kept: Kept | None) -> list[object]:
    values = []
    while kept is not None:
        values.append(kept.value)
        kept = kept.past
    values.reverse()
    return values


class Reader:
    """Reads utterances against one menu."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Precompute which groups each item takes."""
        menu = lexicon.menu
        self._lexicon = lexicon
        self._mask = {item_id: sum(lexicon.bits[group] for group in set(item.options)) for item_id, item in menu.items.items()}
        self._one = sum(lexicon.bits[group_id] for group_id, group in menu.option_groups.items() if group.select == "one")
        takers: dict[int, list[str]] = {}
        for item_id, mask in self._mask.items():
            takers.setdefault(mask, []).append(item_id)
        self._takers = takers
        self._steps: Mapping[Kind, Callable[[Reading, Edge, int, _Walk], Iterator[Reading]]] = {
            Kind.ITEM: self._item,
            Kind.OPTION: self._option,
            Kind.NUMBER: self._number,
            Kind.ARTICLE: self._number,
            Kind.PORTION: self._portion,
            Kind.AMOUNT: self._amount,
            Kind.AFTER: self._after,
            Kind.REMOVE: self._remove,
            Kind.REPLACE: self._operation,
            Kind.INTO: self._into,
            Kind.INSTEAD: self._operation,
            Kind.SET: self._operation,
            Kind.KEEP: self._keep,
            Kind.MORE: self._more,
            Kind.ONLY: self._only,
            Kind.CORRECT: self._correct,
            Kind.CANCEL: self._cancel,
            Kind.ALL: self._all,
            Kind.PART: self._part,
            Kind.REFER: self._refer,
            Kind.INQUIRY: self._inquiry,
            Kind.REQUEST: self._boundary,
            Kind.STOP: self._boundary,
            Kind.CLASSIFIER: self._classifier,
            Kind.JOIN: self._join,
            Kind.OR: self._join,
            Kind.WITH: self._with,
            Kind.ONTO: self._skip,
            Kind.FILLER: self._skip,
            Kind.PAUSE: self._skip,
            Kind.TALK: self._lose,
            Kind.UNKNOWN: self._lose,
            Kind.UNUSED: self._lose,
        }

    def takers(self, spoken: Sequence[Spoken]) -> list[str]:
        """Return the items that take all of these options."""
        found = []
        for mask, items in self._takers.items():
            if all(any(entry.bit & mask for entry in option.entries) for option in spoken):
                found += items
        return found

    def takes(self, item: str, option: Spoken) -> bool:
        """Tell whether an item offers a group that the option may belong to."""
        mask = self._mask[item]
        return any(entry.bit & mask for entry in option.entries)

    def read(self, spoken: Sequence[Token], order: tuple[str, ...], count: int = 1) -> list[Reading]:
        """Return the cheapest `count` readings of the whole; `order` holds the items of the order so far."""
        walk = _Walk(spoken, self._lexicon.lattice(spoken), order)
        ahead, rest, steps = walk.ahead, walk.rest, self._steps
        goal = len(spoken)
        followed = [0] * (goal + 1)
        found: list[Reading] = []
        number = 0  # ties: the farthest first, then the first found
        heap: list[tuple[float, int, int, Reading, Edge | None]] = [(rest[0][0], 0, 0, _nothing_read(order), None)]
        while heap:
            _, negative, _, reading, edge = heappop(heap)
            position = -negative
            if edge is not None:
                start, position = position, position + edge.length
                joint = _JOINTS.get(edge.kind, NONE)
                for new in steps[edge.kind](reading, edge, start, walk):
                    number += 1
                    new.own -= min(edge.cost, SEGMENT)  # what every reading pays says nothing about this one
                    if joint != KEEP:
                        new.joint = max(joint, reading.joint) if joint else NONE
                    heappush(heap, (new.cost + rest[new.talk][position], -position, number, new, None))
            elif position < goal:
                followed[position] += 1
                if followed[position] <= WIDTH:
                    cost = reading.cost
                    for estimate, edge in ahead[reading.talk][position]:
                        number += 1
                        heappush(heap, (cost + estimate, -position, number, reading, edge))
            elif position == goal:
                number += 1
                closed = self._close(reading, walk)
                heappush(heap, (closed.cost, -goal - 1, number, closed, None))
            else:
                found.append(reading)
                if len(found) == count:
                    break
        return found

    # --- Groups ---------------------------------------------------------------------------------------------------------------------

    def _close(self, reading: Reading, walk: "_Walk") -> Reading:
        """End the present group; what is left incomplete costs."""
        new = reading.fork(self._closing(reading, walk))
        if reading.amount == "no" and reading.number and not reading.items and not reading.options:
            bare = reading.bare
            reading = reading.fork(0.0)
            reading.flags |= REMOVE | REFER if bare else NOT_THAT  # "bớt hai ly", but "not three"
        if reading.items or reading.number or reading.options or reading.flags:
            new.done = Kept(
                reading.done,
                Group(
                    reading.flags, reading.number, reading.items, reading.options, reading.start, reading.end, new.own, reading.item_cost
                ),
            )
        if reading.items and not reading.flags & (REMOVE | REPLACE):
            new.base = reading.items
        new.flags = new.number = new.used = new.count = 0
        new.items = ()
        new.options = ()
        new.own = new.item_cost = 0.0
        new.start = new.end = -1
        new.amount = None
        new.bare = False
        return new

    def _closing(self, reading: Reading, walk: "_Walk") -> float:
        if reading.amount == "no" and reading.number and not reading.items and not reading.options:
            return REFERENCE if reading.done is not None or (reading.bare and walk.order) else DANGLING_NUMBER
        cost = DANGLING_AMOUNT if reading.amount is not None and not reading.flags & REFER else 0.0
        if reading.items:
            return cost + (UNDECIDED if len(reading.items) > 1 else 0.0)
        flags = reading.flags
        if reading.options:
            if flags & (SET | INTO | ALL | REPLACE):
                return cost + (AIMLESS if flags & REPLACE else REFERENCE)
            fits = any(all(self.takes(item, option) for option in reading.options) for item in reading.base)
            if reading.number and not flags & ARTICLE:
                if fits and self._contradicts(reading):
                    cost += CONTRADICTED
                return cost + (PART if fits else IMPLIED if len(self.takers(reading.options)) == 1 else UNFIT * len(reading.options))
            if fits:
                return cost + (PART if reading.number or flags & MORE else ACROSS_JOIN)
            if all(any(self.takes(item, option) for item in walk.mentioned(reading)) for option in reading.options):
                return cost + LATE
            return cost + (IMPLIED if len(self.takers(reading.options)) == 1 else UNFIT * len(reading.options))
        if reading.number:
            if flags & ARTICLE:
                return cost + DANGLING_ARTICLE
            if flags & OPERATIONS and (reading.base or flags & MORE):
                base = reading.done.value if reading.done is not None else None
                uncounted = flags & MORE and isinstance(base, Group) and base.items and not base.number and not base.options
                return cost + (PART + REFERENCE if uncounted else REFERENCE)  # "nước sâm lấy thêm hai ly nữa" counts the tea
            return cost + DANGLING_NUMBER
        if flags & (SET | REPLACE | INTO | AS_IS):
            return cost + DANGLING_AMOUNT
        return cost

    def _contradicts(self, reading: Reading) -> bool:
        base = reading.done.value if reading.done is not None else None
        if not isinstance(base, Group) or not base.items:
            return False
        used = 0
        for option in base.options:
            for entry in option.entries:
                used |= entry.bit
        return any(entry.bit & used & self._one for option in reading.options for entry in option.entries)

    def _open(self, reading: Reading, walk: "_Walk", cost: float) -> Reading:
        """Close the present group and begin a new one; an empty one is simply used."""
        if reading.items or reading.number or reading.options or reading.flags:
            new = self._close(reading, walk)
            new.cost += cost
            new.own = cost
            return new
        return reading.fork(cost)

    # --- Steps: what an edge does to a reading --------------------------------------------------------------------------------------

    def _skip(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        yield reading.fork(edge.cost)

    def _join(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        new = reading.fork(edge.cost)
        if reading.amount == "no":
            new.amount = None  # "no sides and ...": it was said of something that is not on the menu
            new.cost += REFERENCE
        yield new

    def _with(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        new = reading.fork(edge.cost)
        new.carry = False
        yield new

    def _boundary(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        if not reading.talk and reading.amount is None and not reading.carry:
            yield reading.fork(edge.cost)
            return
        new = reading.fork(edge.cost + (DANGLING_AMOUNT if reading.amount is not None else 0.0))
        new.talk = new.carry = False
        new.amount = None
        yield new

    def _lose(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        new = reading.fork(TALK_WORD if reading.talk else edge.cost)
        new.own = reading.own + SEGMENT
        if reading.amount != "no" or edge.kind is Kind.UNUSED:
            new.amount = None  # it was said of the unknown word; "no" may have a verb: "đừng chan mỡ hành"
        new.lose(edge, start)
        yield new

    def _talked(self, reading: Reading, edge: Edge, start: int) -> Reading:
        new = reading.fork(TALK_WORD)
        new.lose(edge, start)
        return new

    def _number(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield self._talked(reading, edge, start)
            return
        value: int = edge.value  # type: ignore[assignment]
        article = ARTICLE if edge.kind is Kind.ARTICLE else 0
        if reading.headless and reading.options and not reading.number and not reading.flags and reading.done is None:
            new = reading.fork(edge.cost + PART)  # "with jalapeños one bacon burger"
            new.number = value
            new.flags |= article
            new.touch(edge, start)
            yield new
        empty = reading.headless and not reading.options and (not reading.number or (reading.flags & ARTICLE and not article))
        if empty and not (reading.amount is not None and reading.joint in _LISTED):
            new = reading.fork(edge.cost)
        else:
            new = self._open(reading, walk, edge.cost)
            if reading.amount is not None and reading.joint not in _LISTED:  # "remove two lattes"
                new.amount, new.bare = reading.amount, reading.bare
                new.cost -= DANGLING_AMOUNT
        new.number = value
        new.flags = (new.flags & ~ARTICLE) | article | _OPENINGS.get(reading.joint, 0)
        new.carry = False
        new.touch(edge, start)
        yield new
        if article and reading.items and reading.flags & (SET | INTO | REPLACE):
            yield reading.fork(edge.cost)  # "make that coke a large"
        if reading.items and not reading.number and not article and reading.amount is None and not reading.flags & (ALL | SET | INTO):
            behind = walk.edges_at(start + edge.length)
            classified = any(other.kind is Kind.CLASSIFIER for other in behind) or walk.before(start) in {"x", "×"}
            new = reading.fork(edge.cost + (POSTPOSED if classified else POSTPOSED_BARE))
            new.number = value
            new.flags |= POST
            new.touch(edge, start)
            yield new

    def _portion(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        new = reading.fork(edge.cost)
        if not reading.talk:
            new.count = edge.value  # type: ignore[assignment]
        yield new

    def _amount(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        amount: Amount = edge.value  # type: ignore[assignment]
        last = reading.options[-1] if reading.options else None
        if last is not None and last.end == reading.end and last.amount is None and len(last.entries) > 1:
            measured = tuple(self._lexicon.measured(amount, walk.spoken, last.start, last.end))
            if measured:  # the amount behind its noun: "đường thì ít thôi"
                new = reading.fork(edge.cost)
                new.options = (*reading.options[:-1], last._replace(entries=measured))
                new.touch(edge, start)
                yield new
        if reading.amount == "no" and amount == "extra":
            amount = "regular"
            new = reading.fork(edge.cost)
        else:
            new = reading.fork(edge.cost + (DANGLING_AMOUNT if reading.amount is not None else 0.0))
        new.amount = amount
        new.bare = False
        new.carry = False
        yield new

    def _after(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        last = reading.options[-1] if reading.options else None
        if last is None or last.end != reading.end or last.amount is not None or any(entry.bit & self._one for entry in last.entries):
            yield from self._lose(reading, edge._replace(cost=UNSAID), start, walk)
            return
        new = reading.fork(edge.cost + IDLE)  # "mỡ hành nhiều vô", "take the anchovies off"
        new.options = (*reading.options[:-1], last._replace(amount=edge.value))  # type: ignore[arg-type]
        new.touch(edge, start)
        yield new

    def _remove(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        new = reading.fork(edge.cost)
        new.amount = "no"
        new.bare = True
        new.carry = False
        yield new

    def _option(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield self._talked(reading, edge, start)
            return
        amount, count = reading.amount, reading.count or 1
        bare = IDLE if reading.bare and amount is not None else 0.0
        joint = reading.joint
        found: tuple[Entry, ...] = edge.value  # type: ignore[assignment]
        carries = reading.carry and not all(entry.bit & self._one for entry in found)
        if amount is None and carries and joint != WITH:
            carried = self._spoken(found, "no", 1, edge, start, walk)
            cost = min(edge.cost, HEAD_AGAIN) if carried.amount is None else edge.cost
            yield from self._attach(reading, carried, edge, start, walk, cost + (0.0 if joint in _LISTED else CARRIED_BARE))
            extra = NOT_CARRIED if joint in _LISTED else 0.0
        else:
            extra = 0.0
        spoken = self._spoken(found, amount, count, edge, start, walk)
        cost = min(edge.cost, HEAD_AGAIN) if spoken.amount != amount else edge.cost  # "no" + "ice" says the whole name "no ice"
        yield from self._attach(reading, spoken, edge, start, walk, cost + extra + bare)

    def _spoken(self, found: tuple[Entry, ...], amount: Amount | None, count: int, edge: Edge, start: int, walk: "_Walk") -> Spoken:
        if amount is not None:
            measured = self._lexicon.measured(amount, walk.spoken, start, start + edge.length)
            if measured:
                found, amount = tuple(measured), None
        return Spoken(found, amount, count, start, start + edge.length, edge.cost)

    def _attach(self, reading: Reading, option: Spoken, edge: Edge, start: int, walk: "_Walk", cost: float) -> Iterator[Reading]:
        """Put an option where it may belong: on the present line, on the next one, on the one before."""
        joint = reading.joint
        negative = option.amount == "no"
        if reading.options and reading.options[-1].end == start and option.amount is None:
            head_only = edge.part and edge.length == 1
            same = self._same(reading.options[-1], option, head_only=head_only)
            if same:
                new = reading.fork(min(HEAD_AGAIN, cost) if head_only else cost)
                new.options = (*reading.options[:-1], reading.options[-1]._replace(entries=same, end=start + edge.length))
                new.touch(edge, start)
                yield new
                return
        if option.amount in {"light", "extra"} and all(entry.bit & self._one for entry in option.entries):
            cost += ONE_AMOUNT
        cost += UNDECIDED_OPTION if len({entry.group for entry in option.entries}) < len(option.entries) else 0.0
        if reading.headless:
            new = reading.fork(cost)
            self._put(new, option, edge, start)
            yield new
            base = reading.done.value if reading.done is not None else None
            added = reading.flags & ADDED  # "with two portions of"
            if isinstance(base, Group) and reading.number > max(1, base.number):
                added = ADDED  # more than there are lines: portions
            barred = IS_PART | OPERATIONS & ~MORE | (0 if added else CLASSIFIED)
            counted = reading.number and not reading.options and not reading.flags & barred and joint != WITH
            if counted and isinstance(base, Group) and base.items and not base.flags & (REMOVE | REPLACE):
                yield from self._count(reading, base, option, edge, start, cost)
            return
        fitting = tuple([item for item in reading.items if self.takes(item, option)])
        if fitting and not reading.flags & (REPLACE if not reading.options else 0):
            left = ACROSS_JOIN if joint in _LISTED else ACROSS_STOP if joint == BREAK else 0.0
            new = reading.fork(cost + left + self._conflict(reading, fitting, option))
            new.items = fitting
            self._put(new, option, edge, start)
            yield new
        if not fitting or walk.last_item > start:
            early = EARLY_JOINED if joint in {PAUSED, JOINED, BREAK} or not fitting else EARLY
            new = self._open(reading, walk, cost + (EARLY if negative and fitting else early))
            if reading.amount is not None:
                new.cost -= DANGLING_AMOUNT
            self._put(new, option, edge, start)
            yield new

    @staticmethod
    def _same(before: Spoken, option: Spoken, *, head_only: bool) -> tuple[Entry, ...]:
        """Return what two adjacent phrases for one thing mean together; nothing where they are two things.

        "cheddar cheese", where either may stand alone; "ranch dressing", where "dressing" only ever ends other names.
        """
        common = tuple([entry for entry in option.entries if entry in before.entries])
        if common:
            return common if len(common) < max(len(before.entries), len(option.entries)) else ()
        groups_before = {entry.group for entry in before.entries}
        return before.entries if head_only and any(entry.group in groups_before for entry in option.entries) else ()

    def _count(self, reading: Reading, base: Group, option: Spoken, edge: Edge, start: int, cost: float) -> Iterator[Reading]:
        """Read the number as portions of the option: "with two shots"."""
        fitting = tuple([item for item in base.items if self.takes(item, option)])
        if not fitting or reading.number > 99:  # noqa: PLR2004
            return
        if any(entry.bit & self._one for entry in option.entries):
            if not (reading.flags & ARTICLE and reading.flags & ADDED):
                return
            reading = reading.fork(0.0)  # "with a root beer", where the combo has a drink
            reading.number = 1
        assert reading.done is not None  # noqa: S101 - base came from it
        counted = 0.0 if reading.flags & ARTICLE else COUNTED_ONE if reading.number == 1 and base.number > 1 else COUNTED
        new = reading.fork(cost + counted)
        new.done = reading.done.past
        new.flags, new.number, new.items, new.options = base.flags, base.number, fitting, base.options
        new.start, new.item_cost = base.start, base.item_cost
        new.own += base.cost
        amount = None if option.amount == "extra" else option.amount  # "an extra egg", "two extra shots": portions, not an amount
        self._put(new, option._replace(portions=reading.number, amount=amount), edge, start)
        yield new

    def _put(self, reading: Reading, option: Spoken, edge: Edge, start: int) -> None:
        reading.options = (*reading.options, option)
        for entry in option.entries:
            reading.used |= entry.bit
        reading.carry = option.amount == "no" or (reading.amount == "no" and option.amount is None)
        reading.amount = None
        reading.bare = False
        reading.count = 0
        reading.touch(edge, start)

    def _conflict(self, reading: Reading, fitting: tuple[str, ...], option: Spoken) -> float:
        mask = 0
        for item in fitting:
            mask |= self._mask[item]
        free = any(entry.bit & mask and not entry.bit & self._one & reading.used for entry in option.entries)
        return 0.0 if free else CONFLICT

    def _item(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield self._talked(reading, edge, start)
            return
        items: tuple[str, ...] = edge.value  # type: ignore[assignment]
        if reading.items and reading.amount is None and reading.end >= start - (1 if len(reading.items) > 1 else 0):
            same = tuple([item for item in items if item in reading.items])
            if same:  # two words for one thing: "pizza pie"; two parts of its name, and one word between that is not: "phở bò tái"
                new = reading.fork(min(edge.cost, HEAD_AGAIN))
                new.items = same
                new.touch(edge, start)
                yield new
        if reading.amount == "no":
            yield self._taken(reading, items, edge, start, walk)
        elif reading.headless:
            yield from self._item_of_open_group(reading, items, edge, start, walk)
        else:
            yield from self._item_behind_line(reading, items, edge, start, walk)

    def _item_of_open_group(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        """Read an item behind a number or options: they are its own, or there are two groups."""
        joint = reading.joint
        fitting = items
        if reading.options:
            fitting = tuple([item for item in items if all(self.takes(item, option) for option in reading.options)])
        if reading.flags & (SET | REPLACE | ALL | REMOVE):
            there = walk.mentioned(reading)
            present = tuple([item for item in fitting if item in there])
            fitting = present if present or not reading.flags & SET else fitting
        if reading.flags & INTO and isinstance(reading.done and reading.done.value, Group):
            source: Group = reading.done.value  # type: ignore[union-attr, assignment]
            if source.flags & REPLACE and source.options and not source.items:
                fitting = ()  # an option is changed into an option
        if fitting:
            separated = SEPARATED if reading.options and joint in {PAUSED, JOINED, WITH} else 0.0
            dangling = DANGLING_AMOUNT if reading.amount is not None else 0.0
            if reading.flags & ADDED and reading.flags & ARTICLE and not reading.flags & CLASSIFIED:
                dangling += ADDED_ITEM
            new = reading.fork(edge.cost + separated + dangling + self._uncounted(reading, edge))
            if reading.options and joint == ONTO_NEXT:
                new.flags |= SET  # "put onions on the pizza": one that is there already
            self._head(new, fitting, edge, start)
            yield new
            known = tuple([item for item in fitting if item in walk.there])
            if known and (len(known) < len(fitting) or (reading.options and joint == WITH)):
                new = reading.fork(edge.cost + separated + dangling + REFERENCE)
                new.flags |= SET if reading.options else 0
                self._head(new, known, edge, start)
                yield new
        if reading.options:
            yield self._line(reading, items, edge, start, walk, 0.0 if joint else BARE_ITEM)

    def _item_behind_line(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        """Read an item behind a line: another line, or another one that something is done to."""
        joint = reading.joint
        bare = REFERENCE if reading.flags & POST else JOINED_ITEM if joint in {PAUSED, JOINED, BREAK} else BARE_ITEM
        yield self._line(reading, items, edge, start, walk, bare)
        known = tuple([item for item in items if item in walk.there])
        if known and len(known) < len(items):
            yield self._line(reading, known, edge, start, walk, bare + REFERENCE)
        if reading.flags & REMOVE and joint in {PAUSED, JOINED} and known:  # "remove the salad and the soda"
            new = self._line(reading, known, edge, start, walk, 0.0)
            new.flags |= REMOVE
            yield new

    def _line(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int, walk: "_Walk", cost: float) -> Reading:
        new = self._open(reading, walk, edge.cost + cost)
        new.cost += self._uncounted(new, edge)
        self._head(new, items, edge, start)
        return new

    @staticmethod
    def _uncounted(reading: Reading, edge: Edge) -> float:
        return PLURAL_ALONE if edge.plural and (reading.number == 0 or reading.flags & ARTICLE) else 0.0

    def _head(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int) -> None:
        reading.items = items
        reading.item_cost = edge.cost - SEGMENT
        reading.amount = None
        reading.carry = False
        reading.touch(edge, start)

    def _taken(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int, walk: "_Walk") -> Reading:
        """Take something off the order."""
        present = walk.mentioned(reading)
        known = tuple([item for item in items if item in present])
        number, flags = reading.number, reading.flags
        if reading.headless and not reading.options:
            new = reading.fork(edge.cost + (REFERENCE if known else ABSENT))
        else:
            new = self._open(reading, walk, edge.cost + (REFERENCE if known else ABSENT))
            new.cost -= DANGLING_AMOUNT
            number, flags = 0, 0
        if not reading.bare:
            new.cost += REFERENCE
        new.number = 0 if flags & ARTICLE else number
        new.flags |= REMOVE
        self._head(new, known or items, edge, start)
        new.carry = False
        return new

    def _operation(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        if edge.kind is Kind.SET and not reading.base and not reading.items:
            yield reading.fork(edge.cost)  # nothing to set yet: "make me a latte"
            return
        if edge.kind is Kind.SET and not reading.options and reading.flags & (ALL if reading.headless else IS_PART):
            yield reading.fork(edge.cost)  # "everything should be large", "one of those should be iced"
            return
        if edge.kind is Kind.REPLACE and reading.items and not reading.options and walk.there.intersection(reading.items):
            new = reading.fork(edge.cost)  # "coca đổi sang pepsi"
            new.items = tuple([item for item in reading.items if item in walk.there])
            new.flags |= REPLACE
            yield new
            return
        new = self._open(reading, walk, edge.cost)
        if edge.kind is Kind.INSTEAD:
            new.amount, new.bare = "no", True
        else:
            new.flags |= SET if edge.kind is Kind.SET else REPLACE
        yield new

    def _keep(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.items and not reading.options and not reading.number:
            new = reading.fork(edge.cost + (CONTRADICTED if reading.flags & REMOVE else 0.0))
            new.flags = AS_IS  # "trà đá giữ nguyên"
            yield new
        new = self._open(reading, walk, edge.cost)
        new.flags |= AS_IS  # "keep the tea"
        yield new

    def _into(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.flags & (REPLACE | SET) and not reading.talk:
            empty = reading.headless and not reading.options and not reading.number
            new = reading.fork(edge.cost) if empty else self._open(reading, walk, edge.cost)
            if reading.options and not reading.items and reading.flags & REPLACE:
                new.cost -= AIMLESS - REFERENCE
            new.flags = (new.flags & ~(REPLACE | SET)) | INTO
            yield new
        else:
            yield reading.fork(edge.cost + DANGLING_AMOUNT)

    def _more(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.headless and not reading.options and not reading.talk:
            new = reading.fork(edge.cost)
            new.flags |= MORE
            new.touch(edge, start)
            yield new
            return
        yield reading.fork(edge.cost + IDLE)
        if not reading.talk:
            new = self._open(reading, walk, edge.cost)
            new.flags |= MORE
            new.touch(edge, start)
            yield new

    def _only(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        if reading.headless and not reading.options and not reading.talk:
            new = reading.fork(edge.cost)
            new.flags |= ONLY
            yield new
        else:
            yield reading.fork(edge.cost + IDLE)

    def _correct(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.done is None and not reading.items and not reading.options and not reading.number:
            yield reading.fork(edge.cost)
            return
        new = self._open(reading, walk, edge.cost)
        new.flags |= CORRECT
        yield new

    def _cancel(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        new = self._open(reading, walk, edge.cost)
        new.flags |= CANCEL
        new.touch(edge, start)
        yield self._close(new, walk)

    def _all(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        new = (
            reading.fork(edge.cost)
            if reading.headless and not reading.options and not reading.number
            else self._open(reading, walk, edge.cost)
        )
        new.flags |= ALL
        new.number = edge.value  # type: ignore[assignment]  # of how many: "both"
        yield new

    def _part(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        new = reading.fork(edge.cost) if reading.headless and not reading.options else self._open(reading, walk, edge.cost)
        new.flags |= IS_PART
        yield new

    def _refer(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.bare and reading.amount is not None:
            new = self._open(reading, walk, edge.cost)
            new.cost -= DANGLING_AMOUNT if reading.items or reading.options or reading.number else 0.0
            new.amount, new.bare = None, False
            new.flags |= REMOVE | REFER
            new.touch(edge, start)
            yield new
        yield reading.fork(edge.cost)

    def _inquiry(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        new = self._open(reading, walk, edge.cost + TALK_WORD)
        new.talk = True
        new.lose(edge, start)
        yield new

    def _classifier(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        if reading.headless and reading.number and not reading.options and not reading.flags & CLASSIFIED:
            new = reading.fork(edge.cost)
            new.flags |= CLASSIFIED
            yield new
        else:
            yield reading.fork(edge.cost)


def _nothing_read(order: tuple[str, ...]) -> Reading:
    reading = Reading.__new__(Reading)
    reading.cost = reading.own = reading.item_cost = 0.0
    reading.done = reading.lost = None
    reading.base = order
    reading.flags = reading.number = reading.used = reading.count = 0
    reading.items = ()
    reading.options = ()
    reading.start = reading.end = -1
    reading.joint = BREAK
    reading.amount = None
    reading.bare = reading.carry = reading.talk = False
    return reading


class _Walk:
    """What all readings of one utterance share."""

    __slots__ = ("ahead", "edges", "last_item", "order", "rest", "spoken", "there")

    def __init__(self, spoken: Sequence[Token], edges: list[list[Edge]], order: tuple[str, ...]) -> None:
        self.spoken = spoken
        self.edges = edges
        self.order = order
        self.there = frozenset(order)
        self.last_item = -1
        # The cheapest way through the lattice alone, from each token to the end, for readings that order and for those within a
        # question (where every word is cheap): no reading is cheaper.
        infinite = float("inf")
        count = len(spoken)
        self.rest = ordering, asking = [infinite] * count + [0.0], [infinite] * count + [0.0]
        self.ahead: tuple[list[list[tuple[float, Edge]]], ...] = ([[] for _ in spoken], [[] for _ in spoken])
        asked = any([edge.kind is Kind.INQUIRY for row in edges for edge in row])
        for start in range(count - 1, -1, -1):
            least, ahead = infinite, self.ahead[0][start]
            for edge in edges[start]:
                kind, cost, end = edge.kind, edge.cost, start + edge.length
                if kind is Kind.INQUIRY:
                    estimate = cost + TALK_WORD + asking[end]
                else:
                    estimate = (HEAD_AGAIN if edge.part and cost > HEAD_AGAIN and kind is not Kind.UNUSED else cost) + ordering[end]
                    if kind is Kind.ITEM and start > self.last_item:
                        self.last_item = start
                if estimate < infinite:
                    ahead.append((estimate, edge))
                    if estimate < least:
                        least = estimate
                if asked:
                    ends = kind is Kind.REQUEST or kind is Kind.STOP
                    estimate = cost + ordering[end] if ends else min(cost, TALK_WORD) + asking[end]
                    if estimate < infinite:
                        self.ahead[1][start].append((estimate, edge))
                        asking[start] = min(asking[start], estimate)
            ordering[start] = least

    def edges_at(self, position: int) -> list[Edge]:
        """Return the edges that begin at a token; none at the end."""
        return self.edges[position] if position < len(self.edges) else []

    def before(self, position: int) -> str:
        """Return the word before a token."""
        return self.spoken[position - 1].surface if position else ""

    def mentioned(self, reading: Reading) -> set[str]:
        """Return the items that are on the order, or were said before."""
        found = set(self.order) | set(reading.items)
        kept = reading.done
        while kept is not None:
            found.update(kept.value.items)  # type: ignore[attr-defined]
            kept = kept.past
        return found


_LISTED = frozenset({PAUSED, JOINED})
_OPENINGS = {WITH: ADDED, JOINED: ALSO}  # what a joint says of the number behind it
_JOINTS = {
    Kind.JOIN: JOINED,
    Kind.OR: JOINED,
    Kind.PAUSE: PAUSED,
    Kind.WITH: WITH,
    Kind.ONTO: ONTO_NEXT,
    Kind.STOP: BREAK,
    Kind.REQUEST: BREAK,
    Kind.FILLER: KEEP,
}
