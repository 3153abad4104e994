"""A menu without nested groups, for the parser, which reads options of items alone.

In the flat menu an item also offers each group below its choices, under an id of its own. Lines become flat before the parser reads an
utterance; `nested` puts the options that it read below the choices to which they belong.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.dialog.asking_patterns import PhraseTable
from voice.dialog.combo_names import with_spoken_names
from voice.dialog.nested_options import Options, Path
from voice.dialog.nesting import Nested, Place, SpokenChoice, Step
from voice.menus.menu import Menu, OptionGroup
from voice.menus.names import all_names
from voice.orders import words
from voice.orders.parser.draft import DraftLine, DraftOption

MAX_FLAT_GROUPS: Final = 300  # of nested groups; those beyond are asked for, but not read without a question


class FlatMenu:
    """A menu, its flat form, and the way between them; both are the same menu if nothing is nested."""

    def __init__(self, menu: Menu) -> None:
        """Find the nested groups of all items."""
        self.menu = menu
        self.flat = with_spoken_names(menu)
        self._places: dict[str, Place] = {}
        self._ids: dict[Place, str] = {}
        offers: dict[str, list[str]] = {}
        for item_id, item in menu.items.items():
            found = [self._id_of(place) for place in _places(menu, item.options, ())]
            offers[item_id] = [place_id for place_id in dict.fromkeys(found) if place_id is not None]
        if self._places:
            groups = {place_id: menu.option_groups[place.group] for place_id, place in self._places.items()}
            items = {
                item_id: item.model_copy(update={"options": (*item.options, *offers[item_id])}) for item_id, item in self.flat.items.items()
            }
            self.flat = menu.model_copy(update={"option_groups": {**menu.option_groups, **groups}, "items": items})
        self.named_groups = PhraseTable(_named_groups(menu))

    def _id_of(self, place: Place) -> str | None:
        """Return the id of a nested group in the flat menu; None if there are too many."""
        known = self._ids.get(place)
        if known is not None or len(self._ids) >= MAX_FLAT_GROUPS:
            return known
        place_id = ".".join([*[name for step in place.steps for name in step if name], place.group])
        while place_id in self.menu.option_groups or place_id in self._places:
            place_id += "."
        self._ids[place] = place_id
        self._places[place_id] = place
        return place_id

    @property
    def is_nested(self) -> bool:
        """True if a choice of the menu has options of its own."""
        return bool(self._places)

    def has_nested_options_alone(self, line: DraftLine) -> bool:
        """Return whether a flat line has options, none of them the item's own."""
        return bool(line.options) and all(option.group in self._places for option in line.options)

    def group_of(self, group: str) -> str:
        """Return the group of the menu for one of the flat menu."""
        place = self._places.get(group)
        return group if place is None else place.group

    def flat_group(self, path: Path, group: str) -> str:
        """Return the group of the flat menu for one at a path."""
        return self._ids.get(Place(self._steps(path), group), group) if path else group

    def _steps(self, path: Path) -> tuple[Step, ...]:
        return tuple([_step(self.menu.option_groups[group], group, choice) for group, choice in path])

    def flattened(self, line: DraftLine) -> DraftLine:
        """Return a line with all its options at one level."""
        if not any(option.options for option in line.options):
            return line
        return line._replace(options=tuple(self._flat_options(line.options, ())))

    def _flat_options(self, options: Options, steps: tuple[Step, ...]) -> Iterator[DraftOption]:
        seen: set[Step] = set()
        for option in options:
            group = self._ids.get(Place(steps, option.group)) if steps else option.group
            if group is not None:
                yield option._replace(group=group, options=())
            step = _step(self.menu.option_groups[option.group], option.group, option.choices[0])
            if option.options and step not in seen:
                yield from self._flat_options(option.options, (*steps, step))
            seen.add(step)

    def with_offered_options(self, line: DraftLine) -> DraftLine:
        """Return a nested line without options that its item does not offer, which a line that was open between items may have."""
        if len(line.items) != 1:
            return line
        offered = self.menu.items[line.items[0]].options
        kept = tuple([option for option in line.options if option.group in offered])
        return line if len(kept) == len(line.options) else line._replace(options=kept)

    def nested(self, line: DraftLine, before: DraftLine | None, spoken: Sequence[SpokenChoice], *, has_all: bool = False) -> DraftLine:
        """Return a line that the parser read with its nested options below their choices.

        `before`: the line of the order that it was, or from which it was split. `spoken`: the choices that the utterance names;
        `has_all`: the line has all of these.
        """
        if before is not None and line.options == self.flattened(before).options:
            return line._replace(options=before.options)
        if not self.is_nested or not any(option.group in self._places for option in line.options):
            return _with_nested_of(line, before)
        known = self.flattened(before).options if before is not None else ()
        return Nested(self.menu, self._places, line, known, spoken).line(before, has_all=has_all)


def _step(group: OptionGroup, group_id: str, choice: str) -> Step:
    return Step(group_id, "" if group.select == "one" else choice)


def _places(menu: Menu, groups: Sequence[str], steps: tuple[Step, ...]) -> Iterator[Place]:
    """Yield the nested groups below some groups."""
    for group_id in groups:
        group = menu.option_groups[group_id]
        for choice_id, choice in group.choices.items():
            if choice.options:
                below = (*steps, _step(group, group_id, choice_id))
                for nested in choice.options:
                    yield Place(below, nested)
                yield from _places(menu, choice.options, below)


def _named_groups(menu: Menu) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the phrases for groups of choices with options: their names, and the categories of their items, in both numbers."""
    for group_id, group in menu.option_groups.items():
        if not any(choice.options for choice in group.choices.values()):
            continue
        items = [menu.items[choice.item] for choice in group.choices.values() if choice.item is not None]
        for name in {name for one in (group.name, *[item.category for item in items]) if one for name in all_names(one)}:
            phrase = words.phrase(name)
            yield from [(one, group_id) for one in {phrase, tuple(map(words.singular, phrase))} if one]


def _with_nested_of(line: DraftLine, before: DraftLine | None) -> DraftLine:
    """Return a line whose choices keep the nested options that they had and that the flat menu does not show."""
    if before is None:
        return line
    had = {(option.group, option.choices): option.options for option in before.options if option.options}
    return line._replace(
        options=tuple([option._replace(options=had.get((option.group, option.choices), ())) for option in line.options])
        if had
        else line.options
    )
