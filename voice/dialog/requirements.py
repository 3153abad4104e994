"""What a line of a draft lacks, and what it has too much of."""

from collections.abc import Iterator

from voice.menus.menu import Menu, OptionGroup
from voice.orders.parser.draft import DraftLine


def is_required(group: OptionGroup) -> bool:
    """Return whether a group needs a choice that nobody makes by default."""
    return group.min_choices > int(group.default is not None)


def unmet_groups(menu: Menu, line: DraftLine) -> Iterator[str]:
    """Yield the groups of a line that require more portions, in the menu's order."""
    for group_id in menu.items[line.items[0]].options:
        group = menu.option_groups[group_id]
        if is_required(group) and n_portions(line, group_id) < group.min_choices:
            yield group_id


def exceeds_limits(menu: Menu, line: DraftLine) -> bool:
    """Return whether a line has more units than its item allows, or more portions than a group or each choice of it allows."""
    item = menu.items[line.items[0]]
    if item.max is not None and line.quantity > item.max:
        return True
    for option in line.options:
        group = menu.option_groups[option.group]
        if group.max_choices is not None and n_portions(line, option.group) > group.max_choices:
            return True
        if group.max_each is not None and option.amount != "no" and option.quantity > group.max_each:
            return True
    return False


def n_portions(line: DraftLine, group_id: str) -> int:
    """Return the number of portions of a group, those that are left out not counted."""
    return sum([option.quantity for option in line.options if option.group == group_id and option.amount != "no"])


def open_groups(line: DraftLine) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the groups of a line whose choice is open, with the alternatives."""
    for option in line.options:
        if len(option.choices) > 1 and option.amount != "no":
            yield option.group, option.choices
