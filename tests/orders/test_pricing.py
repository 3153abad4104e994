"""Prices of options and lines."""

import pytest

from voice.menus.menu import Menu
from voice.orders.pricing import Pricing

MENU = Menu.model_validate(
    {
        "id": "cafe",
        "name": "Café",
        "currency": "USD",
        "option_groups": {
            "size": {
                "name": "Size",
                "select": "one",
                "default": "m",
                "choices": {"s": {"name": "Small", "price": 0}, "m": {"name": "Medium", "price": 50}, "l": {"name": "Large", "price": 90}},
            },
            "extras": {
                "name": "Extras",
                "select": "many",
                "choices": {"shot": {"name": "Shot", "price": 75}, "oat": {"name": "Oat milk", "price": 60}},
            },
        },
        "items": {
            "latte": {"name": "Latte", "price": 400, "options": ["size", "extras"]},
            "muffin": {"name": "Muffin", "price": 250},
        },
    }
)
PRICING = Pricing(MENU)


def option(group, choice, amount=None, quantity=1):
    return PRICING.option(group, [choice], amount, quantity)


def test_an_option_costs_its_choice_for_each_portion():
    assert option("extras", "shot", quantity=2) == {
        "group": "extras",
        "choice": "shot",
        "name": "Shot",
        "amount": None,
        "quantity": 2,
        "price": 150,
    }


@pytest.mark.parametrize(("amount", "price"), [("no", 0), ("light", 75), ("extra", 75), ("regular", 75)])
def test_only_the_amount_no_is_free(amount, price):
    assert option("extras", "shot", amount)["price"] == price


def test_an_open_option_lists_its_alternatives_and_costs_nothing():
    found = PRICING.option("extras", ["shot", "oat"], None, 1)
    assert (found["choice"], found["alternatives"], found["name"], found["price"]) == (None, ["shot", "oat"], "Shot / Oat milk", 0)


def test_a_unit_costs_the_item_its_options_and_the_default_of_a_group_without_one():
    assert PRICING.unit_price("latte", []) == 400 + 50
    assert PRICING.unit_price("latte", [option("extras", "shot")]) == 400 + 50 + 75
    assert PRICING.unit_price("muffin", []) == 250


def test_an_option_replaces_the_default_of_its_group():
    assert PRICING.unit_price("latte", [option("size", "s")]) == 400
    assert PRICING.unit_price("latte", [option("size", "l")]) == 400 + 90


def test_a_default_is_priced_where_another_choice_of_its_group_is_left_out():
    assert PRICING.unit_price("latte", [option("size", "l", "no")]) == 400 + 50


def test_a_line_costs_its_quantity_of_units():
    options = [option("size", "l"), option("extras", "oat")]
    assert PRICING.line("latte", 3, options) == {
        "item": "latte",
        "name": "Latte",
        "quantity": 3,
        "options": options,
        "unit_price": 550,
        "total": 1650,
        "confidence": None,
        "span": None,
    }


def test_the_confidence_of_a_line_is_rounded_to_three_places():
    line = PRICING.line("muffin", 1, [], confidence=0.98765, span=(2, 8))
    assert (line["confidence"], line["span"]) == (0.988, (2, 8))
