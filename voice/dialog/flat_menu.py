"""A menu without nested groups, for the parser, which reads options of items alone.

In the flat menu an item also offers each group below its choices, under an id of its own. Lines become flat before the parser reads an
utterance; `nested` puts the options that it read below the choices to which they belong.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from voice.dialog.combo_names import with_spoken_names
from voice.dialog.nested_options import Options, Path
from voice.menus.menu import Choice, Menu, OptionGroup
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.parser.draft import ChoiceRef, DraftLine, DraftOption

MAX_FLAT_GROUPS: Final = 300  # of nested groups; those beyond are asked for, but not read without a question


class Step(NamedTuple):
    """A group above a nested one. `choice`: of a group of several choices, each of which has options of its own; "" of a one-of group."""

    group: str
    choice: str


class Place(NamedTuple):
    """A nested group of an item."""

    steps: tuple[Step, ...]
    group: str


class SpokenChoice(NamedTuple):
    """The choices that words of the utterance name, and the names to which these words may belong.

    `beside`: of the name right beside them, empty if it is an item's. `before`: of the names before them back to an item, nearest first.
    `words`: without diacritics.
    """

    refs: AbstractSet[ChoiceRef]
    beside: AbstractSet[ChoiceRef]
    before: Sequence[AbstractSet[ChoiceRef]]
    words: AbstractSet[str]


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

    def nested(self, line: DraftLine, before: DraftLine | None, spoken: Sequence[SpokenChoice]) -> DraftLine:
        """Return a line that the parser read with its nested options below their choices.

        `before`: the line of the order that it was, or from which it was split. `spoken`: the choices that the utterance names.
        """
        if before is not None and line.options == self.flattened(before).options:
            return line._replace(options=before.options)
        if not self.is_nested or not any(option.group in self._places for option in line.options):
            return _with_nested_of(line, before)
        known = self.flattened(before).options if before is not None else ()
        return _Nested(self.menu, self._places, line, known, spoken).line(before)


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


def _is_part_of_a_name(said: AbstractSet[str], choice: Choice) -> bool:
    return any(said <= frozenset(map(words.fold, words.phrase(name))) for name in spoken_names(choice))


class _Node:
    """An option while options are put below it."""

    __slots__ = ("below", "option")

    def __init__(self, option: DraftOption) -> None:
        self.option = option
        self.below: list[_Node] = []

    def frozen(self) -> DraftOption:
        return self.option._replace(options=tuple([node.frozen() for node in self.below]))


class _Nested:
    """One flat line while its options are put below their choices."""

    def __init__(self, menu: Menu, places: Mapping[str, Place], line: DraftLine, known: Options, spoken: Sequence[SpokenChoice]) -> None:
        self._menu = menu
        self._places = places
        self._line = line
        self._known = known
        self._spoken = spoken
        self._roots: list[_Node] = [_Node(option) for option in line.options if option.group not in places]

    def line(self, before: DraftLine | None) -> DraftLine:
        """Return the nested line."""
        waiting = [option for option in self._line.options if option.group in self._places]
        waiting.sort(key=lambda option: len(self._places[option.group].steps))
        self._roots = [node for node in self._roots if not self._moves_below(node)]
        for option in waiting:
            place = self._places[option.group]
            named = option._replace(group=place.group)
            is_new = option not in self._known
            parent = (self._named_near(option) if is_new else None) or self._below(place)
            if parent is None and is_new:
                parent = self._vacant(named)
                if parent is None and (above := self._choice_above(option, place)) is not None:
                    self._roots.append(above)
                    continue
                parent = parent or self._implied(place)
            if parent is not None:
                parent.below.append(_Node(named))
        nested = self._line._replace(options=tuple([node.frozen() for node in self._roots]))
        return nested if before is None or nested.options != before.options else nested._replace(options=before.options)

    def _moves_below(self, node: _Node) -> bool:
        """Put an option of the item below the choice beside which it was said: "a large meal" and "a meal, a large cola"."""
        option = node.option
        if option in self._known:
            return False
        parent = self._beside(option)
        if parent is None or parent is node:
            return False
        parent.below.append(_Node(option))
        return True

    def _nodes(self) -> Iterator[_Node]:
        waiting = [*self._roots]
        while waiting:
            node = waiting.pop(0)
            yield node
            waiting += node.below

    def _offers(self, node: _Node, group: str) -> bool:
        """Return whether a choice offers a group."""
        option = node.option
        choices = self._menu.option_groups[option.group].choices
        return option.amount != "no" and any(group in choices[choice].options for choice in option.choices)

    def _beside(self, option: DraftOption) -> _Node | None:
        """Return the choice that the words right beside those of an option name, if it offers the group."""
        return self._first_of([one.beside for one in self._said(option)], self._real(option.group))

    def _named_near(self, option: DraftOption) -> _Node | None:
        """Return the choice beside an option, or the nearest one that was named before it."""
        group = self._real(option.group)
        return self._beside(option) or self._first_of([refs for one in self._said(option) for refs in one.before], group)

    def _said(self, option: DraftOption) -> list[SpokenChoice]:
        ref = ChoiceRef(option.group, option.choices[0])
        return [one for one in self._spoken if ref in one.refs]

    def _first_of(self, names: Sequence[AbstractSet[ChoiceRef]], group: str) -> _Node | None:
        """Return the choice on the line that the first of some names means which has room in a group."""
        for refs in names:
            meant = {(self._real(ref.group), ref.choice) for ref in refs}
            for node in self._nodes():
                is_meant = any((node.option.group, choice) in meant for choice in node.option.choices)
                if is_meant and self._offers(node, group) and not self._is_full(node, group):
                    return node
        return None

    def _real(self, group: str) -> str:
        place = self._places.get(group)
        return group if place is None else place.group

    def _is_full(self, node: _Node, group: str) -> bool:
        return self._menu.option_groups[group].select == "one" and any(below.option.group == group for below in node.below)

    def _below(self, place: Place) -> _Node | None:
        """Return the choice above a place, if it offers the group."""
        level, found = self._roots, None
        for step in place.steps:
            found = next(
                (
                    node
                    for node in level
                    if node.option.group == step.group
                    and node.option.amount != "no"
                    and (not step.choice or step.choice in node.option.choices)
                ),
                None,
            )
            if found is None:
                return None
            level = found.below
        return found if found is not None and self._offers(found, place.group) else None

    def _vacant(self, option: DraftOption) -> _Node | None:
        """Return the first choice on the line that offers a group and has no choice of it yet."""
        return next((node for node in self._nodes() if self._offers(node, option.group) and not self._is_full(node, option.group)), None)

    def _choice_above(self, option: DraftOption, place: Place) -> _Node | None:
        """Return the choice above a place whose name the words are a part of: "a combo with egg" is one with the egg sandwich."""
        step = place.steps[0]
        if any(node.option.group == step.group for node in self._roots):
            return None
        said = [one.words for one in self._said(option)]
        choices = self._menu.option_groups[step.group].choices
        fitting = [choice_id for choice_id, choice in choices.items() if any(_is_part_of_a_name(part, choice) for part in said)]
        return _Node(DraftOption(step.group, (fitting[0],))) if len(fitting) == 1 else None

    def _implied(self, place: Place) -> _Node | None:
        """Add the choices above a place that nobody said: the default, the only one that offers the group, or all that do, as open."""
        level = self._roots
        found: _Node | None = None
        groups = [step.group for step in place.steps[1:]] + [place.group]
        for step, below in zip(place.steps, groups, strict=True):
            found = next((node for node in level if node.option.group == step.group and self._offers(node, below)), None)
            if found is None:
                if any(node.option.group == step.group for node in level) and not step.choice:
                    return None  # the line has another choice
                group = self._menu.option_groups[step.group]
                offering = tuple([choice_id for choice_id, choice in group.choices.items() if below in choice.options])
                chosen = (step.choice,) if step.choice else (group.default,) if group.default in offering else offering
                found = _Node(DraftOption(step.group, tuple([choice for choice in chosen if choice is not None])))
                level.append(found)
            level = found.below
        return found
