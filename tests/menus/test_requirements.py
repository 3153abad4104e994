"""What a line lacks, and the limits that it exceeds."""

from typing import Any

from schemas import Option
from voice.menus.menu import Menu
from voice.menus.requirements import ExceededLimit, OpenOption, UnmetGroup, exceeded_limits, open_options, unmet_groups
from voice.orders.pricing import Pricing

NAMED = {"name": "N"}
MENU = Menu.model_validate(
    {
        "id": "diner",
        "name": "Diner",
        "currency": "USD",
        "option_groups": {
            "size": {**NAMED, "required": True, "choices": {"s": NAMED, "l": NAMED}},
            "ice": {**NAMED, "required": True, "default": "some", "choices": {"some": NAMED, "none": NAMED}},
            "drink": {**NAMED, "required": True, "choices": {"coke": {**NAMED, "options": ["size", "ice"]}, "water": NAMED}},
            "dips": {**NAMED, "min": 2, "max": 4, "max_each": 2, "choices": {"mayo": NAMED, "aioli": NAMED}},
            "side": {**NAMED, "default": "fries", "choices": {"fries": {**NAMED, "options": ["size"]}, "none": NAMED}},
            "extras": {**NAMED, "select": "many", "choices": {"egg": NAMED}},
        },
        "items": {
            "combo": {**NAMED, "price": 1, "options": ["drink", "dips", "extras"]},
            "plate": {**NAMED, "price": 1, "options": ["side"]},
        },
    }
)


def option(group: str, *choices: str, nested: tuple[Option, ...] = (), quantity: int = 1, amount: Any = None) -> Option:
    return Pricing(MENU).option(group, choices, amount, quantity, nested)


def unmet(item: str, *options: Option) -> list[UnmetGroup]:
    return unmet_groups(MENU, item, options)


def exceeded(*options: Option) -> list[ExceededLimit]:
    return exceeded_limits(MENU, "combo", options)


COKE = (("drink", "coke"),)


def test_groups_with_a_minimum_are_unmet_until_so_many_portions_are_chosen():
    assert unmet("combo") == [UnmetGroup((), "drink", 0, 1), UnmetGroup((), "dips", 0, 2)]
    assert unmet("combo", option("drink", "water"), option("dips", "mayo")) == [UnmetGroup((), "dips", 1, 2)]
    assert unmet("combo", option("drink", "water"), option("dips", "mayo", quantity=2)) == []
    assert unmet("combo", option("drink", "water"), option("dips", "mayo"), option("dips", "aioli")) == []


def test_what_is_left_out_meets_no_minimum():
    assert unmet("combo", option("drink", "water", amount="no"), option("dips", "mayo", quantity=2)) == [UnmetGroup((), "drink", 0, 1)]


def test_an_open_option_meets_a_minimum_and_is_told_apart():
    which = option("drink", "coke", "water")
    assert unmet("combo", which, option("dips", "mayo", quantity=2)) == []
    assert open_options(MENU, "combo", [which, option("dips", "mayo", "aioli", amount="no")]) == [
        OpenOption((), "drink", ("coke", "water"))
    ]


def test_a_nested_group_is_unmet_below_its_choice_unless_it_has_a_default():
    dips = option("dips", "mayo", quantity=2)
    assert unmet("combo", option("drink", "coke"), dips) == [UnmetGroup(COKE, "size", 0, 1)]
    assert unmet("combo", option("drink", "coke", nested=(option("size", "l"),)), dips) == []
    assert open_options(MENU, "combo", [option("drink", "coke", nested=(option("size", "s", "l"),))]) == [
        OpenOption(COKE, "size", ("s", "l"))
    ]


def test_a_nested_group_of_an_unspoken_default_is_unmet():
    assert unmet("plate") == [UnmetGroup((("side", "fries"),), "size", 0, 1)]
    assert unmet("plate", option("side", "none")) == []


def test_more_portions_than_the_maximum_exceed_it():
    assert exceeded(option("drink", "water"), option("dips", "mayo", quantity=2), option("dips", "aioli", quantity=2)) == []
    assert exceeded(option("drink", "water", quantity=2)) == [ExceededLimit((), "drink", None, 2, 1)]
    assert exceeded(option("drink", "water"), option("drink", "coke")) == [ExceededLimit((), "drink", None, 2, 1)]
    assert exceeded(option("dips", "mayo", quantity=3)) == [ExceededLimit((), "dips", "mayo", 3, 2)]
    assert exceeded(option("dips", "mayo", quantity=2), option("dips", "aioli", quantity=2), option("dips", "mayo")) == [
        ExceededLimit((), "dips", None, 5, 4),
        ExceededLimit((), "dips", "mayo", 3, 2),
    ]
    assert exceeded(option("extras", "egg", quantity=99)) == []


def test_what_is_left_out_exceeds_no_limit():
    assert exceeded(option("drink", "water"), option("drink", "coke", amount="no")) == []


def test_a_limit_is_exceeded_below_a_nested_choice():
    sizes = (option("size", "s"), option("size", "l"))
    assert exceeded(option("drink", "coke", nested=sizes)) == [ExceededLimit(COKE, "size", None, 2, 1)]
