"""Doubts about a menu without faults: what is valid, and probably meant otherwise. Doubts about names are in `voice.evaluation.names`."""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

from voice.menus.menu import Menu
from voice.menus.money import exponent_of, minor_unit_of
from voice.menus.validation import Place

# A slipped digit or decimal point makes a price ten times as high or low. Within a category prices differ less than on a whole menu.
MAX_RATIO_IN_CATEGORY: Final = 9.0
MAX_RATIO: Final = 30.0
MAX_CHOICE_RATIO: Final = 4  # of a choice to the dearest item: a crate of beer costs more than a dish
MIN_PRICES: Final = 4  # of which the middle tells what is usual
# A usual price below this, in minor units, is probably in major units, or in thousands of a currency without minor units.
LEAST_USUAL: Final = {0: 1_000, 2: 100, 3: 100}
LEAST_USUAL_OF: Final = {"JPY": 50, "XPF": 50, "ISK": 100, "UYU": 100}


class Doubt(NamedTuple):
    """What is probably meant otherwise, and where."""

    place: Place
    message: str
    is_note: bool = False  # merchants do it on purpose more often than not


def doubts(menu: Menu) -> Iterator[Doubt]:
    """Yield the doubts about the structure and the prices of a menu."""
    yield from _unoffered(menu)
    yield from _pointless_questions(menu)
    yield from _defaults(menu)
    yield from _times(menu)
    yield from _prices(menu)


def _unoffered(menu: Menu) -> Iterator[Doubt]:
    """Yield option groups that no item leads to."""
    reached: set[str] = set()
    ahead = {group for item in menu.items.values() for group in item.options}
    while ahead:
        reached |= ahead
        ahead = {below for group in ahead for choice in menu.option_groups[group].choices.values() for below in choice.options} - reached
    for group_id in menu.option_groups.keys() - reached:
        yield Doubt(("option_groups", group_id), "nothing offers this group: name it in the `options` of an item, or remove it")


def _pointless_questions(menu: Menu) -> Iterator[Doubt]:
    for group_id, group in menu.option_groups.items():
        place = ("option_groups", group_id)
        if not group.choices:
            yield Doubt(place, "the group has no choices")
        elif group.min_choices and len(group.choices) == 1:
            yield Doubt(place, "required, with one choice: make it the `default`, or it is asked about each time")
        elif group.min_choices and not any(choice.available for choice in group.choices.values()):
            yield Doubt(place, "required, and every choice is sold out: no item with this group can be ordered")
        if len(group.choices) > 1 and group.max_choices is not None and group.max_choices > 1 and group.max_each == group.max_choices == 1:
            yield Doubt(place, "max 1 and max_each 1 say the same")


def _defaults(menu: Menu) -> Iterator[Doubt]:
    for group_id, group in menu.option_groups.items():
        if group.default is not None and not group.choices[group.default].available:
            yield Doubt(
                ("option_groups", group_id, "default"), f"the default {group.default} is sold out: it is still priced when nobody speaks"
            )


def _times(menu: Menu) -> Iterator[Doubt]:
    used = {name for item in menu.items.values() for name in item.when}
    for name in menu.times.keys() - used:
        yield Doubt(("times", name), "no item is served at this time: name it in the `when` of an item")


def _prices(menu: Menu) -> Iterator[Doubt]:
    prices = [item.price for item in menu.items.values() if item.price > 0]
    if len(prices) >= MIN_PRICES:
        usual = median(prices)
        least = LEAST_USUAL_OF.get(menu.currency, LEAST_USUAL[exponent_of(menu.currency)])
        if usual < least:
            yield Doubt(("items",), f"prices of {usual:g} are usual here; they are read as {minor_unit_of(menu.currency)}")
            return
    by_category: dict[str | None, list[int]] = {}
    for item in menu.items.values():
        by_category.setdefault(str(item.category) if item.category else None, []).append(item.price)
    for item_id, item in menu.items.items():
        category = by_category[str(item.category) if item.category else None]
        others = list(category)
        others.remove(item.price)
        limit = MAX_RATIO_IN_CATEGORY if item.category else MAX_RATIO
        if len(others) + 1 < MIN_PRICES:
            others, limit = list(prices), MAX_RATIO
        yield from _far(("items", item_id, "price"), item.price, [price for price in others if price > 0], limit)
    if prices:
        yield from _choices(menu, max(prices))


def _far(place: Place, price: int, others: Sequence[int], limit: float) -> Iterator[Doubt]:
    if price == 0:
        yield Doubt(place, "costs nothing")
    elif len(others) + 1 >= MIN_PRICES:
        usual = median(others)
        if abs(math.log(price / usual)) > math.log(limit):
            yield Doubt(place, f"{price} is far from the rest, of which {usual:g} is usual")


def _choices(menu: Menu, highest: int) -> Iterator[Doubt]:
    """Yield choices that cost far more than any item: prices of choices are added to the item's."""
    for group_id, group in menu.option_groups.items():
        for choice_id, choice in group.choices.items():
            if abs(choice.price) > MAX_CHOICE_RATIO * highest:
                message = f"{choice.price} is far more than any item costs; it is added to the price of the item"
                yield Doubt(("option_groups", group_id, "choices", choice_id, "price"), message)
