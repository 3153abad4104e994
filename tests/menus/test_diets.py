"""What the menu says about diets and allergens."""

from typing import Any

import pytest

from schemas import Option
from voice.menus.diets import ALLERGENS, DIETS, Verdict, allergens_in, denied_by, verdict_on, vouched_by
from voice.menus.menu import Menu
from voice.orders.pricing import Pricing

NAMED = {"name": "N"}
MENU = Menu.model_validate(
    {
        "id": "cafe",
        "name": "Café",
        "currency": "USD",
        "option_groups": {
            "size": {**NAMED, "diet": False, "choices": {"s": NAMED, "l": NAMED}},
            "milk": {
                **NAMED,
                "default": "cow",
                "choices": {
                    "cow": {**NAMED, "contains": ["milk"], "diet": ["vegetarian", "nut-free"]},
                    "oat": {**NAMED, "diet": ["vegan", "dairy-free"]},
                    "almond": {**NAMED, "contains": ["tree-nut"], "diet": ["vegan", "dairy-free"]},
                },
            },
            "syrup": {**NAMED, "select": "many", "choices": {"vanilla": NAMED, "pure": {**NAMED, "diet": ["vegan", "nut-free"]}}},
            "side": {**NAMED, "default": "coffee", "choices": {"coffee": {**NAMED, "options": ["milk"], "diet": ["vegan"]}}},
            "drink": {**NAMED, "choices": {"latte": {"item": "latte"}}},
        },
        "items": {
            "latte": {**NAMED, "price": 1, "options": ["size", "milk", "syrup"], "diet": ["vegan", "dairy-free", "nut-free"]},
            "set": {**NAMED, "price": 1, "options": ["drink"], "diet": ["vegan"]},
            "breakfast": {**NAMED, "price": 1, "options": ["side"], "diet": ["vegan"]},
            "cake": {**NAMED, "price": 1, "contains": ["egg", "gluten"]},
        },
    }
)
VOUCHED, DENIED, UNKNOWN = Verdict.VOUCHED, Verdict.DENIED, Verdict.UNKNOWN


def option(group: str, *choices: str, nested: tuple[Option, ...] = (), amount: Any = None) -> Option:
    return Pricing(MENU).option(group, choices, amount, 1, nested)


def verdict(wanted: str, item: str, *options: Option) -> Verdict:
    return verdict_on(MENU, item, options, wanted)


def test_an_unspoken_default_may_deny_what_the_item_vouches_for():
    assert verdict("vegan", "latte") is DENIED
    assert verdict("dairy-free", "latte") is DENIED
    assert verdict("nut-free", "latte") is VOUCHED


def test_a_line_is_vouched_for_by_its_item_and_every_choice_on_it():
    assert verdict("vegan", "latte", option("milk", "oat")) is VOUCHED
    assert verdict("vegan", "latte", option("milk", "oat"), option("syrup", "pure")) is VOUCHED
    assert verdict("vegan", "latte", option("milk", "oat"), option("syrup", "vanilla")) is UNKNOWN
    assert verdict("vegan", "cake") is DENIED
    assert verdict("halal", "cake") is UNKNOWN


def test_a_choice_of_a_group_that_counts_for_no_diet_needs_none():
    assert verdict("vegan", "latte", option("size", "l"), option("milk", "oat")) is VOUCHED


def test_what_is_left_out_counts_for_nothing():
    assert verdict("vegan", "latte", option("milk", "oat"), option("syrup", "vanilla", amount="no")) is VOUCHED
    assert verdict("vegan", "latte", option("milk", "cow", amount="no")) is DENIED, "the default stays"


def test_an_open_choice_must_fit_in_each_case():
    assert verdict("vegan", "latte", option("milk", "oat", "almond")) is VOUCHED
    assert verdict("nut-free", "latte", option("milk", "cow", "almond")) is DENIED
    assert verdict("nut-free", "latte", option("milk", "cow", "oat")) is UNKNOWN


def test_nested_choices_and_their_defaults_count():
    oat = option("drink", "latte", nested=(option("milk", "oat"),))
    assert verdict("vegan", "set", oat) is VOUCHED
    assert verdict("vegan", "set", option("drink", "latte")) is DENIED
    assert verdict("vegan", "breakfast") is DENIED


@pytest.mark.parametrize(
    ("allergen", "options", "expected"),
    [
        ("milk", ("oat",), VOUCHED),
        ("milk", (), DENIED),
        ("tree-nut", ("almond",), DENIED),
        ("peanut", (), VOUCHED),
        ("egg", ("oat",), UNKNOWN),
    ],
)
def test_the_absence_of_an_allergen_is_vouched_for_by_the_diet_free_of_it_alone(allergen, options, expected):
    assert verdict(allergen, "latte", *(option("milk", choice) for choice in options)) is expected


def test_vegan_vouches_for_vegetarian_but_for_no_allergen():
    assert verdict("vegetarian", "latte", option("milk", "oat")) is VOUCHED
    assert "vegan" not in vouched_by("milk") | vouched_by("egg") | vouched_by("dairy-free")


def test_each_allergen_denies_the_diet_free_of_it():
    assert all(allergen in denied_by(f"{allergen}-free") for allergen in ALLERGENS)
    assert denied_by("nut-free") == {"peanut", "tree-nut"}
    assert all(f"{allergen}-free" in DIETS or allergen in {"gluten", "milk"} for allergen in ALLERGENS)


def test_the_declared_allergens_of_a_line_are_those_of_all_its_parts():
    assert allergens_in(MENU, "latte", [option("milk", "cow", "almond")]) == ["milk", "tree-nut"]
    assert allergens_in(MENU, "set", [option("drink", "latte")]) == ["milk"]
    assert allergens_in(MENU, "cake", []) == ["egg", "gluten"]
