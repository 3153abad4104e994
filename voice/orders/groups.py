"""The groups of a parse: the options that an item accepts, and the cost of closing an incomplete group."""

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
    NO_OPTIONS,
    NOT_THAT,
    OPERATIONS,
    PEOPLE,
    REFER,
    REMAINDER,
    REMOVE,
    REPLACE,
    SET,
    Group,
    Link,
    Parse,
    SearchSpace,
    SpokenOption,
)

UNDIVIDED: Final = -(10**6)  # returned when the parts are not of one line
NOT_A_PART: Final = FORWARD | SET | INTO | ALL | REPLACE | REMOVE  # a group with any of these is no part of a line


class Groups:
    """Opens and closes groups, and computes the cost of incomplete groups."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Precompute the option groups of each item."""
        menu = lexicon.menu
        self.lexicon = lexicon
        self.lattice = Lattice(lexicon)
        self._mask = {item_id: sum(lexicon.bits[group] for group in set(item.options)) for item_id, item in menu.items.items()}
        self._one = sum(lexicon.bits[group_id] for group_id, group in menu.option_groups.items() if group.select == "one")
        takers: dict[int, list[str]] = {}
        for item_id, mask in self._mask.items():
            takers.setdefault(mask, []).append(item_id)
        self._takers = takers

    def takers(self, options: Sequence[SpokenOption]) -> list[str]:
        """Return the items that accept all options."""
        found = []
        for mask, items in self._takers.items():
            if all(any(entry.bit & mask for entry in option.entries) for option in options):
                found += items
        return found

    def taken_behind(self, start: int, space: SearchSpace) -> int:
        """Return the bits of the option groups of the items behind a token."""
        if space.taken is None:
            taken = space.taken = [0] * (len(space.arcs) + 1)
            for place in range(space.last_item, -1, -1):
                bits = taken[place + 1]
                for arc in space.arcs[place]:
                    if arc.role is Role.ITEM:
                        for item in arc.value:
                            bits |= self._mask[item]
                taken[place] = bits
        return space.taken[start + 1]

    def takes(self, item: str, option: SpokenOption) -> bool:
        """Return whether an item offers a group of the option."""
        mask = self._mask[item]
        return any(entry.bit & mask for entry in option.entries)

    def _close(self, parse: Parse, space: SearchSpace) -> Parse:
        """Close the present group, at a cost if it is incomplete."""
        new = parse.fork(self._closing(parse, space))
        if self._looks_forward(parse, space):
            parse = parse.fork(0.0)
            parse.flags |= FORWARD
        elif parse.done is not None and parse.done.value.flags & FORWARD:
            new.cost += self._unkept(parse)
        if parse.items or parse.flags:
            new.cost += self._lone_part(parse.done)
        if parse.amount == "no" and parse.number and not parse.items and not parse.options:
            bare, without = parse.bare, self._without(parse)
            parse = parse.fork(0.0)
            if without:
                parse.options = without
            parse.flags |= REMOVE | REFER if bare else 0  # a number alone is removed
        if parse.items or parse.number or parse.options or parse.flags:
            new.done = Link(
                parse.done,
                Group(
                    parse.flags,
                    parse.number,
                    parse.items,
                    parse.options,
                    parse.start,
                    parse.end,
                    new.own,
                    parse.item_cost,
                    parse.line,
                ),
            )
        if new.done is not None and new.done is not parse.done and self._is_part(new.done.value):
            new.cost += self._divided(new.done, space)
        elif parse.done is not None and self._is_part(parse.done.value):
            new.cost += self._undivided(parse.done, space)
        if parse.items and not parse.flags & (REMOVE | REPLACE):
            new.base = parse.items
        new.flags = new.number = new.used = new.count = 0
        new.items = ()
        new.options = ()
        new.own = new.item_cost = 0.0
        new.start = new.end = new.line = -1
        new.amount = None
        new.bare = False
        return new

    @staticmethod
    def _without(parse: Parse) -> tuple[SpokenOption, ...]:
        """Return the options of the part before as negations, if the present group is a number with a bare "no" behind it."""
        part = parse.done.value if parse.done is not None else None
        if not parse.number or parse.items or parse.options or parse.bare or parse.flags & (NOT_THAT | OPERATIONS):
            return ()
        if not isinstance(part, Group) or part.items or not part.number:
            return ()
        return tuple([option._replace(amount="no", portions=1) for option in part.options if option.amount is None])

    def _closing(self, parse: Parse, space: SearchSpace) -> float:
        """Return the cost of closing the present group."""
        flags = parse.flags
        if parse.amount == "no" and parse.number and not parse.items and not parse.options:
            if self._without(parse):
                return PART
            taken = parse.bare and (parse.done is not None or space.order)
            return REFERENCE if taken or (flags & NOT_THAT and parse.done is not None) else DANGLING_NUMBER
        cost = DANGLING_AMOUNT if parse.amount is not None and not flags & REFER else 0.0
        if parse.count:
            cost += DANGLING_NUMBER
        if parse.items:
            return cost + (UNDECIDED if len(parse.items) > 1 and not (flags & ALL and parse.options) else 0.0)
        if parse.options:
            return cost + self._closing_options(parse, space)
        if parse.number and (flags & EACH or not flags & ALL):
            return cost + self._closing_number(parse, space)
        if flags & (SET | REPLACE | INTO | AS_IS):
            return cost + DANGLING_AMOUNT
        return cost + (AIMLESS if flags & ALL else 0.0)

    def _looks_forward(self, parse: Parse, space: SearchSpace) -> bool:
        """Return whether options with a number may belong to the item of a later group."""
        if parse.items or not parse.options or not parse.number or parse.flags & (OPERATIONS | IS_PART):
            return False
        if space.last_item < parse.end or any(all(self.takes(item, option) for option in parse.options) for item in parse.base):
            return False
        behind = self.taken_behind(parse.end - 1, space)
        return all(any(entry.bit & behind for entry in option.entries) for option in parse.options)

    def _unkept(self, parse: Parse) -> float:
        """Return the cost of groups that await a later item, if it is missing or does not accept their options."""
        cost, link = 0.0, parse.done
        while link is not None and link.value.flags & FORWARD:
            options: tuple[SpokenOption, ...] = link.value.options
            if not parse.number or not any(all(self.takes(item, option) for option in options) for item in parse.items):
                cost += UNFIT * len(options)
            link = link.past
        return cost

    def _closing_options(self, parse: Parse, space: SearchSpace) -> float:
        """Return the cost of options without an item."""
        flags, options = parse.flags, parse.options
        if flags & ALL and not any(all(self.takes(item, option) for option in options) for item in space.mentioned(parse)):
            return UNFIT * len(options)
        if flags & (SET | INTO | ALL | REPLACE | REMOVE):
            return ABSENT if flags & REMOVE and not flags & DESCRIBED else AIMLESS if flags & REPLACE else REFERENCE
        fits = any(all(self.takes(item, option) for option in options) for item in parse.base)
        counted = parse.number and not flags & ARTICLE
        if fits and counted:
            return PART + (CONTRADICTED if self._contradicts(parse) else 0.0)
        if self._looks_forward(parse, space):
            return PART
        if fits:
            another = flags & ARTICLE and flags & MORE and not flags & AGAIN  # a line of its own
            return PART if (parse.number or flags & MORE) and not another else ACROSS_JOIN
        if not counted and all(any(self.takes(item, option) for item in space.mentioned(parse)) for option in options):
            return LATE
        return IMPLIED if len(self.takers(options)) == 1 else UNFIT * len(options)

    @staticmethod
    def _closing_number(parse: Parse, space: SearchSpace) -> float:
        """Return the cost of a number without an item and options."""
        flags = parse.flags
        if flags & PEOPLE:
            return 0.0
        if flags & AGAIN:
            return 0.0
        if flags & ARTICLE:
            return REFERENCE if flags & MORE and (parse.base or space.order) else DANGLING_ARTICLE
        if flags & NO_OPTIONS and parse.base:
            return PART
        base = parse.done.value if parse.done is not None else None
        if isinstance(base, Group) and base.flags & REMOVE and base.items and base.number:
            return REFERENCE  # a new quantity for the line
        if not (flags & OPERATIONS and (parse.base or flags & MORE)):
            return DANGLING_NUMBER
        uncounted = flags & MORE and isinstance(base, Group) and base.items and not base.number and not base.options
        return PART + REFERENCE if uncounted else REFERENCE  # it counts the item before

    def _divided(self, done: Link, space: SearchSpace) -> float:
        """Return what to add to PART; -PART while the parts still fit the line."""
        left, parts = self._division(done, space)
        return -PART if left >= 0 else PART * (parts - 1) if left + done.value.number >= 0 else 0.0

    def _undivided(self, done: Link, space: SearchSpace) -> float:
        """Return the cost of parts that do not add up to the line."""
        left, parts = self._division(done, space)
        return PART * parts if left > 0 or (left == 0 and parts == 1) else 0.0

    def _division(self, done: Link, space: SearchSpace) -> tuple[int, int]:
        """Return the quantity of a line minus its parts (UNDIVIDED if they are not of one line), and the number of parts."""
        rest = done.value.flags & REMAINDER
        parts: list[Group] = []
        link: Link | None = done
        while link is not None and self._is_part(link.value):
            parts.append(link.value)
            link = link.past
        base = link.value if link is not None else None
        if not isinstance(base, Group) or not base.items or base.number == 1 or base.flags & OPERATIONS:
            return UNDIVIDED, 0
        if not base.number and space.there.isdisjoint(base.items):
            return UNDIVIDED, 0
        said = 0
        for part in parts:
            said += part.number
            if not any(all(self.takes(item, option) for option in part.options) for item in base.items):
                return UNDIVIDED, 0
        # The quantity of a line on the order is unknown here: one part may leave a remainder, several parts add up to it.
        left = base.number - said if base.number else int(len(parts) == 1)
        return (min(left, 0) if rest else left), len(parts)

    @staticmethod
    def _is_part(group: Group) -> bool:
        """Return whether a group is a part of the line before it."""
        return bool(group.number and (group.options or group.flags & NO_OPTIONS)) and not group.items and not group.flags & NOT_A_PART

    @staticmethod
    def _lone_part(done: Link | None) -> float:
        """Return the cost of a sole part whose number may be the line's."""
        part = done.value if done is not None else None
        base = done.past.value if done is not None and done.past is not None else None
        if not isinstance(part, Group) or not isinstance(base, Group) or part.items or not part.options or not part.number:
            return 0.0
        alone = base.items and not base.number and not part.flags & (ALSO | MORE | IS_PART | ARTICLE | OPERATIONS)
        return COUNTS_BASE if alone else 0.0

    def _contradicts(self, parse: Parse) -> bool:
        base = parse.done.value if parse.done is not None else None
        if not isinstance(base, Group) or not base.items:
            return False
        used = 0
        for option in base.options:
            for entry in option.entries:
                used |= entry.bit
        return any(entry.bit & used & self._one for option in parse.options for entry in option.entries)

    def _open(self, parse: Parse, space: SearchSpace, cost: float) -> Parse:
        """Close the present group and begin a new one; an empty group is used as it is."""
        if parse.items or parse.number or parse.options or parse.flags:
            new = self._close(parse, space)
            new.cost += cost
            new.own = cost
            return new
        return parse.fork(cost)

    def _finish(self, parse: Parse, space: SearchSpace) -> Parse:
        """Close the last group at the end of the utterance."""
        closed = self._close(parse, space)
        closed.cost += self._lone_part(closed.done)
        if closed.done is not None:
            if closed.done is not parse.done and self._is_part(closed.done.value):
                closed.cost += self._undivided(closed.done, space)
            if closed.done.value.flags & FORWARD:
                closed.cost += self._unkept(closed)
        return closed
