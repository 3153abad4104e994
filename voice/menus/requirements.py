"""What a line lacks, and where it exceeds the limits of its option groups, below nested choices too.

Portions are counted: each of an option's quantity, an open option's included, none that is left out. The default of a group of which
nothing was spoken is one portion.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from schemas import Option
from voice.menus.menu import Menu

Path = tuple[tuple[str, str], ...]  # the groups and choices above a nested group; empty: the item's own group


class UnmetGroup(NamedTuple):
    """A group with fewer portions than its minimum."""

    path: Path
    group: str
    n_portions: int
    minimum: int


class ExceededLimit(NamedTuple):
    """A group with more portions than its maximum or, if there is a choice, than its maximum of each choice."""

    path: Path
    group: str
    choice: str | None
    n_portions: int
    maximum: int


class OpenOption(NamedTuple):
    """An option that is open between several choices."""

    path: Path
    group: str
    choices: tuple[str, ...]


class _Level(NamedTuple):
    """The groups that an item or a choice offers, and the options of the line in them."""

    path: Path
    groups: Sequence[str]
    options: Sequence[Option]  # none that is left out

    def of(self, group_id: str) -> list[Option]:
        """Return the options in a group."""
        return [option for option in self.options if option["group"] == group_id]


def unmet_groups(menu: Menu, item_id: str, options: Sequence[Option]) -> list[UnmetGroup]:
    """Return the groups of a line that lack portions, in the menu's order, nested ones behind those above them."""
    found = []
    for level in _levels(menu, (), menu.items[item_id].options, options):
        for group_id in level.groups:
            group = menu.option_groups[group_id]
            n_portions = sum([option["quantity"] for option in level.of(group_id)]) or int(group.default is not None)
            if n_portions < group.min_choices:
                found.append(UnmetGroup(level.path, group_id, n_portions, group.min_choices))
    return found


def exceeded_limits(menu: Menu, item_id: str, options: Sequence[Option]) -> list[ExceededLimit]:
    """Return the limits of a line's groups that it exceeds, in the menu's order, nested ones behind those above them."""
    found = []
    for level in _levels(menu, (), menu.items[item_id].options, options):
        for group_id in level.groups:
            group, spoken = menu.option_groups[group_id], level.of(group_id)
            n_portions = sum([option["quantity"] for option in spoken])
            if group.max_choices is not None and n_portions > group.max_choices:
                found.append(ExceededLimit(level.path, group_id, None, n_portions, group.max_choices))
            if group.max_each is not None:
                each: Counter[str] = Counter()
                for option in spoken:
                    if option["choice"] is not None:
                        each[option["choice"]] += option["quantity"]
                over = [(choice, count) for choice, count in each.items() if count > group.max_each]
                found += [ExceededLimit(level.path, group_id, choice, count, group.max_each) for choice, count in over]
    return found


def open_options(menu: Menu, item_id: str, options: Sequence[Option]) -> list[OpenOption]:
    """Return the options of a line that are open between several choices."""
    return [
        OpenOption(level.path, option["group"], tuple(option.get("alternatives", ())))
        for level in _levels(menu, (), menu.items[item_id].options, options)
        for option in level.options
        if option["choice"] is None
    ]


def _levels(menu: Menu, path: Path, groups: Sequence[str], options: Sequence[Option]) -> Iterator[_Level]:
    """Yield a level and the levels below its choices, unspoken defaults included."""
    level = _Level(path, tuple(dict.fromkeys(groups)), [option for option in options if option["amount"] != "no"])
    yield level
    for group_id in level.groups:
        group, spoken = menu.option_groups[group_id], level.of(group_id)
        chosen = [(option["choice"], option.get("options", [])) for option in spoken]
        if not spoken and group.default is not None:
            chosen = [(group.default, [])]
        for choice, nested in chosen:
            if choice is not None and (group.choices[choice].options or nested):
                yield from _levels(menu, (*path, (group_id, choice)), group.choices[choice].options, nested)
