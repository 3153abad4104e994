"""Arcs for figures that name an item or a choice: the code of an item on a printed menu, the level of an option in percent."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from voice.menus.menu import Menu
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.language_packs import LanguagePack
from voice.orders.numbers import Number
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.model import Features, Model
from voice.orders.parser.name_phrases import LIST_NUMBER
from voice.orders.parser.roles import Role

LETTERED: Final = re.compile(r"\b([A-Za-z]\d{1,3})\b")  # a code within a name: "Combo C5"
PERCENTAGE: Final = re.compile(r"(\d{1,3})\s?%")
MAX_LEVEL: Final = 100
# A bare figure is more often a quantity than a name, so it costs as much as a name of which few words were said.
BARE: Final = {
    Role.ITEM: (("name.partial", 1.0), ("name.item.partial", 1.0), ("name.lack", 0.8), ("name.item.lack", 0.8)),
    Role.OPTION: (("name.partial", 1.0), ("name.option.partial", 1.0), ("name.lack", 0.6), ("name.option.lack", 0.6)),
}


class FigureIndex:
    """The items of a menu by their codes, and the choices by their percentages."""

    def __init__(self, menu: Menu, packs: Sequence[LanguagePack], model: Model) -> None:
        self._model = model
        self._labels = {label for pack in packs for label in pack.spans.figure_labels}
        signs = {"%", *[pack.speech.symbols["%"] for pack in packs]}
        self._percent = {words.phrase(spelt) for sign in signs for spelt in (sign, words.fold(sign))}
        self._items = _coded(menu)
        self._choices = _levels(menu)

    def arcs_at(self, surfaces: Sequence[str], numbers: Sequence[Number | None], start: int) -> tuple[list[Arc], int]:
        """Return the arcs that begin at a token, and the number of tokens that were looked at."""
        arcs, reach = [*self._code_arcs(surfaces, numbers, start)], 1
        number = numbers[start]
        if number is not None and not number.article:
            reach = number.end - start + max(map(len, self._percent))
            arcs += self._level_arcs(surfaces, number, start)
        behind = numbers[start + 1] if start + 1 < len(surfaces) else None
        return arcs, max(reach, 2 if behind is None else behind.end - start + 1)

    def _code_arcs(self, surfaces: Sequence[str], numbers: Sequence[Number | None], start: int) -> Iterator[Arc]:
        """Yield an arc to the item with a code: "number 20", "C5", or "20" alone."""
        number = numbers[start]
        if number is not None and not number.article:
            yield from self._arc(Role.ITEM, self._items.get(("", number.value)), number.end - start, is_bare=True)
        behind = numbers[start + 1] if start + 1 < len(surfaces) else None
        if behind is not None and not behind.article:
            length, letter = behind.end - start, surfaces[start]
            yield from self._arc(Role.ITEM, self._items.get((letter, behind.value)), length, is_bare=False)
            if letter in self._labels:
                yield from self._arc(Role.ITEM, self._items.get(("", behind.value)), length, is_bare=False)

    def _level_arcs(self, surfaces: Sequence[str], number: Number, start: int) -> Iterator[Arc]:
        """Yield an arc to the choices with a percentage: "thirty percent", or "thirty" alone."""
        refs = self._choices.get(number.value)
        length = number.end - start
        yield from self._arc(Role.OPTION, refs, length, is_bare=True)
        for sign in self._percent:
            if tuple(surfaces[number.end : number.end + len(sign)]) == sign:
                yield from self._arc(Role.OPTION, refs, length + len(sign), is_bare=False)

    def _arc(self, role: Role, value: Sequence[object] | None, length: int, *, is_bare: bool) -> Iterator[Arc]:
        if value:
            kind = role.name.lower()
            features: Features = ((f"name.{kind}", 1.0), (f"name.{kind}.figures", 1.0))
            more: Features = (*BARE[role], (f"name.{kind}.figures.bare", 1.0)) if is_bare else ()
            yield Arc.scored(self._model, length, role, tuple(value), (*features, *more), is_partial=is_bare)


def _coded(menu: Menu) -> dict[tuple[str, int], tuple[str, ...]]:
    """Return the items by the letter and the number of their codes; codes of several items are none."""
    found: dict[tuple[str, int], dict[str, None]] = defaultdict(dict)
    for item_id, item in menu.items.items():
        for name in spoken_names(item):
            listed = LIST_NUMBER.match(name)
            for code in [*LETTERED.findall(name), *([listed[1]] if listed is not None else [])]:
                letter = "" if code[0].isdecimal() else code[0].lower()
                found[letter, int(code[len(letter) :])][item_id] = None
    return {code: tuple(items) for code, items in found.items() if len(items) == 1}


def _levels(menu: Menu) -> dict[int, tuple[ChoiceRef, ...]]:
    """Return the choices by their percentages, of the groups in which several have one."""
    found: dict[int, dict[ChoiceRef, None]] = defaultdict(dict)
    for group_id, group in menu.option_groups.items():
        levels = {
            choice_id: {int(level) for name in spoken_names(choice) for level in PERCENTAGE.findall(name)}
            for choice_id, choice in group.choices.items()
        }
        if sum(map(bool, levels.values())) > 1:
            for choice_id, values in levels.items():
                for value in values:
                    if value <= MAX_LEVEL:
                        found[value][ChoiceRef(group_id, choice_id)] = None
    return {value: tuple(refs) for value, refs in found.items()}
