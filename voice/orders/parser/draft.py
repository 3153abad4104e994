"""The order while it is edited: immutable lines, and how a selection of a choice changes a line."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from schemas import Amount, LineRequest, Menu

NEW: Final = -1  # origin of a line that the utterance made


class ChoiceRef(NamedTuple):
    """A choice of an option group."""

    group: str
    choice: str


class Selection(NamedTuple):
    """A choice as it was said: the references that the words fit, the amount, the portions."""

    refs: tuple[ChoiceRef, ...]
    amount: Amount | None = None
    quantity: int = 1

    def choices(self, group: str) -> tuple[str, ...]:
        """Return the choices of one group that the words fit."""
        return tuple(dict.fromkeys([ref.choice for ref in self.refs if ref.group == group]))


class Option(NamedTuple):
    """An option of a line; several choices: open between them."""

    group: str
    choices: tuple[str, ...]
    amount: Amount | None = None
    quantity: int = 1


class Line(NamedTuple):
    """A line of the draft; several items: open between them. A quantity of 0 is a removed line: indices stay valid."""

    items: tuple[str, ...]
    quantity: int
    options: tuple[Option, ...] = ()
    origin: int = NEW  # index in the order before the utterance

    @property
    def is_new(self) -> bool:
        """True if the utterance made the line."""
        return self.origin == NEW


class Selected(NamedTuple):
    """A line with a selection applied."""

    line: Line
    replaced: bool  # the group had another choice


Draft = tuple[Line, ...]


class MenuIndex:
    """The parts of a menu that edits need, by id."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu
        self.offers = {item_id: frozenset(item.options) for item_id, item in menu.items.items()}
        self._rank = {item_id: {group: place for place, group in enumerate(item.options)} for item_id, item in menu.items.items()}
        self._single = {group_id: group.select == "one" for group_id, group in menu.option_groups.items()}

    def takes(self, item: str, selection: Selection) -> bool:
        """Return whether an item offers a group of the selection."""
        offered = self.offers[item]
        return any([ref.group in offered for ref in selection.refs])

    def takers(self, items: Iterable[str], selections: Sequence[Selection]) -> tuple[str, ...]:
        """Return the items that take all selections."""
        return tuple([item for item in items if all([self.takes(item, selection) for selection in selections])])

    def select(self, line: Line, selection: Selection, asked_group: str | None = None) -> Selected | None:
        """Apply a selection to a line, or return None if none of its items offers it.

        The group is `asked_group` where the words fit it, else the first one of the item that is still empty.
        """
        items = self.takers(line.items, (selection,))
        if not items:
            return None
        offered, rank = self.offers[items[0]], self._rank[items[0]]
        groups = sorted(dict.fromkeys([ref.group for ref in selection.refs if ref.group in offered]), key=rank.__getitem__)
        if asked_group in groups:
            groups.remove(asked_group)
            groups.insert(0, asked_group)
        line = line._replace(items=items)
        return self._leave_out(line, selection, groups) if selection.amount == "no" else self._put(line, selection, groups)

    def select_all(self, line: Line, selections: Iterable[Selection], asked_group: str | None = None) -> Selected | None:
        """Apply selections one after another, or return None if one does not apply."""
        replaced = False
        for selection in selections:
            selected = self.select(line, selection, asked_group)
            if selected is None:
                return None
            line, replaced = selected.line, replaced or selected.replaced
        return Selected(line, replaced)

    @staticmethod
    def _leave_out(line: Line, selection: Selection, groups: Sequence[str]) -> Selected:
        """Remove what the line lists; list with amount "no" what it does not."""
        listed = [
            option
            for option in line.options
            if option.group in groups and option.amount != "no" and not set(selection.choices(option.group)).isdisjoint(option.choices)
        ]
        if listed:
            return Selected(line._replace(options=tuple([option for option in line.options if option not in listed])), replaced=False)
        choices = selection.choices(groups[0])
        others = [option for option in line.options if (option.group, option.choices) != (groups[0], choices)]
        return Selected(line._replace(options=(*others, Option(groups[0], choices, "no"))), replaced=False)

    def _put(self, line: Line, selection: Selection, groups: Sequence[str]) -> Selected:
        """Add an option; in a one-of group it replaces the other choice."""
        filled = {option.group for option in line.options}
        group = next((group for group in groups if not (self._single[group] and group in filled)), groups[0])
        choices = selection.choices(group)
        if self._single[group]:
            before = [option for option in line.options if option.group == group]
            if len(choices) > 1 and len(before) == 1 and len(before[0].choices) == 1 and before[0].choices[0] in choices:
                return Selected(line, replaced=False)  # less was said than is known
            others = [option for option in line.options if option.group != group]
            replaced = any([option.choices != choices and option.amount != "no" for option in before])
        else:
            others = [option for option in line.options if (option.group, option.choices) != (group, choices)]
            replaced = False
        return Selected(line._replace(options=(*others, Option(group, choices, selection.amount, selection.quantity))), replaced)

    def describes(self, selections: Iterable[Selection], line: Line) -> bool:
        """Return whether the line has every selection: "the large one"."""
        return all([any([_is_of(option, selection) for option in line.options]) for selection in selections])

    def draft(self, lines: Sequence[LineRequest]) -> Draft:
        """Return the order so far as a draft; the lines are known to fit the menu."""
        return tuple(
            [
                Line(
                    (line.item,),
                    line.quantity,
                    tuple(
                        [
                            Option(
                                option.group,
                                (option.choice,) if option.choice is not None else tuple(option.alternatives),
                                option.amount,
                                option.quantity,
                            )
                            for option in line.options
                        ]
                    ),
                    origin,
                )
                for origin, line in enumerate(lines)
            ]
        )


def _is_of(option: Option, selection: Selection) -> bool:
    if (option.amount == "no") != (selection.amount == "no"):
        return False
    return not set(selection.choices(option.group)).isdisjoint(option.choices)


def denotation(draft: Iterable[Line]) -> frozenset[Any]:
    """Return what an order means: equal for equal orders, whatever the order of lines and options."""
    count: Counter[Any] = Counter()
    for line in draft:
        if line.quantity > 0:
            options = Counter([(option.group, tuple(sorted(option.choices)), option.amount, option.quantity) for option in line.options])
            count[tuple(sorted(line.items)), frozenset(options.items())] += line.quantity
    return frozenset(count.items())
