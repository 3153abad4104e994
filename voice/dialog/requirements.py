"""What an order must have before it can be made: the required groups of its items."""

from collections.abc import Iterator

from schemas import Menu, OptionGroup
from voice.dialog.state import Note
from voice.orders.parser.draft import DraftLine


def minimum(group: OptionGroup) -> int:
    """Return the number of portions that a group requires; 0 for an optional group, or where a default stands in."""
    return 1 if group.required and group.default is None else 0


def unmet_groups(menu: Menu, line: DraftLine) -> Iterator[str]:
    """Yield the groups of a line that require more choices, most important first."""
    for group_id in menu.items[line.items[0]].options:
        least = minimum(menu.option_groups[group_id])
        if least and sum([option.quantity for option in line.options if option.group == group_id and option.amount != "no"]) < least:
            yield group_id


def open_groups(line: DraftLine) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the groups of a line whose choice is open, with the alternatives."""
    for option in line.options:
        if len(option.choices) > 1 and option.amount != "no":
            yield option.group, option.choices


def vouches(menu: Menu, line: DraftLine, note: Note) -> bool:  # noqa: ARG001 - menus do not tell diets yet
    """Return whether the menu vouches that a line fits a diet or an allergy."""
    return False
