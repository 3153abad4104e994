"""Combos that cost less than their parts, which the customer ordered one by one: find them, and put one in the place of its parts.

The parts of a combo are the items that its groups have as choices, and the item that it is named after ("Burger combo").
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final, NamedTuple

from voice.dialog.availability import Absent
from voice.dialog.lines import priced_options
from voice.dialog.requirements import exceeds_limits, open_groups, unmet_groups
from voice.dialog.settling import MAX_QUANTITY
from voice.dialog.state import PendingEdit, Question, QuestionKind
from voice.menus.menu import Menu
from voice.menus.names import all_names, spoken_names
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.parser.draft import ChoiceRef, Draft, DraftLine, DraftOption
from voice.orders.pricing import Pricing

MIN_PARTS: Final = 2  # fewer are no combo


class Part(NamedTuple):
    """A place in a combo. `group`: None for the item that the combo is named after. `choices`: by item, "" without a group."""

    group: str | None
    choices: Mapping[str, str]
    n_units: int = 1
    is_needed: bool = True


class Deal(NamedTuple):
    """A combo instead of some units of lines; `uses`: the units of one combo, by line."""

    line: DraftLine
    uses: Mapping[int, int]
    saving: int


class Combos:
    """The combos of one menu."""

    def __init__(self, menu: Menu, pricing: Pricing) -> None:
        """Find the items that are combos."""
        self._menu = menu
        self._pricing = pricing
        self._parts = _parts_of_combos(menu)

    def offer(self, lines: Draft, absent: Absent, excluded: AbstractSet[str], kept: AbstractSet[int]) -> Question | None:
        """Return the offer of the combo that saves most; None if no combo costs less than its parts.

        `excluded`: combos that are not offered. `kept`: lines that stay as they are.
        """
        ordered = {line.items[0] for number, line in enumerate(lines) if number not in kept}
        best: Deal | None = None
        for item, parts in self._parts.items():
            if item in excluded or item in absent.items or any(part.is_needed and not part.choices.keys() & ordered for part in parts):
                continue
            deal = self._deal(item, parts, lines, absent, kept)
            if deal is not None and deal.saving > (best.saving if best is not None else 0):
                best = deal
        if best is None:
            return None
        numbers = tuple(sorted(best.uses))
        several = numbers if len(numbers) > 1 else ()
        return Question(QuestionKind.OFFER, numbers[0], None, best.line.items, several, PendingEdit("add", best.line))

    def valid(self, questions: Sequence[Question], lines: Draft, absent: Absent) -> list[Question]:
        """Return the questions without offers of combos that the lines no longer make; an offer of another item replaces no line."""
        kept = []
        for question in questions:
            pending = question.pending
            if not question.replaces_lines or pending is None:
                kept.append(question)
            elif question.choices[:1] != pending.line.items or pending.line.items[0] not in self._parts:
                kept.append(replace(question, line=None, lines=()))
            elif self._is_made_of(question, pending.line, lines, absent):
                kept.append(question)
        return kept

    def _is_made_of(self, offer: Question, combo: DraftLine, lines: Draft, absent: Absent) -> bool:
        numbers = {*(offer.lines or (offer.line,))}
        others = frozenset(range(len(lines))) - numbers
        deal = self._deal(combo.items[0], self._parts[combo.items[0]], lines, absent, others)
        return deal is not None and deal.uses.keys() == numbers and deal.line == combo

    def _price(self, line: DraftLine) -> int:
        return self._pricing.unit_price(line.items[0], priced_options(self._pricing, line.options))

    def _deal(self, item: str, parts: Sequence[Part], lines: Draft, absent: Absent, kept: AbstractSet[int]) -> Deal | None:
        """Return as many of a combo as the lines make."""
        left = {number: line.quantity for number, line in enumerate(lines) if number not in kept}
        uses: dict[int, int] = {}
        options: list[DraftOption] = []
        for part in parts:
            for _ in range(part.n_units):
                number = self._unit(item, part, lines, left, absent)
                if number is not None:
                    left[number] -= 1
                    uses[number] = uses.get(number, 0) + 1
                    options = _with_part(options, part, lines[number])
                elif part.is_needed:
                    return None
        if sum(uses.values()) < MIN_PARTS:
            return None
        n_combos = min([lines[number].quantity // n_units for number, n_units in uses.items()])
        combo = DraftLine((item,), min(n_combos, MAX_QUANTITY), tuple(options))
        if any(unmet_groups(self._menu, combo)) or any(open_groups(self._menu, combo)) or exceeds_limits(self._menu, combo):
            return None
        separate = sum([self._price(lines[number]) * n_units for number, n_units in uses.items()])
        return Deal(combo, uses, (separate - self._price(combo)) * combo.quantity)

    def _unit(self, item: str, part: Part, lines: Draft, left: Mapping[int, int], absent: Absent) -> int | None:
        """Return the line of which a unit saves most as a part, with all its options; None if no line fits."""
        best, most = None, 0
        for number, n_units in left.items():
            line = lines[number]
            choice = part.choices.get(line.items[0])
            if not n_units or choice is None or not self._fits(item, part, choice, line):
                continue
            if part.group is None:
                saving = self._price(line)
            elif ChoiceRef(part.group, choice) in absent.choices:
                continue
            else:
                saving = self._price(line) - self._menu.option_groups[part.group].choices[choice].price
            if best is None or saving > most:
                best, most = number, saving
        return best

    def _fits(self, item: str, part: Part, choice: str, line: DraftLine) -> bool:
        """Return whether a combo offers the options of a line that becomes one of its parts."""
        if part.group is not None:
            offered = {*self._menu.option_groups[part.group].choices[choice].options}
        else:
            offered = {*self._menu.items[item].options} - {other.group for other in self._parts[item]}
        return all(option.group in offered for option in line.options)


def uses_of(menu: Menu, offer: Question, lines: Sequence[DraftLine]) -> dict[int, int]:
    """Return the units of each line that one of an offered combo replaces."""
    numbers = [number for number in offer.lines or (offer.line,) if number is not None and number < len(lines)]
    uses: dict[int, int] = {}
    for option in offer.pending.line.options if offer.pending is not None else ():
        part = menu.option_groups[option.group].choices[option.choices[0]].item if len(option.choices) == 1 else None
        same = [number for number in numbers if lines[number].items[0] == part]
        same.sort(key=lambda number: lines[number].options != option.options)
        if same:
            uses[same[0]] = uses.get(same[0], 0) + option.quantity
    return {number: uses.get(number, 1) for number in numbers}


def replace_parts(menu: Menu, offer: Question, draft: list[DraftLine], n_combos: int) -> None:
    """Take the parts of accepted combos off the draft."""
    for number, n_units in uses_of(menu, offer, draft).items():
        line = draft[number]
        draft[number] = line._replace(quantity=max(0, line.quantity - n_units * n_combos))


def namesakes(menu: Menu) -> dict[str, AbstractSet[str]]:
    """Return the items that combos are named after, by combo."""
    parts = {item: [part for part in of_combo if part.group is None] for item, of_combo in _parts_of_combos(menu).items()}
    return {item: named[0].choices.keys() for item, named in parts.items() if named}


def main_choices(menu: Menu) -> dict[str, Mapping[str, ChoiceRef]]:
    """Return the items that are choices of the first such group of a combo, by combo."""
    found: dict[str, Mapping[str, ChoiceRef]] = {}
    for combo, parts in _parts_of_combos(menu).items():
        group, choices = next((part.group, part.choices) for part in parts if part.group is not None)
        found[combo] = {item: ChoiceRef(group, choice) for item, choice in choices.items()}
    return found


def _with_part(options: Sequence[DraftOption], part: Part, line: DraftLine) -> list[DraftOption]:
    """Return the options of a combo with a part; an equal one gets another portion."""
    if part.group is None:
        return [*options, *line.options]
    new = DraftOption(part.group, (part.choices[line.items[0]],), options=line.options)
    for at, option in enumerate(options):
        if option._replace(quantity=1) == new:
            return [*options[:at], option._replace(quantity=option.quantity + 1), *options[at + 1 :]]
    return [*options, new]


def _parts_of_combos(menu: Menu) -> dict[str, list[Part]]:
    """Return the parts of each combo of a menu."""
    found: dict[str, list[Part]] = {}
    named: Mapping[tuple[str, ...], list[str]] | None = None
    for item in menu.items:
        parts = list(_parts_of_groups(menu, item))
        if parts and named is None:
            named = _items_by_name(menu)
        if parts and named is not None:
            found[item] = [*_namesakes(menu, item, named), *parts]
    return {item: parts for item, parts in found.items() if any(part.is_needed for part in parts)}


def _parts_of_groups(menu: Menu, item: str) -> Iterator[Part]:
    for group_id in dict.fromkeys(menu.items[item].options):
        group = menu.option_groups[group_id]
        choices = {choice.item: choice_id for choice_id, choice in reversed(group.choices.items()) if choice.item is not None}
        if choices:
            yield Part(group_id, choices, max(1, group.min_choices), bool(group.min_choices) or group.default is not None)


def _items_by_name(menu: Menu) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for item_id, item in menu.items.items():
        for name in spoken_names(item):
            found.setdefault(_folded(name), []).append(item_id)
    return found


def _namesakes(menu: Menu, combo: str, named: Mapping[tuple[str, ...], list[str]]) -> Iterator[Part]:
    """Yield the part that a combo is named after: its name without the words for a combo."""
    generic = {_folded(word) for pack in language_packs().values() for word in pack.combos}
    items: dict[str, str] = {}
    for name in all_names(menu.items[combo].name):
        words_of_name = _folded(name)
        rest = tuple([word for word in words_of_name if (word,) not in generic])
        if rest and rest != words_of_name:
            items.update(dict.fromkeys([item for item in named.get(rest, []) if item != combo], ""))
    if items:
        yield Part(None, items)


def _folded(name: str) -> tuple[str, ...]:
    return tuple([words.fold(word) for word in words.phrase(name)])
