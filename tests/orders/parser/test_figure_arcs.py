"""Figures that name an item or a choice, and names of a printed menu."""

import pytest

from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.parser.fitting import PRIOR
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import Model
from voice.orders.parser.roles import Role

NAMES = {
    "soup": "20. Hot Soup, Spicy Beef Noodles",
    "rice": "33. Broken Rice, Grilled Pork",
    "rolls": "7. Rolls, Grilled Pork",
    "combo": "Combo C5 for the office",
}
LEVELS = {"less": {"name": "30% sugar"}, "half": {"name": "50% sugar"}}
MENU = Menu.model_validate(
    {
        "id": "printed",
        "name": "Printed",
        "currency": "USD",
        "option_groups": {
            "sugar": {"name": "Sugar", "choices": LEVELS},
            "fruit": {"name": "Fruit", "choices": {"juice": {"name": "40% juice"}}},
        },
        "items": {item: {"name": name, "price": 500, "options": ["sugar", "fruit"]} for item, name in NAMES.items()},
    }
)
LEXICON = Lexicon(MENU, Model(PRIOR))


def named(utterance, role, at=0):
    """Return what the arcs of a role name, with their length, cheapest first."""
    arcs = [arc for arc in LEXICON.lattice(words.tokenize(utterance))[at] if arc.role is role]
    return [(arc.value, arc.length, arc.is_partial) for arc in sorted(arcs, key=lambda arc: arc.cost)]


@pytest.mark.parametrize(
    ("utterance", "named_item"),
    [
        ("number twenty", (("soup",), 2, False)),
        ("#20", (("soup",), 2, False)),
        ("số ba mươi ba", (("rice",), 4, False)),
        ("c5", (("combo",), 2, False)),
        ("twenty", (("soup",), 1, True)),
    ],
)
def test_an_item_is_named_by_its_code(utterance, named_item):
    assert named_item in named(utterance, Role.ITEM)


def test_a_number_that_is_no_code_names_no_item():
    assert not named("number five", Role.ITEM)
    assert not named("b5", Role.ITEM)


def test_an_item_is_named_without_its_number_and_by_the_words_between_commas():
    assert (("soup",), 2, False) in named("hot soup", Role.ITEM)
    assert (("soup",), 3, False) in named("spicy beef noodles", Role.ITEM)


def test_words_between_commas_that_several_names_have_are_no_whole_name():
    assert all(is_partial for _, _, is_partial in named("grilled pork", Role.ITEM))


@pytest.mark.parametrize(("utterance", "length"), [("thirty percent", 2), ("30%", 2), ("ba mươi phần trăm", 4)])
def test_a_percentage_names_a_choice(utterance, length):
    (refs, *rest), *_ = named(utterance, Role.OPTION)
    assert [ref.choice for ref in refs] == ["less"]
    assert rest == [length, False]


def test_a_number_alone_may_be_a_percentage_of_a_group_that_has_several():
    bare = [refs for refs, length, is_partial in named("ba mươi", Role.OPTION) if length == 2 and is_partial]
    assert [[ref.choice for ref in refs] for refs in bare] == [["less"]]
    assert not [refs for refs, length, _ in named("bốn mươi phần trăm", Role.OPTION) if length > 1]


def test_the_numbers_of_the_entries_of_a_list_count_one_unit_each():
    lattice = LEXICON.lattice(words.tokenize("cup 1 hot soup; cup 2 broken rice"))
    numbers = [[(arc.value, arc.length) for arc in lattice[at] if arc.role is Role.NUMBER] for at in (0, 5)]
    assert numbers == [[(1, 2)], [(1, 2)]]
    for counted in ("cup 2 hot soup; cup 3 broken rice", "cup 1 hot soup; plate 2 broken rice"):
        assert not [arc for arc in LEXICON.lattice(words.tokenize(counted))[0] if arc.role is Role.NUMBER]
