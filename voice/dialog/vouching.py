"""What a menu vouches for: which diets an item fits, and which allergens it is free of."""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas import Choice, Item, Menu
from voice.orders.parser.draft import DraftOption

# Diets whose food has none of an allergen, besides the diet that is called after it.
FREE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "crustacean": ("shellfish-free", "vegan", "vegetarian"),
    "egg": ("vegan",),
    "fish": ("vegan", "vegetarian"),
    "milk": ("dairy-free", "vegan"),
    "mollusc": ("shellfish-free", "vegan", "vegetarian"),
    "peanut": ("nut-free",),
    "tree-nut": ("nut-free",),
}


def diets_without(allergen: str) -> frozenset[str]:
    """Return the diets whose food has none of an allergen."""
    return frozenset({f"{allergen}-free", *FREE_OF.get(allergen, ())})


def parts_of(menu: Menu, item_id: str, options: Iterable[DraftOption] = ()) -> list[Item | Choice]:
    """Return an item and the choices on it, those by default included; a group that says nothing about diets is left out."""
    chosen: dict[str, list[str]] = {}
    for option in options:
        if option.amount != "no" and len(option.choices) == 1:
            chosen.setdefault(option.group, []).append(option.choices[0])
    parts: list[Item | Choice] = [menu.items[item_id]]
    ahead = [*menu.items[item_id].options]
    for group_id in ahead:
        group = menu.option_groups[group_id]
        for choice_id in chosen.get(group_id) or ([] if group.default is None else [group.default]):
            choice = group.choices[choice_id]
            ahead += [below for below in getattr(choice, "options", ()) if below not in ahead]
            if getattr(group, "diet", True):
                parts.append(choice)
    return parts


def vouches(parts: Iterable[Item | Choice], value: str, *, is_allergen: bool) -> bool:
    """Return whether all parts fit a diet, or are free of an allergen."""
    diets = diets_without(value) if is_allergen else frozenset({value})
    return all(not diets.isdisjoint(getattr(part, "diet", ())) for part in parts)


def contained(parts: Iterable[Item | Choice], value: str, allergens: Iterable[str], *, is_allergen: bool) -> list[str]:
    """Return the allergens of the parts that deny a diet, or the absence of an allergen; `allergens`: all there are."""
    denying = {value} if is_allergen else {allergen for allergen in allergens if value in diets_without(allergen)}
    found = {allergen for part in parts for allergen in getattr(part, "contains", ())}
    return [allergen for allergen in allergens if allergen in denying & found]
