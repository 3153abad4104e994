"""Options below choices: reach and replace those at a path, the groups and choices above them, outermost first."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from voice.menus.menu import Menu
from voice.orders.parser.draft import ChoiceRef, DraftLine, DraftOption

Path = tuple[ChoiceRef, ...]  # empty: the item's own options
Options = tuple[DraftOption, ...]
TOP: Final[Path] = ()


class Level(NamedTuple):
    """The groups that an item or a choice offers, and the options of the line in them."""

    path: Path
    groups: Sequence[str]
    options: Options


def levels(menu: Menu, line: DraftLine) -> Iterator[Level]:
    """Yield the levels of a line, the item's own first; those below unspoken defaults too."""
    yield from _levels(menu, TOP, menu.items[line.items[0]].options, line.options)


def _levels(menu: Menu, path: Path, groups: Sequence[str], options: Options) -> Iterator[Level]:
    yield Level(path, groups, options)
    for group in groups:
        spoken = [option for option in options if option.group == group and option.amount != "no"]
        default = menu.option_groups[group].default
        chosen = [(option.choices[0], option.options) for option in spoken if len(option.choices) == 1]
        if not spoken and default is not None:
            chosen = [(default, ())]
        for choice, nested in chosen:
            below = menu.option_groups[group].choices[choice].options
            if below:
                yield from _levels(menu, (*path, ChoiceRef(group, choice)), below, nested)


def options_at(menu: Menu, line: DraftLine, path: Path) -> Options | None:
    """Return the options of a line at a path; None if the line has not all its choices, by default or spoken."""
    if not path:
        return line.options
    return next((level.options for level in levels(menu, line) if level.path == path), None)


def group_at(menu: Menu, line: DraftLine, path: Path, group: str) -> Options | None:
    """Return the options of a line in a group at a path; None if the path is not on the line."""
    options = options_at(menu, line, path)
    return None if options is None else tuple([option for option in options if option.group == group])


def with_options_at(line: DraftLine, path: Path, options: Options) -> DraftLine:
    """Return a line with other options at a path that is on the line; an unspoken default above them is listed."""
    return line._replace(options=_with(line.options, path, options))


def _with(level: Options, path: Path, options: Options) -> Options:
    if not path:
        return options
    group, choice = path[0]
    for at, option in enumerate(level):
        if option.group == group and option.choices == (choice,) and option.amount != "no":
            return (*level[:at], option._replace(options=_with(option.options, path[1:], options)), *level[at + 1 :])
    return (*level, DraftOption(group, (choice,), options=_with((), path[1:], options)))


def with_choice_at(menu: Menu, line: DraftLine, path: Path, option: DraftOption) -> DraftLine | None:
    """Return a line with an option at a path, instead of the other choice of a one-of group or of the choices that were open."""
    before = options_at(menu, line, path)
    if before is None:
        return None
    is_one_of = menu.option_groups[option.group].select == "one"
    kept = [one for one in before if one.group != option.group or not (is_one_of or set(option.choices) <= set(one.choices))]
    return with_options_at(line, path, (*kept, option))
