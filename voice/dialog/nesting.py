"""Put the options of a flat line below the choices to which they belong: those beside which they were said."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from voice.dialog.nested_options import Options
from voice.menus.menu import Choice, Menu
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.parser.draft import ChoiceRef, DraftLine, DraftOption


class Step(NamedTuple):
    """A group above a nested one. `choice`: the choice that has the options, in a group of several choices; "" in a one-of group."""

    group: str
    choice: str


class Place(NamedTuple):
    """A nested group of an item."""

    steps: tuple[Step, ...]
    group: str


class SpokenChoice(NamedTuple):
    """The choices that words of the utterance name, and the names to which these words may belong.

    `beside`: of the name right beside them, empty if it is an item's. `before`: of the names before them back to an item, nearest first.
    `words`: without diacritics. `groups`: those whose names stand near them ("a large drink"), nearest first.
    """

    refs: AbstractSet[ChoiceRef]
    beside: AbstractSet[ChoiceRef]
    before: Sequence[AbstractSet[ChoiceRef]]
    words: AbstractSet[str]
    groups: Sequence[str] = ()


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


class Nested:
    """One flat line while its options are put below their choices."""

    def __init__(self, menu: Menu, places: Mapping[str, Place], line: DraftLine, known: Options, spoken: Sequence[SpokenChoice]) -> None:
        self._menu = menu
        self._places = places
        self._line = line
        self._known = known
        self._spoken = spoken
        self._roots: list[_Node] = [_Node(option) for option in line.options if option.group not in places]

    def line(self, before: DraftLine | None, *, has_all: bool) -> DraftLine:
        """Return the nested line; `has_all`: it has all choices that are spoken."""
        waiting = [option for option in self._line.options if option.group in self._places]
        waiting.sort(key=lambda option: len(self._places[option.group].steps))
        named_groups = [(option, groups) for option in self._line.options if option not in self._known and (groups := self._groups(option))]
        in_groups = {id(option) for option, _ in named_groups}
        self._roots = [node for node in self._roots if id(node.option) not in in_groups and not self._moves_below(node)]
        waiting = [option for option in waiting if id(option) not in in_groups]
        waiting += self._kept_beside([option for option, _ in named_groups])
        for option in waiting:
            place = self._places[option.group]
            named = option._replace(group=place.group)
            is_new = option not in self._known
            parent = None
            if is_new:
                parent, named = self._named_near(option, named)
            parent = parent or self._below(place)
            if parent is None and is_new:
                parent = self._vacant(named)
                if parent is None and (above := self._choice_above(option, place)) is not None:
                    self._roots.append(above)
                    continue
                parent = parent or self._implied(place)
            if parent is not None:
                parent.below.append(_Node(named))
        for option, groups in named_groups:
            self._put_in_group(option, groups, [ref for one in self._said(option) for ref in one.refs])
        if has_all:
            self._add_missing()
        nested = self._line._replace(options=tuple([node.frozen() for node in self._roots]))
        return nested if before is None or nested.options != before.options else nested._replace(options=before.options)

    def _groups(self, option: DraftOption) -> list[str]:
        """Return the groups of the item whose names stand near the words of an option and that have a place for it."""
        offered = self._menu.items[self._line.items[0]].options
        near = [(group, one) for one in self._said(option) for group in one.groups if not one.beside and group in offered]
        return [group for group, one in near if any(self._real(ref.group) in self._below_group(group) for ref in one.refs)]

    def _below_group(self, group: str) -> AbstractSet[str]:
        return {below for choice in self._menu.option_groups[group].choices.values() for below in choice.options}

    def _kept_beside(self, moved: Sequence[DraftOption]) -> list[DraftOption]:
        """Return the options of the line before that the parser replaced by options that belong elsewhere."""
        groups = {option.group for option in moved if option.group in self._places}
        return [option for option in self._known if option.group in groups and option not in self._line.options]

    def _put_in_group(self, option: DraftOption, groups: Sequence[str], refs: Iterable[ChoiceRef]) -> None:
        """Put an option below the choice in a group that was named beside it, or below all choices that offer it, as open.

        `refs`: what its words may mean.
        """
        for group in groups:
            node = next((node for node in self._roots if node.option.group == group and node.option.amount != "no"), None)
            choices = self._menu.option_groups[group].choices
            chosen = node.option.choices if node is not None else ()
            for ref in refs:
                real = self._real(ref.group)
                offering = tuple([choice_id for choice_id, choice in choices.items() if real in choice.options])
                if not offering or (chosen and set(offering).isdisjoint(chosen)):
                    continue
                if node is None:
                    default = self._menu.option_groups[group].default
                    node = _Node(DraftOption(group, (default,) if default in offering else offering))
                    self._roots.append(node)
                if self._menu.option_groups[real].select == "one":
                    node.below = [below for below in node.below if below.option.group != real]
                node.below.append(_Node(option._replace(group=real, choices=(ref.choice,))))
                return

    def _add_missing(self) -> None:
        """Add the choices beside whose words another choice stands, or a group, which took the same place in the flat menu."""
        for one in self._spoken:
            refs = {self._real(ref.group): ref for ref in sorted(one.refs, reverse=True)}
            meant = {(self._real(ref.group), ref.choice) for ref in one.beside}
            parents = [node for node in self._nodes() if any((node.option.group, choice) in meant for choice in node.option.choices)]
            for node in parents[:1]:
                groups = [group for group in refs if self._offers(node, group)]
                if groups and not any(below.option.group in groups for below in node.below):
                    node.below.append(_Node(DraftOption(groups[0], (refs[groups[0]].choice,))))
            if not one.beside:
                named = [group for group in one.groups if group in self._menu.items[self._line.items[0]].options]
                nodes = [node for node in self._roots if node.option.group in named[:1]]
                has_choice = any(
                    below.option.group in refs and refs[below.option.group].choice in below.option.choices
                    for node in nodes
                    for below in node.below
                )
                if named and not has_choice:
                    self._put_in_group(DraftOption("", ()), named, refs.values())

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

    def _named_near(self, option: DraftOption, named: DraftOption) -> tuple[_Node | None, DraftOption]:
        """Return the choice beside an option, or the nearest one that was named before it; `named`: the option in its group.

        Where that choice has another group in which the words of the option name a choice, the option is of that group.
        """
        parent = self._beside(option)
        if parent is not None:
            return parent, named
        said = self._said(option)
        near = [(one.beside, one.refs) for one in said] + [(names, one.refs) for one in said for names in one.before]
        for names, refs in near:
            choices = {named.group: named.choices}
            for ref in sorted(refs):
                choices.setdefault(self._real(ref.group), (ref.choice,))
            for group, chosen in choices.items():
                parent = self._first_of([names], group)
                if parent is not None:
                    return parent, named._replace(group=group, choices=chosen)
        return None, named

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
        """Add the unspoken choices above a place: the default, or the only choice with the group; of several such choices, an open one."""
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
