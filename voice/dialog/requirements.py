"""What a line of a draft lacks, and what it has too much of, below nested choices too."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from voice.dialog.nested_options import Path, levels
from voice.menus.menu import Menu, OptionGroup
from voice.orders.parser.draft import DraftLine, DraftOption


class OpenGroup(NamedTuple):
    """A group that needs an answer; `choices`: between which it is open, () if it needs more portions."""

    path: Path
    group: str
    choices: tuple[str, ...] = ()


def is_required(group: OptionGroup) -> bool:
    """Return whether a group needs a choice that nobody makes by default."""
    return group.min_choices > int(group.default is not None)


def unmet_groups(menu: Menu, line: DraftLine) -> Iterator[OpenGroup]:
    """Yield the groups of a line that require more portions, in the menu's order, nested ones behind those above them."""
    for level in levels(menu, line):
        for group_id in dict.fromkeys(level.groups):
            group = menu.option_groups[group_id]
            if is_required(group) and n_portions(level.options, group_id) < group.min_choices:
                yield OpenGroup(level.path, group_id)


def exceeds_limits(menu: Menu, line: DraftLine) -> bool:
    """Return whether a line has more units than its item allows, or more portions than a group or each choice of it allows."""
    item = menu.items[line.items[0]]
    if item.max is not None and line.quantity > item.max:
        return True
    for level in levels(menu, line):
        for option in level.options:
            group = menu.option_groups[option.group]
            if group.max_choices is not None and n_portions(level.options, option.group) > group.max_choices:
                return True
            if group.max_each is not None and option.amount != "no" and option.quantity > group.max_each:
                return True
    return False


def n_portions(options: Iterable[DraftOption], group_id: str) -> int:
    """Return the number of portions of a group, those that are left out not counted."""
    return sum([option.quantity for option in options if option.group == group_id and option.amount != "no"])


def open_groups(menu: Menu, line: DraftLine) -> Iterator[OpenGroup]:
    """Yield the groups of a line whose choice is open."""
    for level in levels(menu, line):
        for option in level.options:
            if len(option.choices) > 1 and option.amount != "no":
                yield OpenGroup(level.path, option.group, option.choices)
