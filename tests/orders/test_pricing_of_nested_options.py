"""Prices of nested options, free portions and choices that are items, against a slow reference."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ValidationFailed
from schemas import Option
from voice.menus.menu import MAX_PORTIONS, MAX_PRICE, Menu
from voice.orders.pricing import Pricing

CONTENT: dict[str, Any] = {
    "id": "diner",
    "name": "Diner",
    "currency": "USD",
    "languages": ["en", "vi"],
    "option_groups": {
        "size": {"name": "Size", "default": "m", "choices": {"m": {"name": "Medium", "price": 20}, "l": {"name": "Large", "price": 90}}},
        "drink": {
            "name": "Drink",
            "default": "coke",
            "choices": {
                "coke": {"item": "coke"},
                "juice": {"name": {"en": "Juice", "vi": "Nước ép"}, "price": 150, "options": ["size", "sweet"]},
            },
        },
        "sweet": {"name": "Sugar", "select": "many", "choices": {"sugar": {"name": "Sugar", "price": 5}}},
        "dips": {
            "name": "Dips",
            "select": "many",
            "free": 2,
            "choices": {"mayo": {"name": "Mayo", "price": 50}, "aioli": {"name": "Aioli", "price": 80}, "none": {"name": "None"}},
        },
        "bread": {
            "name": "Bread",
            "free": 1,
            "default": "white",
            "choices": {"white": {"name": "White", "price": 30}, "rye": {"name": "Rye", "price": 70}},
        },
    },
    "items": {
        "coke": {"name": "Coke", "price": 250, "options": ["size"]},
        "combo": {"name": "Combo", "price": 900, "options": ["drink", "dips"]},
        "toast": {"name": "Toast", "price": 300, "options": ["bread"]},
    },
}
PRICING = Pricing(Menu.model_validate(CONTENT))


def option(group: str, choice: str, *nested: Option, quantity: int = 1, amount: Any = None) -> Option:
    return PRICING.option(group, [choice], amount, quantity, nested)


def prices(item: str, *options: Option) -> tuple[int, list[int]]:
    line = PRICING.line(item, 1, [*options])
    return line["unit_price"], [one["price"] for one in line["options"]]


def test_an_unspoken_default_brings_the_defaults_below_it():
    assert prices("combo") == (900 + 0 + 20, [])


def test_a_choice_that_is_an_item_costs_the_price_of_the_choice():
    assert prices("combo", option("drink", "coke", option("size", "l"))) == (900 + 0 + 90, [0])


def test_nested_options_are_priced_apart_from_the_choice_above():
    line = PRICING.line("combo", 2, [option("drink", "juice", option("size", "l"), option("sweet", "sugar", quantity=3))])
    (juice,) = line["options"]
    assert (juice["price"], [below["price"] for below in juice["options"]]) == (150, [90, 15])
    assert (line["unit_price"], line["total"]) == (900 + 150 + 90 + 15, 2 * (900 + 150 + 90 + 15))


def test_nested_options_cost_their_price_for_each_portion_of_the_choice_above():
    assert prices("combo", option("drink", "juice", option("sweet", "sugar"), quantity=2)) == (900 + 2 * (150 + 20 + 5), [300])


def test_what_is_left_out_costs_nothing_with_all_below_it():
    assert prices("combo", option("drink", "juice", option("size", "l"), amount="no")) == (900 + 20, [0])


def test_the_cheapest_portions_of_a_group_are_free_in_any_order():
    assert prices("combo", option("dips", "aioli"), option("dips", "mayo", quantity=2)) == (920 + 80, [80, 0])
    assert prices("combo", option("dips", "mayo", quantity=3)) == (920 + 50, [50])
    assert prices("combo", option("dips", "aioli", quantity=2), option("dips", "mayo")) == (920 + 80, [80, 0])


def test_what_is_left_out_is_no_free_portion():
    assert prices("combo", option("dips", "mayo", amount="no"), option("dips", "aioli", quantity=3)) == (920 + 80, [0, 80])


def test_an_open_option_is_a_free_portion():
    two = PRICING.option("dips", ["mayo", "aioli"], None, 2)
    assert prices("combo", two, option("dips", "mayo")) == (920 + 50, [0, 50])


def test_an_unspoken_default_is_a_free_portion():
    assert prices("toast") == (300, [])
    assert prices("toast", option("bread", "rye")) == (300, [0])
    assert prices("toast", option("bread", "rye", quantity=2)) == (370, [70])


def test_names_are_in_the_language_of_the_pricing():
    vietnamese = Pricing(PRICING.menu, "vi")
    assert vietnamese.option("drink", ["juice"], None, 1)["name"] == "Nước ép"
    assert vietnamese.option("drink", ["coke", "juice"], None, 1)["name"] == "Coke / Nước ép"
    assert option("drink", "juice")["name"] == "Juice"


def test_more_portions_than_fit_a_total_are_rejected():
    sugar = [option("sweet", "sugar", quantity=99)]
    most = option("drink", "juice", *sugar, quantity=99)
    assert MAX_PORTIONS == 99 * (1 + 99)
    assert PRICING.line("combo", 1, [most])
    with pytest.raises(ValidationFailed):
        PRICING.line("combo", 1, [most, option("dips", "mayo")])


def test_the_most_expensive_order_with_nested_options_fits_into_64_bits():
    costly = {"c": {"name": "C", "price": MAX_PRICE}}
    below = {"name": "B", "default": "c", "choices": costly}
    groups = {"below": below, "g": {"name": "G", "select": "many", "choices": {"c": {"name": "C", "options": ["below"]}}}}
    defaults = {f"d{number}": {"name": "D", "default": "c", "choices": costly} for number in range(99)}
    items = {"x": {"name": "X", "price": MAX_PRICE, "options": ["g", *defaults]}}
    pricing = Pricing(Menu.model_validate({**CONTENT, "option_groups": groups | defaults, "items": items}))
    line = pricing.line("x", 999, [pricing.option("g", ["c"], None, 99)] * 100)
    assert line["unit_price"] == MAX_PRICE * (1 + 99 + MAX_PORTIONS)
    assert orjson.dumps(200 * line["total"])


def slow_level(groups: Mapping[str, Any], offered: Sequence[str], options: Sequence[Mapping[str, Any]], items: Mapping[str, Any]) -> int:
    """Price a level by writing down each portion of each group."""
    price = 0
    for group_id in dict.fromkeys([*offered, *(one["group"] for one in options)]):
        group = groups[group_id]
        spoken = [one for one in options if one["group"] == group_id and one["amount"] != "no"]
        if not spoken and group_id in offered and "default" in group:
            spoken = [{"choice": group["default"], "quantity": 1, "options": []}]
        portions = []
        for one in spoken:
            for _ in range(one["quantity"]):
                choice = group["choices"][one["choice"]] if one["choice"] is not None else {}
                below = choice.get("options", items[choice["item"]].get("options", []) if "item" in choice else [])
                portions.append(choice.get("price", 0))
                price += slow_level(groups, below, one.get("options", []), items)
        price += sum(sorted(portions)[group.get("free", 0) :])
    return price


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a menu: groups g0, g1, ..., each nested only in earlier ones."""
    n_groups = draw(st.integers(1, 5))
    groups, items = {}, {}
    for number in reversed(range(n_groups)):
        later = [f"g{other}" for other in range(number + 1, n_groups)]
        below = st.lists(st.sampled_from(later), unique=True, max_size=2) if later else st.just([])
        items[f"i{number}"] = {"name": "I", "price": draw(st.integers(0, 500)), "options": draw(below)}
        choices = {
            f"c{index}": draw(
                st.one_of(
                    st.fixed_dictionaries({"name": st.just("C"), "price": st.integers(-100, 500), "options": below}),
                    st.fixed_dictionaries({"item": st.just(f"i{number}"), "price": st.integers(0, 500)}),
                )
            )
            for index in range(draw(st.integers(1, 3)))
        }
        extra = st.fixed_dictionaries({}, optional={"default": st.sampled_from([*choices]), "free": st.integers(0, 4)})
        groups[f"g{number}"] = {"name": "G", "select": "many", "choices": choices, **draw(extra)}
    items["x"] = {"name": "X", "price": draw(st.integers(0, 500)), "options": draw(st.lists(st.sampled_from([*groups]), unique=True))}
    return {**CONTENT, "option_groups": groups, "items": items}


def drawn_options(draw: st.DrawFn, menu: Menu, offered: Sequence[str]) -> list[Option]:
    """Draw options of groups that are offered, with options of what their choices offer below."""
    options = []
    for group_id in draw(st.lists(st.sampled_from([*offered]), max_size=4)) if offered else []:
        chosen = draw(st.lists(st.sampled_from([*menu.option_groups[group_id].choices]), min_size=1, max_size=2, unique=True))
        groups = menu.option_groups[group_id].choices[chosen[0]].options if len(chosen) == 1 else ()
        amount: Any = draw(st.sampled_from([None, None, "no", "light", "extra", "regular"]))
        options.append(Pricing(menu).option(group_id, chosen, amount, draw(st.integers(1, 3)), drawn_options(draw, menu, groups)))
    return options


@given(st.data())
def test_prices_are_those_of_the_reference(data):
    content = data.draw(contents())
    menu = Menu.model_validate(content)
    options = data.draw(st.composite(drawn_options)(menu, menu.items["x"].options))
    expected = content["items"]["x"]["price"] + slow_level(
        content["option_groups"], content["items"]["x"]["options"], options, content["items"]
    )
    line = Pricing(menu).line("x", 3, options)
    assert (line["unit_price"], line["total"]) == (expected, 3 * expected)
    assert Pricing(menu).line("x", 3, line["options"]) == line, "priced again"
    assert Pricing(menu).unit_price("x", options) == expected
