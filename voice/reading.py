"""Find the cheapest consistent reading of an utterance: which words are lines, quantities, options, and what is done with them.

A reading is a chain of groups; a group has at most one item. The lattice of meanings is searched best first, with what the cheapest way
through the rest of the lattice costs as the estimate of what is to come (A*: Hart, Nilsson, Raphael 1968), and with a bound on how many
readings are followed from one token. All costs are in one unit: a word that nothing explains costs 1.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from schemas import Amount
from voice.lexicon import MISHEARD, SEGMENT, TALK, UNSAID, Edge, Entry, Kind, Lexicon
from voice.words import Token

MIN_WIDTH, WORK = 2, 250  # but no fewer than 2, and about so many in all: a long utterance is followed less widely
POSTPOSED_WORDS = 2  # between an item and "thì bỏ"
WIDTH = 5  # readings with an item, and as many without, that are followed from a token; wider has changed no case of the development sets

PLURAL_ALONE = 0.3  # "iced teas" without a number: one has been misheard
ADDED_ITEM = 0.25  # "with a lemonade" speaks of the line before, where that can have one
ADDED_BARE = 0.7  # "with rice", where the line can have some
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
COUNTS_BASE = 0.15  # "cơm rang hai suất ít cay": the line has no other number
COUNTABLE = 0.15  # "two sugars" as two more lines, where only portions were spoken of
MAX_PORTIONS = 99  # of an option
ANY_ONE = -1  # "with a": one portion, or the one choice
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
RETRACTED = 0.5  # options are taken back before their item came
CONTRADICTED = 0.3  # a part of a line that takes back what was said of the whole
ABSENT = 0.75  # something is taken off that is not on the order
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
    "EACH": "mỗi người, of each",
    "EVERYONE": "mỗi người: it is people that each of them is for",
    "PEOPLE": "for three people: its number counts them",
    "REST": "còn lại, the other one",
    "ITS": "make it, that: the line before is meant",
    "AGAIN": "same again: a line like the one before",
    "PLAIN": "nothing is said of that part: 'and one plain'",
    "FORWARD": "its item comes with a later group: 'one large and one small coffee'",
    "DESCRIBED": "some of its options tell which line is meant: 'the large one'",
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
    EACH,
    EVERYONE,
    PEOPLE,
    REST,
    ITS,
    AGAIN,
    PLAIN,
    FORWARD,
    DESCRIBED,
) = FLAG_BITS = tuple(1 << number for number in range(len(FLAGS)))
OPERATIONS = MORE | ONLY | CORRECT | ALL | SET | REMOVE | REPLACE | INTO
KEEP, NONE, MULTIPLIED, PAUSED, JOINED, ONTO_NEXT, WITH, BREAK = range(-1, 7)  # what may stand before a word; KEEP: what stood before that


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

    def state(self) -> tuple[object, ...]:
        """Return what decides how the reading may go on; readings that share their past share its parts."""
        return (
            self.flags,
            self.number,
            id(self.items),
            id(self.options),
            id(self.done),
            self.amount,
            self.bare,
            self.count,
            self.carry,
            self.talk,
            self.joint,
        )

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
            Kind.EACH: self._each,
            Kind.PEOPLE: self._people,
            Kind.ORDINAL: self._ordinal,
            Kind.PART: self._part,
            Kind.REST: self._rest,
            Kind.PLAIN: self._plain,
            Kind.ONES: self._ones,
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
            Kind.PAUSE: self._pause,
            Kind.TIMES: self._skip,
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
        width = max(MIN_WIDTH, min(WIDTH, WORK // (goal + 1)))
        followed = [0] * (2 * goal + 2)
        met: dict[tuple[int, tuple[object, ...]], Reading] = {}  # the cheapest of each state; kept, since states hold their ids
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
                place = 2 * position + (not reading.items)  # what still lacks an item looks cheaper than it is
                state = place, reading.state()
                if followed[place] < width and state not in met:
                    followed[place] += 1
                    met[state] = reading
                    cost = reading.cost
                    for estimate, edge in ahead[reading.talk][position]:
                        number += 1
                        heappush(heap, (cost + estimate, -position, number, reading, edge))
            elif position == goal:
                number += 1
                closed = self._close(reading, walk)
                closed.cost += self._lone_part(closed.done)
                if closed.done is not None and closed.done.value.flags & FORWARD:  # type: ignore[attr-defined]
                    closed.cost += self._unkept(closed)
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
        if self._looks_forward(reading, walk):
            reading = reading.fork(0.0)
            reading.flags |= FORWARD
        elif reading.done is not None and reading.done.value.flags & FORWARD:  # type: ignore[attr-defined]
            new.cost += self._unkept(reading)
        if reading.items or reading.flags:
            new.cost += self._lone_part(reading.done)
        if reading.amount == "no" and reading.number and not reading.items and not reading.options:
            bare = reading.bare
            reading = reading.fork(0.0)
            reading.flags |= REMOVE | REFER if bare else 0  # "bớt hai ly"
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
        """Return what the present group costs as it is left."""
        flags = reading.flags
        if reading.amount == "no" and reading.number and not reading.items and not reading.options:
            taken = reading.bare and (reading.done is not None or walk.order)
            return REFERENCE if taken or (flags & NOT_THAT and reading.done is not None) else DANGLING_NUMBER
        cost = DANGLING_AMOUNT if reading.amount is not None and not flags & REFER else 0.0
        if reading.count:
            cost += DANGLING_NUMBER
        if reading.items:
            return cost + (UNDECIDED if len(reading.items) > 1 else 0.0)
        if reading.options:
            return cost + self._closing_options(reading, walk)
        if reading.number and (flags & EACH or not flags & ALL):
            return cost + self._closing_number(reading, walk)
        if flags & (SET | REPLACE | INTO | AS_IS):
            return cost + DANGLING_AMOUNT
        return cost + (AIMLESS if flags & ALL else 0.0)

    def _looks_forward(self, reading: Reading, walk: "_Walk") -> bool:
        """Tell whether options with a number of their own may get their item from what follows."""
        if reading.items or not reading.options or not reading.number or reading.flags & (OPERATIONS | IS_PART):
            return False
        return walk.last_item >= reading.end and not any(
            all(self.takes(item, option) for option in reading.options) for item in reading.base
        )

    def _unkept(self, reading: Reading) -> float:
        """Return what it costs that groups looked forward to an item which does not come, or does not take what was said."""
        cost, kept = 0.0, reading.done
        while kept is not None and kept.value.flags & FORWARD:  # type: ignore[attr-defined]
            options: tuple[Spoken, ...] = kept.value.options  # type: ignore[attr-defined]
            if not reading.number or not any(all(self.takes(item, option) for option in options) for item in reading.items):
                cost += UNFIT * len(options)
            kept = kept.past
        return cost

    def _closing_options(self, reading: Reading, walk: "_Walk") -> float:
        """Return what options without an item cost."""
        flags, options = reading.flags, reading.options
        if flags & (SET | INTO | ALL | REPLACE | REMOVE):
            return ABSENT if flags & REMOVE and not flags & DESCRIBED else AIMLESS if flags & REPLACE else REFERENCE
        fits = any(all(self.takes(item, option) for option in options) for item in reading.base)
        counted = reading.number and not flags & ARTICLE
        if fits and counted:
            return PART + (CONTRADICTED if self._contradicts(reading) else 0.0)
        if self._looks_forward(reading, walk):
            return PART
        if fits:
            return PART if reading.number or flags & MORE else ACROSS_JOIN
        if not counted and all(any(self.takes(item, option) for item in walk.mentioned(reading)) for option in options):
            return LATE
        return IMPLIED if len(self.takers(options)) == 1 else UNFIT * len(options)

    @staticmethod
    def _closing_number(reading: Reading, walk: "_Walk") -> float:
        """Return what a number costs that counts neither an item nor options."""
        flags = reading.flags
        if flags & PEOPLE:
            return 0.0
        if flags & ARTICLE:
            return REFERENCE if flags & MORE and (reading.base or walk.order) else DANGLING_ARTICLE
        if flags & PLAIN and reading.base:
            return PART
        if not (flags & OPERATIONS and (reading.base or flags & MORE)):
            return DANGLING_NUMBER
        base = reading.done.value if reading.done is not None else None
        uncounted = flags & MORE and isinstance(base, Group) and base.items and not base.number and not base.options
        return PART + REFERENCE if uncounted else REFERENCE  # "nước sâm lấy thêm hai ly nữa" counts the tea

    @staticmethod
    def _lone_part(done: Kept | None) -> float:
        """Return what it costs to count the only part of a line where the number may be the line's: "cơm rang, hai suất ít cay"."""
        part = done.value if done is not None else None
        base = done.past.value if done is not None and done.past is not None else None
        if not isinstance(part, Group) or not isinstance(base, Group) or part.items or not part.options or not part.number:
            return 0.0
        alone = base.items and not base.number and not part.flags & (ALSO | MORE | IS_PART | ARTICLE | OPERATIONS)
        return COUNTS_BASE if alone else 0.0

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

    def _pause(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        yield reading.fork(edge.cost)
        if reading.amount == "no" and not reading.bare and not reading.talk:
            if reading.headless and reading.options:
                yield self._retracted(reading, edge.cost)
            new = reading.fork(edge.cost)  # ", no, two of them"
            new.amount = None
            new = self._open(new, walk, REFERENCE)
            new.flags |= CORRECT
            yield new

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
        dangling = 0.0 if reading.amount is None else ABSENT if reading.amount == "no" else DANGLING_AMOUNT
        new = reading.fork(edge.cost + dangling)
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
        if edge.cost > MISHEARD and not any(other.kind in _COUNTED for other in walk.edges_at(start + edge.length)):
            return  # "iced for him"
        article = ARTICLE if edge.kind is Kind.ARTICLE else 0
        yield from self._number_of_options(reading, edge, start, walk)
        empty = reading.headless and not reading.options and (not reading.number or (reading.flags & ARTICLE and not article))
        apart = reading.joint in _APART and reading.flags & ALL
        if empty and not apart and not (reading.amount is not None and reading.joint in _LISTED):
            new = reading.fork(edge.cost)
        else:
            made = article and reading.flags & SET and reading.items and reading.joint == NONE  # "make that coke a large", a sprite
            new = self._open(reading, walk, edge.cost + (BARE_ITEM if made else 0.0))
            if reading.amount is not None and reading.joint not in _LISTED:  # "remove two lattes"
                new.amount, new.bare = reading.amount, reading.bare
                new.cost -= DANGLING_AMOUNT
        new.flags &= ~ARTICLE
        if new.amount == "no" and not new.bare:
            new.flags |= NOT_THAT  # unless something follows that is counted
        yield self._count(new, edge, start, article | _OPENINGS.get(reading.joint, 0))
        if article:
            if reading.items and reading.flags & (SET | INTO | REPLACE):
                yield reading.fork(edge.cost)  # "make that coke a large"
        elif reading.items and not reading.number and reading.amount is None and not reading.flags & (ALL | SET | INTO):
            classified = reading.joint == MULTIPLIED or any(other.kind is Kind.CLASSIFIER for other in walk.edges_at(start + edge.length))
            yield self._count(reading.fork(edge.cost + (POSTPOSED if classified else POSTPOSED_BARE)), edge, start, POST)

    @staticmethod
    def _count(reading: Reading, edge: Edge, start: int, flags: int) -> Reading:
        reading.number = edge.value  # type: ignore[assignment]
        reading.flags |= flags
        reading.carry = False
        reading.touch(edge, start)
        return reading

    def _number_of_options(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        """Read a number that goes with options: before it, or behind it."""
        article = edge.kind is Kind.ARTICLE
        last = reading.options[-1] if reading.options else None
        if last is not None and reading.headless and not reading.number:
            if not reading.flags and reading.done is None:  # "with jalapeños one bacon burger"
                yield self._count(reading.fork(edge.cost + PART), edge, start, ARTICLE if article else 0)
            if reading.joint == ONTO_NEXT:  # "whipped cream on one of them"
                yield self._count(reading.fork(edge.cost), edge, start, IS_PART)
        if reading.amount is None and self._counts_portions(reading, edge, start, walk):
            one_of_several = edge.value == 1 and reading.number > 1 and reading.joint != WITH
            new = reading.fork(edge.cost + (0.0 if article else COUNTED_ONE if one_of_several else COUNTED))
            new.count = ANY_ONE if article else edge.value  # type: ignore[assignment]
            yield new
        if last is not None and last.end == reading.end and self._counts_last(reading, last, edge, start, walk):
            new = reading.fork(edge.cost + POSTPOSED)  # "trân châu hai phần"
            new.options = (*reading.options[:-1], last._replace(portions=edge.value))  # type: ignore[arg-type]
            new.touch(edge, start)
            yield new

    def _counts_portions(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> bool:
        """Tell whether a number may count portions of the option behind it: "with two shots"."""
        if edge.value > MAX_PORTIONS or reading.flags & REPLACE:  # type: ignore[operator]
            return False
        classified = False
        position = start + edge.length
        behind = walk.edges_at(position)
        for other in behind:
            if other.kind is Kind.CLASSIFIER:
                classified, behind = True, behind + walk.edges_at(position + other.length)
        if not any(other.kind is Kind.OPTION or (other.kind is Kind.AMOUNT and other.value == "extra") for other in behind):
            return False
        added, has_item = reading.joint == WITH, bool(reading.items)
        if edge.kind is Kind.ARTICLE:
            if any(other.kind is Kind.AMOUNT and other.value == "extra" for other in behind):
                return has_item  # "and an extra shot"
            if classified:
                return False  # "with a side of": a line of its own
            if added:
                return has_item or reading.number > 0 or reading.flags & (ALL | SET) > 0
            return reading.joint == JOINED and has_item and self._is_dual(reading.options, walk)
        if has_item or (reading.flags & SET and reading.options):
            listed = bool(reading.options) and reading.options[-1].portions > 1
            return added or listed or not classified or edge.value > max(1, reading.number)  # type: ignore[operator]
        if reading.number:
            return added and not reading.flags & ARTICLE
        return added or reading.flags & (MORE | ONLY | CORRECT) > 0

    def _counts_last(self, reading: Reading, last: Spoken, edge: Edge, start: int, walk: "_Walk") -> bool:
        """Tell whether a number with a classifier counts portions of the option before it: the line has its own, and the clause ends."""
        if not reading.number or reading.flags & ARTICLE or edge.kind is Kind.ARTICLE or edge.value > MAX_PORTIONS:  # type: ignore[operator]
            return False
        if (
            reading.joint in {JOINED, BREAK}
            or last.amount is not None
            or last.portions > 1
            or all(entry.bit & self._one for entry in last.entries)
        ):
            return False
        behind = start + edge.length
        ends = [behind + other.length for other in walk.edges_at(behind) if other.kind is Kind.CLASSIFIER]
        if reading.joint == MULTIPLIED:
            ends.append(behind)
        return any(all(other.kind in _CLAUSE_ENDS for other in walk.edges_at(end)) for end in ends)

    @staticmethod
    def _is_dual(options: Sequence[Spoken], walk: "_Walk") -> bool:
        """Tell whether the last option might have been an item: then an item behind it may be an option, too."""
        last = options[-1] if options else None
        return last is not None and any(
            edge.kind is Kind.ITEM and edge.length == last.end - last.start for edge in walk.edges_at(last.start)
        )

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
        apart = reading.joint in _APART
        if (
            last is None
            or last.end != reading.end
            or last.amount is not None
            or apart
            or any(entry.bit & self._one for entry in last.entries)
        ):
            yield from self._lose(reading, edge._replace(cost=UNSAID), start, walk)
            return
        new = reading.fork(edge.cost + IDLE)  # "mỡ hành nhiều vô", "take the anchovies off"
        new.options = (*reading.options[:-1], last._replace(amount=edge.value))  # type: ignore[arg-type]
        new.touch(edge, start)
        yield new

    def _remove(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        known = tuple([item for item in reading.items if item in walk.there])
        if reading.flags & REST and not reading.options:
            new = reading.fork(edge.cost)  # "mấy món kia bỏ"
            new.flags |= REMOVE
            yield new
        near = start - reading.end <= POSTPOSED_WORDS
        if known and near and not reading.options and not reading.flags & ~(ALSO | ARTICLE | ALL | SET):
            new = reading.fork(edge.cost + REFERENCE)  # "nước cam thì bỏ"
            new.items = known
            new.flags |= REMOVE
            new.touch(edge, start)
            yield new
        new = reading.fork(edge.cost)
        new.amount = "no"
        new.bare = True
        new.carry = False
        yield new

    def _option(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield self._talked(reading, edge, start)
            return
        amount = reading.amount
        bare = IDLE if reading.bare and amount is not None else 0.0
        joint = reading.joint
        found: tuple[Entry, ...] = edge.value  # type: ignore[assignment]
        carries = reading.carry and not all(entry.bit & self._one for entry in found)
        if amount is None and carries and joint != WITH:
            carried = self._spoken(found, "no", edge, start, walk)
            cost = min(edge.cost, HEAD_AGAIN) if carried.amount is None else edge.cost
            yield from self._attach(reading, carried, edge, start, walk, cost + (0.0 if joint in _LISTED else CARRIED_BARE))
            extra = NOT_CARRIED if joint in _LISTED else 0.0
        else:
            extra = 0.0
        if reading.bare and amount == "no" and reading.headless and not reading.options and walk.order:
            new = reading.fork(edge.cost)  # "take off the small fries": which line is meant
            new.amount, new.bare = None, False
            new.flags |= REMOVE
            self._put(new, Spoken(found, None, 1, start, start + edge.length, edge.cost), edge, start)
            yield new
        spoken = self._spoken(found, amount, edge, start, walk)
        cost = min(edge.cost, HEAD_AGAIN) if spoken.amount != amount else edge.cost  # "no" + "ice" says the whole name "no ice"
        yield from self._attach(reading, spoken, edge, start, walk, cost + extra + bare)

    def _spoken(self, found: tuple[Entry, ...], amount: Amount | None, edge: Edge, start: int, walk: "_Walk") -> Spoken:
        if amount is not None:
            measured = self._lexicon.measured(amount, walk.spoken, start, start + edge.length)
            if measured:
                found, amount = tuple(measured), None
        return Spoken(found, amount, 1, start, start + edge.length, edge.cost)

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
        if (option.amount in {"light", "extra", "regular"} or (reading.bare and walk.order and reading.headless)) and all(
            entry.bit & self._one for entry in option.entries
        ):
            cost += ONE_AMOUNT
        cost += UNDECIDED_OPTION if len({entry.group for entry in option.entries}) < len(option.entries) else 0.0
        if reading.count:
            one_of = all(entry.bit & self._one for entry in option.entries)
            if one_of and reading.count != ANY_ONE:
                return
            option = option._replace(portions=abs(reading.count), amount=None if option.amount == "extra" else option.amount)
        if reading.headless:
            base = reading.done.value if reading.done is not None else None
            counts = reading.number > max(1, base.number if isinstance(base, Group) else 0) and not reading.options and joint != WITH
            if counts and option.amount in {None, "extra"} and not all(entry.bit & self._one for entry in option.entries):
                cost += COUNTABLE
            if reading.number > 1 and not reading.options and joint in _APART:
                cost += SEPARATED
            again = all(entry.bit & self._one & reading.used for entry in option.entries)
            new = reading.fork(cost + (CONFLICT if again else 0.0))
            self._put(new, option, edge, start)
            yield new
            if again:
                new = self._open(reading, walk, cost + EARLY_JOINED)  # "hai ly vừa, ly lớn thêm sầu riêng"
                self._put(new, option, edge, start)
                yield new
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

    def _put(self, reading: Reading, option: Spoken, edge: Edge, start: int) -> None:
        reading.options = (*reading.options, option)
        reading.flags &= ~NOT_THAT
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
        if reading.flags & SET and reading.items and not reading.number and not walk.there.isdisjoint(reading.items):
            new = reading.fork(0.0)  # "make the large coke a diet coke"
            new.flags = (reading.flags & ~SET) | REPLACE
            new.items = tuple([item for item in reading.items if item in walk.there])
            new = self._open(new, walk, edge.cost + REFERENCE)
            new.flags |= INTO
            self._head(new, items, edge, start)
            yield new
        if reading.items and reading.amount is None and reading.end >= start - (1 if len(reading.items) > 1 else 0):
            same = tuple([item for item in items if item in reading.items])
            if same:  # two words for one thing: "pizza pie"; two parts of its name, and one word between that is not: "phở bò tái"
                new = reading.fork(min(edge.cost, HEAD_AGAIN) + self._uncounted(reading, edge))
                new.items = same
                new.touch(edge, start)
                yield new
        if reading.amount == "no":
            yield self._taken(reading, items, edge, start, walk)
        elif reading.headless:
            yield from self._item_of_open_group(reading, items, edge, start, walk)
        else:
            yield from self._item_behind_line(reading, items, edge, start, walk)

    def _ordinal(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        """Read "the second one" as that line's item."""
        place: int = edge.value  # type: ignore[assignment]
        if 0 < place <= len(walk.order) or (place < 0 and walk.order):
            item = walk.order[place - 1 if place > 0 else place]
            yield from self._item(reading, edge._replace(value=(item,)), start, walk)
        else:
            yield reading.fork(edge.cost + IDLE)

    def _item_of_open_group(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        """Read an item behind a number or options: they are its own, or there are two groups."""
        joint = reading.joint
        fitting, cost = self._fitting(reading, items, edge, walk)
        if fitting:
            dangling = 0.0 if reading.amount is None else UNFIT if reading.amount == "no" else DANGLING_AMOUNT
            apart = self._apart(reading, start, walk) + dangling
            new = reading.fork(cost + apart + self._uncounted(reading, edge))
            if reading.options and joint == ONTO_NEXT:
                new.flags |= SET  # "put onions on the pizza": one that is there already
            self._head(new, fitting, edge, start)
            yield new
            known = tuple([item for item in fitting if item in walk.there])
            if known and edge.part and not reading.number and not reading.options:
                new = reading.fork(self._cut_short(edge, known, walk) + apart + REFERENCE)  # "bia lấy ba lon thôi"
                self._head(new, known, edge, start)
                yield new
            if known and (len(known) < len(fitting) or (reading.options and joint == WITH)):
                new = reading.fork(edge.cost + REFERENCE + (0.0 if joint == WITH else apart))
                new.flags |= SET if reading.options else 0
                self._head(new, known, edge, start)
                yield new
        if reading.options:
            yield self._line(reading, items, edge, start, walk, ADDED_ITEM if joint == WITH else 0.0 if joint else BARE_ITEM)

    def _fitting(self, reading: Reading, items: tuple[str, ...], edge: Edge, walk: "_Walk") -> tuple[tuple[str, ...], float]:
        """Return which of the items an open group may have, and what that costs."""
        cost, fitting = edge.cost, items
        if reading.options:
            fitting = tuple([item for item in items if all(self.takes(item, option) for option in reading.options)])
        if reading.flags & (SET | REPLACE | ALL | REMOVE) and not reading.flags & EACH:
            there = walk.mentioned(reading)
            present = tuple([item for item in fitting if item in there])
            if present:
                cost = self._cut_short(edge, present, walk)
            elif reading.flags & REPLACE:
                cost += AIMLESS
            if present or not reading.flags & (SET | REPLACE) or (reading.flags & REPLACE and not reading.base):
                fitting = present
        source = reading.done.value if reading.flags & INTO and reading.done is not None else None
        if isinstance(source, Group) and source.flags & REPLACE and source.options and not source.items:
            fitting = ()  # an option is changed into an option
        return fitting, cost

    def _apart(self, reading: Reading, start: int, walk: "_Walk") -> float:
        """Return what it costs that something stands between a number or options and their item."""
        joint, flags = reading.joint, reading.flags
        if reading.options:
            if flags & ALL and (joint in {PAUSED, JOINED, WITH} or reading.end < start):
                return SEPARATED + REFERENCE
            return SEPARATED if joint in {PAUSED, JOINED, WITH} else 0.0
        if not reading.number:
            return 0.0
        if flags & ARTICLE:
            if joint in _APART:
                return SEPARATED
            return self._added(reading, start, walk) if flags & (ADDED | ALSO) and not flags & CLASSIFIED else 0.0
        for place in range(max(0, reading.start), reading.end):
            sizes = [other for other in walk.edges_at(place) if other.kind is Kind.OPTION and place + other.length == reading.end]
            if any(not other.part and other.cost <= SEGMENT for other in sizes):
                return PART + REFERENCE  # "a dozen wings", where wings come by the dozen
        # "make that two, and a coke"; "one with pepperoni", where that is a pizza too
        return SEPARATED if joint in _APART else ADDED_ITEM if joint == WITH else 0.0

    def _added(self, reading: Reading, start: int, walk: "_Walk") -> float:
        """Return what it costs to take "with a lemonade" for a line of its own, or "and a lemonade" behind such an option."""
        if reading.flags & ADDED:
            return ADDED_ITEM
        base = reading.done.value if reading.done is not None else None
        if not isinstance(base, Group) or not base.items or not self._is_dual(base.options, walk):
            return 0.0
        options = [edge.value for edge in walk.edges_at(start) if edge.kind is Kind.OPTION and not edge.part]
        taken = any(entry.bit & self._mask[item] for entries in options for entry in entries for item in base.items)  # type: ignore[attr-defined]
        return ADDED_ITEM if taken else 0.0

    def _item_behind_line(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        """Read an item behind a line: another line, or another one that something is done to."""
        joint = reading.joint
        bare = REFERENCE if reading.flags & POST else JOINED_ITEM if joint in {PAUSED, JOINED, BREAK} else BARE_ITEM
        if joint == WITH or (joint == JOINED and self._is_dual(reading.options, walk)):
            offered = [one for other in walk.edges_at(start) if other.kind is Kind.OPTION for one in other.value]  # type: ignore[attr-defined]
            if any(one.bit & self._mask[item] for one in offered for item in reading.items):
                bare = ADDED_BARE  # "bowl with rice and beans"
        yield self._line(reading, items, edge, start, walk, bare)
        known = tuple([item for item in items if item in walk.there])
        if known and edge.part and joint in _APART:
            cut = edge._replace(cost=self._cut_short(edge, known, walk))
            yield self._line(reading, known, cut, start, walk, bare + REFERENCE)
        elif known and len(known) < len(items):
            yield self._line(reading, known, edge, start, walk, bare + REFERENCE)
        last = reading.options[-1] if reading.options else None
        if joint == ONTO_NEXT and known and last is not None and last.end == reading.end:
            before = reading.fork(0.0)  # "large, and no mushrooms on the supreme"
            before.options = reading.options[:-1]
            new = self._open(before, walk, edge.cost + EARLY_JOINED)
            new.options, new.flags, new.start = (last,), SET, last.start
            self._head(new, known, edge, start)
            yield new
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
        reading.flags &= ~NOT_THAT
        reading.item_cost = edge.cost - SEGMENT
        reading.amount = None
        reading.carry = False
        reading.touch(edge, start)

    def _taken(self, reading: Reading, items: tuple[str, ...], edge: Edge, start: int, walk: "_Walk") -> Reading:
        """Take something off the order."""
        present = walk.mentioned(reading)
        known = tuple([item for item in items if item in present])
        number, flags = reading.number, reading.flags
        cost = self._cut_short(edge, known, walk) if known else edge.cost + ABSENT + (DANGLING_NUMBER if reading.number else 0.0)
        if reading.headless and not reading.options:
            new = reading.fork(cost)
        else:
            new = self._open(reading, walk, cost + REFERENCE)
            new.cost -= DANGLING_AMOUNT
            number, flags = 0, 0
        new.number = 0 if flags & ARTICLE else number
        new.flags |= REMOVE
        self._head(new, known or items, edge, start)
        new.carry = False
        return new

    @staticmethod
    def _cut_short(edge: Edge, known: Sequence[str], walk: "_Walk") -> float:
        """Return the cost of a name where only what is on the order can be meant: a part of it is enough."""
        return min(edge.cost, SEGMENT + HEAD_AGAIN) if edge.part and walk.there.issuperset(known) else edge.cost

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
        if edge.kind is Kind.SET and reading.flags == CORRECT and reading.headless and not (reading.options or reading.number):
            new = reading.fork(edge.cost)  # "no wait, make it a lemonade"
            new.flags |= SET | (ITS if edge.value else 0)
            yield new
            return
        if (
            edge.kind is Kind.REPLACE
            and reading.items
            and not reading.options
            and not reading.flags & REMOVE
            and walk.there.intersection(reading.items)
        ):
            new = reading.fork(edge.cost)  # "coca đổi sang pepsi"
            new.items = tuple([item for item in reading.items if item in walk.there])
            new.flags |= REPLACE
            yield new
            return
        new = self._open(reading, walk, edge.cost)
        if edge.kind is Kind.INSTEAD:
            new.amount, new.bare = "no", True
        else:
            new.flags |= REPLACE if edge.kind is Kind.REPLACE else SET | ITS if edge.value else SET
        yield new

    def _keep(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.headless and reading.number and not reading.options:
            yield from self._plain(reading, edge, start, walk)  # "ba con giữ nguyên"
            return
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
        elif reading.headless and reading.number and not reading.talk and not edge.value:
            new = reading.fork(edge.cost)  # "bốn lon nữa"
        else:
            yield reading.fork(edge.cost + IDLE)
            if reading.talk:
                return
            new = self._open(reading, walk, edge.cost)
        new.flags |= MORE
        if edge.value and not new.number:
            new.number = 1
            new.flags |= ARTICLE if edge.value == 1 else ARTICLE | AGAIN  # "another two"
        new.touch(edge, start)
        yield new

    def _only(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.headless and not reading.options and not reading.talk:
            new = reading.fork(edge.cost)
            new.flags |= ONLY
            yield new
            return
        yield reading.fork(edge.cost + IDLE)
        if reading.number and reading.items and not reading.options and not walk.there.isdisjoint(reading.items):
            new = reading.fork(edge.cost)  # "trà đá lấy hai ly thôi"
            new.flags |= ONLY
            yield new

    def _correct(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.done is None and not reading.items and not reading.options and not reading.number:
            yield reading.fork(edge.cost)
            return
        if reading.headless and reading.options:
            yield self._retracted(reading, edge.cost)
        new = self._open(reading, walk, edge.cost)
        new.flags |= CORRECT
        yield new

    @staticmethod
    def _retracted(reading: Reading, cost: float) -> Reading:
        """Take back what was said before an item: "a small, no, medium white pizza"."""
        new = reading.fork(cost + RETRACTED)
        new.options, new.used, new.amount = (), 0, None
        return new

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
        last = reading.options[-1] if reading.options else None
        if (
            last is not None
            and last.end == reading.end
            and reading.amount is None
            and reading.joint in {NONE, WITH}
            and not reading.flags & ALL
        ):
            before = reading.fork(0.0)  # "một hấp bia, một rang muối, đĩa to cả hai"
            before.options = reading.options[:-1]
            if before.options or before.items:
                new = self._open(before, walk, edge.cost + EARLY_JOINED)
                new.options = (last,)
                new.flags, new.number, new.start, new.end = ALL, edge.value, last.start, last.end  # type: ignore[assignment]
                yield new
        behind_options = reading.headless and reading.options and not reading.number and reading.amount is None
        if behind_options and reading.joint != JOINED:
            new = reading.fork(edge.cost)  # "ranch for both", "ít đường cả hai"
            new.flags |= ALL
            new.number = 0 if reading.flags & EACH else edge.value  # type: ignore[assignment]
            new.carry = False
            yield new

    def _each(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        whose = EVERYONE if edge.value else 0
        if reading.headless and not (reading.options and reading.number):
            new = reading.fork(edge.cost)  # "two of each", "a shot on each"
            new.flags |= ALL | EACH | whose
        else:
            if reading.items and whose and not reading.flags & EACH:
                new = reading.fork(edge.cost)  # "hai trà đá mỗi người"
                new.flags |= EACH | whose
                yield new
            new = self._open(reading, walk, edge.cost)
            new.flags |= ALL | EACH | whose
        new.carry = False
        yield new

    def _people(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        new = self._open(reading, walk, edge.cost)
        new.flags, new.number = PEOPLE, edge.value  # type: ignore[assignment]
        yield self._close(new, walk)

    def _rest(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if not reading.base and not reading.items:
            yield from self._lose(reading, edge._replace(cost=TALK), start, walk)
            return
        new = self._open(reading, walk, edge.cost)
        new.flags |= IS_PART | REST
        new.number = 1  # or more: what the other parts leave
        new.touch(edge, start)
        yield new

    def _plain(self, reading: Reading, edge: Edge, start: int, _: "_Walk") -> Iterator[Reading]:
        if reading.headless and reading.number and not reading.options and not reading.flags & ARTICLE:
            new = reading.fork(edge.cost)  # "and one plain"
            new.flags |= IS_PART | PLAIN
            new.touch(edge, start)
            yield new
        else:
            yield reading.fork(edge.cost + AIMLESS)

    def _ones(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        if reading.headless and not reading.number and reading.options and reading.options[-1].end == start:
            new = reading.fork(edge.cost)  # "the large one"
            new.flags |= DESCRIBED
            new.touch(edge, start)
            yield new
        else:
            yield from self._lose(reading, edge._replace(cost=UNSAID), start, walk)

    def _part(self, reading: Reading, edge: Edge, start: int, walk: "_Walk") -> Iterator[Reading]:
        used = reading.headless and (not reading.options or reading.flags & IS_PART)
        new = reading.fork(edge.cost) if used else self._open(reading, walk, edge.cost)
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
        if reading.items and not reading.options and not reading.flags & ~CLASSIFIED and not walk.there.isdisjoint(reading.items):
            new = reading.fork(edge.cost)  # "hai ly sinh tố lúc nãy"
            new.items = tuple([item for item in reading.items if item in walk.there])
            new.flags |= REFER
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

    def mentioned(self, reading: Reading) -> set[str]:
        """Return the items that are on the order, or were said before."""
        found = set(self.order) | set(reading.items)
        kept = reading.done
        while kept is not None:
            found.update(kept.value.items)  # type: ignore[attr-defined]
            kept = kept.past
        return found


_COUNTED = frozenset({Kind.ITEM, Kind.OPTION, Kind.CLASSIFIER, Kind.AMOUNT, Kind.MORE})  # what may stand behind a number
_CLAUSE_ENDS = frozenset({Kind.PAUSE, Kind.STOP, Kind.FILLER, Kind.REQUEST})
_LISTED = frozenset({PAUSED, JOINED})
_APART = frozenset({PAUSED, JOINED, BREAK})
_OPENINGS = {WITH: ADDED, JOINED: ALSO}  # what a joint says of the number behind it
_JOINTS = {
    Kind.JOIN: JOINED,
    Kind.OR: JOINED,
    Kind.PAUSE: PAUSED,
    Kind.TIMES: MULTIPLIED,
    Kind.WITH: WITH,
    Kind.ONTO: ONTO_NEXT,
    Kind.STOP: BREAK,
    Kind.REQUEST: BREAK,
    Kind.FILLER: KEEP,
    Kind.CLASSIFIER: KEEP,
}
