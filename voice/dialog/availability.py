"""What of the menu is available at the time of a turn."""

from datetime import UTC, datetime
from typing import NamedTuple

from voice.menus.availability import is_choice_available, is_item_available
from voice.menus.menu import Menu
from voice.orders.parser.draft import ChoiceRef


class Absent(NamedTuple):
    """The items and choices that are not available."""

    items: frozenset[str]
    choices: frozenset[ChoiceRef]


class Availability:
    """Finds what is not available; a menu without times is looked through once."""

    def __init__(self, menu: Menu) -> None:
        """Look through the menu."""
        self._menu = menu
        self._always = None if menu.times else self._find(datetime.now(UTC))

    def at(self, moment: datetime | None) -> Absent:
        """Return what is not available at a moment; None: now."""
        return self._always if self._always is not None else self._find(moment or datetime.now(UTC))

    def _find(self, moment: datetime) -> Absent:
        menu = self._menu
        return Absent(
            frozenset([item for item in menu.items if not is_item_available(menu, item, moment)]),
            frozenset(
                [
                    ChoiceRef(group_id, choice)
                    for group_id, group in menu.option_groups.items()
                    for choice in group.choices
                    if not is_choice_available(menu, group_id, choice, moment)
                ]
            ),
        )
