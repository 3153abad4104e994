"""What the menu says about a line and a diet or an allergen: only `diet` vouches, only `contains` denies, all else is unknown."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Final, get_args

from schemas import Option
from voice.menus.menu import Allergen, Choice, Diet, Item, Menu

ALLERGENS: Final[tuple[str, ...]] = get_args(Allergen)
DIETS: Final[tuple[str, ...]] = get_args(Diet)
SHELLFISH: Final = ("crustacean", "mollusc")
NUTS: Final = ("peanut", "tree-nut")
# Allergens whose presence denies a diet; besides, each allergen denies the diet that is free of it.
DENIED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "vegan": ("egg", "fish", "milk", *SHELLFISH),
    "vegetarian": ("fish", *SHELLFISH),
    "dairy-free": ("milk",),
    "nut-free": NUTS,
    "shellfish-free": SHELLFISH,
    "buddhist": ("fish", *SHELLFISH),
    "jain": ("egg", "fish", *SHELLFISH),
    "kosher": SHELLFISH,
}
# Diets that vouch for another one. "vegan" vouches for no allergen: traces are not declared by it.
VOUCHED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "vegetarian": ("vegan",),
    "pescatarian": ("vegan", "vegetarian"),
    "milk-free": ("dairy-free",),
}
# The diets that vouch that an allergen is absent, besides the one that is free of it.
FREE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "milk": ("dairy-free",),
    "crustacean": ("shellfish-free",),
    "mollusc": ("shellfish-free",),
    "peanut": ("nut-free",),
    "tree-nut": ("nut-free",),
}


class Verdict(Enum):
    """What the menu says."""

    VOUCHED = auto()
    DENIED = auto()
    UNKNOWN = auto()


def verdict_on(menu: Menu, item_id: str, options: Sequence[Option], wanted: str) -> Verdict:
    """Return whether a line fits a diet, or is free of an allergen; `wanted`: one of DIETS or ALLERGENS.

    The line is denied if its item or any choice on it, unspoken defaults and open choices included, contains what the diet excludes. It
    is vouched for if its item and all these choices list the diet; those of groups with `diet: false` need not.
    """
    denying, vouching = denied_by(wanted), vouched_by(wanted)
    parts = [*_parts(menu, item_id, options)]
    if any(not denying.isdisjoint(part.contains) for part, _ in parts):
        return Verdict.DENIED
    if all(not (counts and vouching.isdisjoint(part.diet)) for part, counts in parts):
        return Verdict.VOUCHED
    return Verdict.UNKNOWN


def allergens_in(menu: Menu, item_id: str, options: Sequence[Option]) -> list[str]:
    """Return the allergens that the menu declares for a line, in the order of the format."""
    declared = {allergen for part, _ in _parts(menu, item_id, options) for allergen in part.contains}
    return [allergen for allergen in ALLERGENS if allergen in declared]


def denied_by(wanted: str) -> frozenset[str]:
    """Return the allergens that deny a diet or the absence of an allergen."""
    absent = wanted if wanted in ALLERGENS else wanted.removesuffix("-free")
    return frozenset({*DENIED_BY.get(wanted, ()), *([absent] if absent in ALLERGENS else [])})


def vouched_by(wanted: str) -> frozenset[str]:
    """Return the diets that vouch for a diet or for the absence of an allergen."""
    if wanted in ALLERGENS:
        return frozenset({f"{wanted}-free", *FREE_OF.get(wanted, ())})
    return frozenset({wanted, *VOUCHED_BY.get(wanted, ())})


def _parts(menu: Menu, item_id: str, options: Sequence[Option]) -> Iterator[tuple[Item | Choice, bool]]:
    """Yield the item and the choices of a line, each with whether it counts for diets."""
    item = menu.items[item_id]
    yield item, True
    yield from _choices(menu, item.options, options)


def _choices(menu: Menu, groups: Sequence[str], options: Sequence[Option]) -> Iterator[tuple[Choice, bool]]:
    spoken = [option for option in options if option["amount"] != "no"]
    for option in spoken:
        group = menu.option_groups[option["group"]]
        for choice_id in [option["choice"]] if option["choice"] is not None else option.get("alternatives", []):
            choice = group.choices[choice_id]
            yield choice, group.diet
            yield from _choices(menu, choice.options, option.get("options", []))
    for group_id in set(groups).difference([option["group"] for option in spoken]):
        group = menu.option_groups[group_id]
        if group.default is not None:
            choice = group.choices[group.default]
            yield choice, group.diet
            yield from _choices(menu, choice.options, [])
