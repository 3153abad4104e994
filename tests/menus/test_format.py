"""The menu format: what it means, and where it is rejected."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas import MAX_NESTING
from voice.menus.menu import MAX_PRICE, Menu, OptionGroup


def group(**parts: Any) -> dict[str, Any]:
    return {"name": "Size", "choices": {"s": {"name": "Small"}, "l": {"name": "Large"}}, **parts}


def menu(groups: dict[str, Any] | None = None, items: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    tea = {"tea": {"name": "Tea", "price": 300}}
    return {"id": "cafe", "name": "Café", "currency": "USD", "option_groups": groups or {}, "items": {**tea, **(items or {})}, **parts}


def faults(content: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Menu.model_validate(content)
    return {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("limits", "at_least", "at_most", "select"),
    [
        ({}, 0, 1, "one"),
        ({"select": "many"}, 0, None, "many"),
        ({"required": True}, 1, 1, "one"),
        ({"required": True, "select": "many"}, 1, None, "many"),
        ({"max": 1}, 0, 1, "one"),
        ({"max": 3}, 0, 3, "many"),
        ({"min": 2, "max": 2}, 2, 2, "many"),
        ({"min": 2, "select": "many"}, 2, None, "many"),
        ({"required": True, "min": 2, "max": 4}, 2, 4, "many"),
        ({"required": False, "max": 4}, 0, 4, "many"),
    ],
)
def test_select_and_required_are_short_for_limits(limits, at_least, at_most, select):
    found = OptionGroup.model_validate(group(**limits))
    assert (found.min_choices, found.max_choices, found.select) == (at_least, at_most, select)


@pytest.mark.parametrize(
    ("limits", "place"),
    [
        ({"min": 3, "max": 2}, "min"),
        ({"min": 2, "select": "one"}, "min"),
        ({"select": "one", "max": 2}, "select"),
        ({"select": "many", "max": 1}, "select"),
        ({"required": False, "min": 1}, "required"),
        ({"min": 3, "select": "many", "max_each": 1}, "min"),
        ({"required": True, "choices": {}}, "required"),
        ({"default": "m"}, "default"),
        ({"min": -1}, "min"),
        ({"max": 0}, "max"),
        ({"max_each": 0}, "max_each"),
        ({"free": -1}, "free"),
    ],
)
def test_limits_that_contradict_each_other_or_are_negative_are_rejected_at_their_place(limits, place):
    assert list(faults(menu({"size": group(**limits)}))) == [f"option_groups.size.{place}"]


def test_a_choice_that_is_an_item_has_what_the_item_has():
    coke = {
        "name": {"en": "Coke", "vi": "Cô ca"},
        "aliases": ["cola"],
        "price": 250,
        "options": ["size"],
        "diet": ["vegan"],
        "contains": ["soy"],
    }
    drink = group(
        choices={"coke": {"item": "coke", "price": 50}, "own": {"item": "coke", "name": "Small Coke", "options": [], "contains": []}}
    )
    found = Menu.model_validate(menu({"size": group(), "drink": drink}, {"coke": coke}, languages=["vi", "en"]))
    choices = found.option_groups["drink"].choices
    same = choices["coke"]
    assert (same.name, same.name.by_language["en"], same.aliases, same.price) == ("Cô ca", "Coke", ("cola",), 50)
    assert (same.options, same.diet, same.contains) == (("size",), ("vegan",), ("soy",))
    assert (choices["own"].name, choices["own"].options, choices["own"].contains, choices["own"].diet) == ("Small Coke", (), (), ("vegan",))


def test_a_choice_needs_a_name_or_an_item():
    assert "needs a name, or an item" in faults(menu({"size": group(choices={"s": {"price": 1}})}))["option_groups.size.choices.s"]


def test_every_id_that_the_menu_lacks_is_rejected_at_its_place():
    choices = {"a": {"name": "A", "options": ["x"]}, "b": {"item": "y"}}
    found = faults(
        menu({"size": group(choices=choices)}, {"cake": {"name": "Cake", "price": 1, "options": ["size", "z"], "when": ["noon"]}})
    )
    assert found == {
        "items.cake.options.1": "item 'cake' names the unknown option group 'z'",
        "items.cake.when.0": "item 'cake' names the unknown time 'noon'",
        "option_groups.size.choices.a.options.0": "choice 'a' names the unknown option group 'x'",
        "option_groups.size.choices.b.item": "choice 'b' names the unknown item 'y'",
    }


def test_option_groups_nested_in_a_circle_are_rejected():
    ring = {
        "a": group(choices={"to-b": {"name": "B", "options": ["b"]}}),
        "b": group(choices={"plain": {"name": "P"}, "to-a": {"name": "A", "options": ["a"]}}),
    }
    ((place, message),) = faults(menu(ring)).items()
    assert place in {"option_groups.a.choices.to-b.options", "option_groups.b.choices.to-a.options"}
    assert message.startswith("option groups are nested in a circle: ")


def test_an_item_that_is_a_choice_of_its_own_combo_is_rejected():
    combo = {"combo": {"name": "Combo", "price": 900, "options": ["drink"]}}
    assert faults(menu({"drink": group(choices={"again": {"item": "combo"}})}, combo)) == {
        "option_groups.drink.choices.again.item": "option groups are nested in a circle: 'drink' > 'drink'"
    }


@pytest.mark.parametrize(("n_groups", "is_valid"), [(MAX_NESTING, True), (MAX_NESTING + 1, False)])
def test_option_groups_are_nested_to_a_depth(n_groups, is_valid):
    chain = {f"g{number}": group(choices={"c": {"name": "C", "options": [f"g{number + 1}"]}}) for number in range(n_groups - 1)}
    content = menu(chain | {f"g{n_groups - 1}": group()})
    if is_valid:
        assert Menu.model_validate(content)
    else:
        assert faults(content) == {"option_groups.g0.choices.c.options": "option groups are nested more than 8 levels deep"}


def test_a_long_chain_of_option_groups_is_rejected_without_recursion():
    chain = {f"g{number}": group(choices={"c": {"name": "C", "options": [f"g{number + 1}"]}}) for number in range(3000)}
    assert len(faults(menu(chain | {"g3000": group()}))) == 1


def test_the_defaults_below_a_choice_count_for_its_highest_price():
    size = group(default="s", choices={"s": {"name": "S", "price": MAX_PRICE}})
    assert Menu.model_validate(menu({"size": size, "drink": group(choices={"c": {"name": "C", "options": ["size"]}})}))
    too_much = menu({"size": size, "drink": group(choices={"c": {"name": "C", "price": 1, "options": ["size"]}})})
    assert list(faults(too_much)) == ["option_groups.drink.choices.c.options"]


@pytest.mark.parametrize(
    ("item", "place"),
    [
        ({"diet": ["vegan-ish"]}, "diet.0"),
        ({"contains": ["milk", "nuts"]}, "contains.1"),
        ({"max": 0}, "max"),
        ({"price": -1}, "price"),
        ({"description": ""}, "description"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_unknown_diet_or_allergen_and_what_is_negative_are_rejected_at_their_place(item, place):
    assert list(faults(menu({}, {"cake": {"name": "Cake", "price": 1, **item}}))) == [f"items.cake.{place}"]


@pytest.mark.parametrize(
    ("period", "place"),
    [
        ({"from": "6:60", "to": "10:30"}, ".from"),
        ({"from": "06:00", "to": "24:01"}, ".to"),
        ({"from": "24:00", "to": "06:00"}, ".from"),
        ({"from": "06:00", "to": "6:00"}, ""),
        ({"from": "06:00"}, ".to"),
        ({"from": "06:00", "to": "10:30", "days": ["monday"]}, ".days.0"),
        ({"from": "06:00", "to": "10:30", "days": []}, ".days"),
        ({"begins": "06:00", "to": "10:30"}, ".from"),
    ],
)
def test_a_period_that_is_none_is_rejected_at_its_place(period, place):
    assert f"times.noon.0{place}" in faults(menu(times={"noon": [period]}))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/localtime", ""])
def test_an_unknown_time_zone_is_rejected(zone):
    assert list(faults(menu(timezone=zone))) == ["timezone"]


def test_a_menu_is_read_again_as_it_was_written():
    drinks = {"coke": {"item": "coke", "price": 50}, "water": {"name": "Water", "options": ["size"]}}
    content = menu(
        {
            "size": group(required=True, ask={"en": "What size?"}, diet=False),
            "dips": group(max=3, min=1, max_each=2, free=1),
            "drink": group(default="coke", choices=drinks),
        },
        {"coke": {"name": {"en": "Coke", "vi": "Cô ca"}, "price": 250, "options": ["size"], "when": ["noon"], "max": 20}},
        times={"noon": [{"days": ["sat", "sun"], "from": "11:00", "to": "14:00"}]},
        timezone="Asia/Ho_Chi_Minh",
    )
    dumped = Menu.model_validate(content).model_dump(mode="json")
    assert dumped["option_groups"]["drink"]["choices"]["coke"] == {"item": "coke", "price": 50, "available": True}
    assert dumped["times"] == content["times"]
    assert Menu(**dict(Menu.model_validate(content))).model_dump(mode="json") == dumped, "made of the parts of a menu"
    again = Menu.model_validate(dumped)
    assert again.model_dump(mode="json") == dumped
    assert again.option_groups["drink"].choices["coke"].options == ("size",)
