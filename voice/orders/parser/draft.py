"""The draft order: immutable lines, and the effect of a modifier on a line."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from schemas import Amount, LineRequest, Menu

MAX_CACHED: Final = 4096  # sets of choices whose items are known
NEW: Final = -1  # origin of a line that the utterance made


class ChoiceRef(NamedTuple):
    """A choice of an option group."""

    group: str
    choice: str


class Modifier(NamedTuple):
    """A choice as it was spoken: all choices that the words fit, an amount, a number of portions."""

    refs: tuple[ChoiceRef, ...]
    amount: Amount | None = None
    quantity: int = 1

    def choices(self, group: str) -> tuple[str, ...]:
        """Return the choices of one group that the words fit."""
        return tuple(dict.fromkeys([ref.choice for ref in self.refs if ref.group == group]))

    def matches(self, option: "DraftOption") -> bool:
        """Return whether the words describe an option: left out or not, and a common choice."""
        if (option.amount == "no") != (self.amount == "no"):
            return False
        return not set(self.choices(option.group)).isdisjoint(option.choices)


class DraftOption(NamedTuple):
    """An option of a line; with several choices it is open between them.

    `options`: those below its choice. The parser itself reads a menu without them (`voice/dialog/flat_menu.py`).
    """

    group: str
    choices: tuple[str, ...]
    amount: Amount | None = None
    quantity: int = 1
    options: tuple["DraftOption", ...] = ()


class DraftLine(NamedTuple):
    """A line of the draft; with several items it is open between them. Quantity 0 is a removed line, so that indices stay valid."""

    items: tuple[str, ...]
    quantity: int
    options: tuple[DraftOption, ...] = ()
    origin: int = NEW  # index in the order before the utterance
    beside: int = NEW  # draft index of the line from which it was split; NEW: it was not split

    @property
    def is_new(self) -> bool:
        """True if the utterance made the line."""
        return self.origin == NEW


class ModifiedLine(NamedTuple):
    """A line after a modifier."""

    line: DraftLine
    is_replacement: bool  # the one-of group had another choice


Draft = tuple[DraftLine, ...]


class MenuIndex:
    """The parts of a menu that edits need, by id."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu
        self.offers = {item_id: frozenset(item.options) for item_id, item in menu.items.items()}
        self._rank = {item_id: {group: rank for rank, group in enumerate(item.options)} for item_id, item in menu.items.items()}
        self._takers: dict[tuple[ChoiceRef, ...], frozenset[str]] = {}
        self._is_one_of = {group_id: group.select == "one" for group_id, group in menu.option_groups.items()}

    def is_one_of(self, group: str) -> bool:
        """Return whether a line may have one choice of a group at most."""
        return self._is_one_of[group]

    def accepts(self, item: str, modifier: Modifier) -> bool:
        """Return whether an item offers a group of the modifier."""
        return item in self._takers_of(modifier.refs)

    def _takers_of(self, refs: tuple[ChoiceRef, ...]) -> frozenset[str]:
        """Return the items that offer a group of some choices, computed once."""
        takers = self._takers.get(refs)
        if takers is None:
            groups = {ref.group for ref in refs}
            takers = frozenset([item for item, offered in self.offers.items() if not groups.isdisjoint(offered)])
            if len(self._takers) > MAX_CACHED:
                self._takers.clear()
            self._takers[refs] = takers
        return takers

    def accepting(self, items: Iterable[str], modifiers: Sequence[Modifier]) -> tuple[str, ...]:
        """Return the items that accept all modifiers."""
        accepted = [*items]
        for modifier in modifiers:
            takers = self._takers_of(modifier.refs)
            accepted = [item for item in accepted if item in takers]
        return tuple(accepted)

    def modify(self, line: DraftLine, modifier: Modifier, asked_group: str | None = None) -> ModifiedLine | None:
        """Apply a modifier to a line; None if none of its items accepts it.

        The group is `asked_group` where the words fit it, else the first one of the item that is still empty.
        """
        items = self.accepting(line.items, (modifier,))
        if not items:
            return None
        offered, rank = self.offers[items[0]], self._rank[items[0]]
        groups = sorted(dict.fromkeys([ref.group for ref in modifier.refs if ref.group in offered]), key=rank.__getitem__)
        if asked_group in groups:
            groups.remove(asked_group)
            groups.insert(0, asked_group)
        line = line._replace(items=items)
        return self._leave_out(line, modifier, groups) if modifier.amount == "no" else self._put(line, modifier, groups)

    def modify_all(self, line: DraftLine, modifiers: Iterable[Modifier], asked_group: str | None = None) -> ModifiedLine | None:
        """Apply modifiers one after another; None if the line does not accept all."""
        is_replacement = False
        for modifier in modifiers:
            modified = self.modify(line, modifier, asked_group)
            if modified is None:
                return None
            line, is_replacement = modified.line, is_replacement or modified.is_replacement
        return ModifiedLine(line, is_replacement)

    def _leave_out(self, line: DraftLine, modifier: Modifier, groups: Sequence[str]) -> ModifiedLine:
        """Remove the options that the line lists; list with amount "no" a choice that it does not list."""
        listed = [
            option
            for option in line.options
            if option.group in groups and option.amount != "no" and not set(modifier.choices(option.group)).isdisjoint(option.choices)
        ]
        if listed:
            left = tuple([option for option in line.options if option not in listed])
            return ModifiedLine(line._replace(options=left), is_replacement=False)
        choices = modifier.choices(groups[0])
        if self._is_one_of[groups[0]] and any([option.group == groups[0] and option.amount != "no" for option in line.options]):
            return ModifiedLine(line, is_replacement=False)  # the line has another choice of the group
        others = [option for option in line.options if (option.group, option.choices) != (groups[0], choices)]
        return ModifiedLine(line._replace(options=(*others, DraftOption(groups[0], choices, "no"))), is_replacement=False)

    def _put(self, line: DraftLine, modifier: Modifier, groups: Sequence[str]) -> ModifiedLine:
        """Add an option; in a one-of group it replaces the other choice."""
        filled = {option.group for option in line.options}
        group = next((group for group in groups if not (self._is_one_of[group] and group in filled)), groups[0])
        choices = modifier.choices(group)
        if self._is_one_of[group]:
            before = [option for option in line.options if option.group == group]
            if len(choices) > 1 and len(before) == 1 and len(before[0].choices) == 1 and before[0].choices[0] in choices:
                return ModifiedLine(line, is_replacement=False)  # the line is already more exact than the words
            others = [option for option in line.options if option.group != group]
            is_replacement = any([option.choices != choices and option.amount != "no" for option in before])
        else:
            others = [option for option in line.options if (option.group, option.choices) != (group, choices)]
            is_replacement = False
        option = DraftOption(group, choices, modifier.amount, modifier.quantity)
        return ModifiedLine(line._replace(options=(*others, option)), is_replacement)

    @staticmethod
    def describes(modifiers: Iterable[Modifier], line: DraftLine) -> bool:
        """Return whether each modifier matches an option of the line."""
        return all([any([modifier.matches(option) for option in line.options]) for modifier in modifiers])

    @staticmethod
    def draft(lines: Sequence[LineRequest]) -> Draft:
        """Return the order so far as a draft; the lines are known to fit the menu."""
        return tuple([_line_of(line, origin) for origin, line in enumerate(lines)])


def _line_of(line: LineRequest, origin: int) -> DraftLine:
    options = [
        DraftOption(
            option.group, (option.choice,) if option.choice is not None else tuple(option.alternatives), option.amount, option.quantity
        )
        for option in line.options
    ]
    return DraftLine((line.item,), line.quantity, tuple(options), origin)


def denotation(draft: Iterable[DraftLine]) -> frozenset[Any]:
    """Return the meaning of an order: independent of the sequence of lines and options."""
    count: Counter[Any] = Counter()
    for line in draft:
        if line.quantity > 0:
            options = Counter([(option.group, tuple(sorted(option.choices)), option.amount, option.quantity) for option in line.options])
            count[tuple(sorted(line.items)), frozenset(options.items())] += line.quantity
    return frozenset(count.items())
