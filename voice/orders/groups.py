"""How the groups of a reading open and close: which options an item takes, and what is left incomplete."""

from collections.abc import Sequence
from typing import Final

from voice.orders.costs import (
    ABSENT,
    ACROSS_JOIN,
    AIMLESS,
    CONTRADICTED,
    COUNTS_BASE,
    DANGLING_AMOUNT,
    DANGLING_ARTICLE,
    DANGLING_NUMBER,
    IMPLIED,
    LATE,
    PART,
    REFERENCE,
    UNDECIDED,
    UNFIT,
)
from voice.orders.lattice import Lattice
from voice.orders.lexicon import Lexicon, Role
from voice.orders.search import (
    AGAIN,
    ALL,
    ALSO,
    ARTICLE,
    AS_IS,
    DESCRIBED,
    EACH,
    FORWARD,
    INTO,
    IS_PART,
    MORE,
    NOT_THAT,
    OPERATIONS,
    PEOPLE,
    PLAIN,
    REFER,
    REMOVE,
    REPLACE,
    REST,
    SET,
    Group,
    Link,
    Reading,
    Spoken,
    Walk,
)

UNDIVIDED: Final = -(10**6)  # how much parts leave of what is no line that they could be of
WHOLE: Final = FORWARD | SET | INTO | ALL | REPLACE | REMOVE  # with these no number counts a part of a line


class Groups:
    """How groups of one menu's words open and close, and what they cost as they are left."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Precompute which option groups each item takes."""
        menu = lexicon.menu
        self.lexicon = lexicon
        self.lattice = Lattice(lexicon)
        self._mask = {item_id: sum(lexicon.bits[group] for group in set(item.options)) for item_id, item in menu.items.items()}
        self._one = sum(lexicon.bits[group_id] for group_id, group in menu.option_groups.items() if group.select == "one")
        takers: dict[int, list[str]] = {}
        for item_id, mask in self._mask.items():
            takers.setdefault(mask, []).append(item_id)
        self._takers = takers

    def takers(self, spoken: Sequence[Spoken]) -> list[str]:
        """Return the items that take all of these options."""
        found = []
        for mask, items in self._takers.items():
            if all(any(entry.bit & mask for entry in option.entries) for option in spoken):
                found += items
        return found

    def taken_behind(self, start: int, walk: Walk) -> int:
        """Return the bits of the groups that items behind a token offer: an option of another group waits for none of them."""
        if walk.taken is None:
            taken = walk.taken = [0] * (len(walk.edges) + 1)
            for place in range(walk.last_item, -1, -1):
                bits = taken[place + 1]
                for edge in walk.edges[place]:
                    if edge.role is Role.ITEM:
                        for item in edge.value:
                            bits |= self._mask[item]
                taken[place] = bits
        return walk.taken[start + 1]

    def takes(self, item: str, option: Spoken) -> bool:
        """Tell whether an item offers a group that the option may belong to."""
        mask = self._mask[item]
        return any(entry.bit & mask for entry in option.entries)

    def _close(self, reading: Reading, walk: Walk) -> Reading:
        """End the present group; what is left incomplete costs."""
        new = reading.fork(self._closing(reading, walk))
        if self._looks_forward(reading, walk):
            reading = reading.fork(0.0)
            reading.flags |= FORWARD
        elif reading.done is not None and reading.done.value.flags & FORWARD:
            new.cost += self._unkept(reading)
        if reading.items or reading.flags:
            new.cost += self._lone_part(reading.done)
        if reading.amount == "no" and reading.number and not reading.items and not reading.options:
            bare, without = reading.bare, self._without(reading)
            reading = reading.fork(0.0)
            if without:
                reading.options = without
            reading.flags |= REMOVE | REFER if bare else 0  # "bớt hai ly"
        if reading.items or reading.number or reading.options or reading.flags:
            new.done = Link(
                reading.done,
                Group(
                    reading.flags,
                    reading.number,
                    reading.items,
                    reading.options,
                    reading.start,
                    reading.end,
                    new.own,
                    reading.item_cost,
                    reading.line,
                ),
            )
        if new.done is not None and new.done is not reading.done and self._is_part(new.done.value):
            new.cost += self._divided(new.done, walk)
        elif reading.done is not None and self._is_part(reading.done.value):
            new.cost += self._undivided(reading.done, walk)
        if reading.items and not reading.flags & (REMOVE | REPLACE):
            new.base = reading.items
        new.flags = new.number = new.used = new.count = 0
        new.items = ()
        new.options = ()
        new.own = new.item_cost = 0.0
        new.start = new.end = new.line = -1
        new.amount = None
        new.bare = False
        return new

    @staticmethod
    def _without(reading: Reading) -> tuple[Spoken, ...]:
        """Return what a number with "no" behind it is to go without: what the part before has, "hai ly có đá, một ly không"."""
        part = reading.done.value if reading.done is not None else None
        if not reading.number or reading.items or reading.options or reading.bare or reading.flags & (NOT_THAT | OPERATIONS):
            return ()
        if not isinstance(part, Group) or part.items or not part.number:
            return ()
        return tuple([option._replace(amount="no", portions=1) for option in part.options if option.amount is None])

    def _closing(self, reading: Reading, walk: Walk) -> float:
        """Return what the present group costs as it is left."""
        flags = reading.flags
        if reading.amount == "no" and reading.number and not reading.items and not reading.options:
            if self._without(reading):
                return PART
            taken = reading.bare and (reading.done is not None or walk.order)
            return REFERENCE if taken or (flags & NOT_THAT and reading.done is not None) else DANGLING_NUMBER
        cost = DANGLING_AMOUNT if reading.amount is not None and not flags & REFER else 0.0
        if reading.count:
            cost += DANGLING_NUMBER
        if reading.items:
            return cost + (UNDECIDED if len(reading.items) > 1 and not (flags & ALL and reading.options) else 0.0)
        if reading.options:
            return cost + self._closing_options(reading, walk)
        if reading.number and (flags & EACH or not flags & ALL):
            return cost + self._closing_number(reading, walk)
        if flags & (SET | REPLACE | INTO | AS_IS):
            return cost + DANGLING_AMOUNT
        return cost + (AIMLESS if flags & ALL else 0.0)

    def _looks_forward(self, reading: Reading, walk: Walk) -> bool:
        """Tell whether options with a number of their own may get their item from what follows."""
        if reading.items or not reading.options or not reading.number or reading.flags & (OPERATIONS | IS_PART):
            return False
        if walk.last_item < reading.end or any(all(self.takes(item, option) for option in reading.options) for item in reading.base):
            return False
        behind = self.taken_behind(reading.end - 1, walk)
        return all(any(entry.bit & behind for entry in option.entries) for option in reading.options)

    def _unkept(self, reading: Reading) -> float:
        """Return what it costs that groups looked forward to an item which does not come, or does not take what was said."""
        cost, kept = 0.0, reading.done
        while kept is not None and kept.value.flags & FORWARD:
            options: tuple[Spoken, ...] = kept.value.options
            if not reading.number or not any(all(self.takes(item, option) for option in options) for item in reading.items):
                cost += UNFIT * len(options)
            kept = kept.past
        return cost

    def _closing_options(self, reading: Reading, walk: Walk) -> float:
        """Return what options without an item cost."""
        flags, options = reading.flags, reading.options
        if flags & ALL and not any(all(self.takes(item, option) for option in options) for item in walk.mentioned(reading)):
            return UNFIT * len(options)
        if flags & (SET | INTO | ALL | REPLACE | REMOVE):
            return ABSENT if flags & REMOVE and not flags & DESCRIBED else AIMLESS if flags & REPLACE else REFERENCE
        fits = any(all(self.takes(item, option) for option in options) for item in reading.base)
        counted = reading.number and not flags & ARTICLE
        if fits and counted:
            return PART + (CONTRADICTED if self._contradicts(reading) else 0.0)
        if self._looks_forward(reading, walk):
            return PART
        if fits:
            another = flags & ARTICLE and flags & MORE and not flags & AGAIN  # "a paneer one as well"
            return PART if (reading.number or flags & MORE) and not another else ACROSS_JOIN
        if not counted and all(any(self.takes(item, option) for item in walk.mentioned(reading)) for option in options):
            return LATE
        return IMPLIED if len(self.takers(options)) == 1 else UNFIT * len(options)

    @staticmethod
    def _closing_number(reading: Reading, walk: Walk) -> float:
        """Return what a number costs that counts neither an item nor options."""
        flags = reading.flags
        if flags & PEOPLE:
            return 0.0
        if flags & AGAIN:
            return 0.0
        if flags & ARTICLE:
            return REFERENCE if flags & MORE and (reading.base or walk.order) else DANGLING_ARTICLE
        if flags & PLAIN and reading.base:
            return PART
        base = reading.done.value if reading.done is not None else None
        if isinstance(base, Group) and base.flags & REMOVE and base.items and base.number:
            return REFERENCE  # "not four tacos, three"
        if not (flags & OPERATIONS and (reading.base or flags & MORE)):
            return DANGLING_NUMBER
        uncounted = flags & MORE and isinstance(base, Group) and base.items and not base.number and not base.options
        return PART + REFERENCE if uncounted else REFERENCE  # "nước sâm lấy thêm hai ly nữa" counts the tea

    def _divided(self, done: Link, walk: Walk) -> float:
        """Return what a part costs more than PART: less while the parts may be the whole line, "two, one large and one small"."""
        left, parts = self._division(done, walk)
        return -PART if left >= 0 else PART * (parts - 1) if left + done.value.number >= 0 else 0.0

    def _undivided(self, done: Link, walk: Walk) -> float:
        """Return what it costs that the parts before are not the whole line after all."""
        left, parts = self._division(done, walk)
        return PART * parts if left > 0 or (left == 0 and parts == 1) else 0.0

    def _division(self, done: Link, walk: Walk) -> tuple[int, int]:
        """Return how much of a line its parts leave, and how many parts there are; UNDIVIDED where they are not of one line."""
        rest = done.value.flags & REST
        parts: list[Group] = []
        kept: Link | None = done
        while kept is not None and self._is_part(kept.value):
            parts.append(kept.value)
            kept = kept.past
        base = kept.value if kept is not None else None
        if not isinstance(base, Group) or not base.items or base.number == 1 or base.flags & OPERATIONS:
            return UNDIVIDED, 0
        if not base.number and walk.there.isdisjoint(base.items):
            return UNDIVIDED, 0
        said = 0
        for part in parts:
            said += part.number
            if not any(all(self.takes(item, option) for option in part.options) for item in base.items):
                return UNDIVIDED, 0
        # How many there are of what is on the order is not known here: one part may be some of them, several are all.
        left = base.number - said if base.number else int(len(parts) == 1)
        return (min(left, 0) if rest else left), len(parts)

    @staticmethod
    def _is_part(group: Group) -> bool:
        """Tell whether a group counts some of the line before it."""
        return bool(group.number and (group.options or group.flags & PLAIN)) and not group.items and not group.flags & WHOLE

    @staticmethod
    def _lone_part(done: Link | None) -> float:
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

    def _open(self, reading: Reading, walk: Walk, cost: float) -> Reading:
        """Close the present group and begin a new one; an empty one is simply used."""
        if reading.items or reading.number or reading.options or reading.flags:
            new = self._close(reading, walk)
            new.cost += cost
            new.own = cost
            return new
        return reading.fork(cost)

    def _finish(self, reading: Reading, walk: Walk) -> Reading:
        """Close the last group at the end of the utterance."""
        closed = self._close(reading, walk)
        closed.cost += self._lone_part(closed.done)
        if closed.done is not None:
            if closed.done is not reading.done and self._is_part(closed.done.value):
                closed.cost += self._undivided(closed.done, walk)
            if closed.done.value.flags & FORWARD:
                closed.cost += self._unkept(closed)
        return closed
