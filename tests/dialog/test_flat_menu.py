"""The flat menu has each nested group once, and lines survive the way to it and back."""

import pytest

from schemas import LineRequest
from tests.dialog.contract.rows import engine, line_of
from voice.dialog.flat_menu import MAX_FLAT_GROUPS, FlatMenu
from voice.dialog.lines import draft_of
from voice.dialog.nesting import SpokenChoice
from voice.menus.menu import Menu
from voice.orders.parser.draft import ChoiceRef, DraftLine, DraftOption

MENU = engine().menu
FLAT = FlatMenu(MENU)
LINES = [
    "1 meal drink=cola[size=large] side=fries[size=small]",
    "1 meal drink=cola side=fries[size=small]",
    "2 meal drink=cola|lemonade[size=large] side=salad",
    "1 meal side=no:fries drink=water",
    "1 milk-tea size=large pearls=black,2*jelly",
    "1 juice",
]


def draft(text):
    """Return the line that a text describes, as on the order."""
    return draft_of(MENU, [LineRequest.model_validate(line_of(text))])[0]


@pytest.mark.parametrize("text", LINES)
def test_a_line_that_was_not_touched_is_the_same_on_the_way_back(text):
    line = draft(text)
    flat = FLAT.flattened(line)
    assert not any(option.options for option in flat.options)
    assert FLAT.nested(flat, line, []) == line


def test_each_nested_group_of_an_item_has_an_id_of_its_own_in_the_flat_menu():
    own = FLAT.flat.items["meal"].options
    assert len(set(own)) == len(own)
    assert [FLAT.group_of(group) for group in own] == ["drink", "side", "size", "size"]
    assert FLAT.flat.items["juice"].options == MENU.items["juice"].options


def test_a_menu_without_nested_groups_is_its_own_flat_menu():
    plain = MENU.model_copy(update={"items": {"juice": MENU.items["juice"]}})
    assert FlatMenu(plain).flat is plain


def test_options_of_equal_choices_of_one_line_are_kept():
    """The flat menu shows those of the first; the second keeps its own."""
    menu = _menu(3, select="many")
    line = draft_of(menu, [LineRequest.model_validate(line_of("1 box g0=c[inner=b]"))])[0]
    twice = line._replace(options=(line.options[0], line.options[0]._replace(options=())))
    flat = FlatMenu(menu)
    assert flat.nested(flat.flattened(twice), twice, []) == twice


def test_a_menu_of_many_nested_groups_has_a_bounded_flat_menu():
    flat = FlatMenu(_menu(MAX_FLAT_GROUPS + 50))
    assert len(flat.flat.option_groups) == MAX_FLAT_GROUPS + 50 + 1 + MAX_FLAT_GROUPS


def test_words_that_are_part_of_the_name_of_a_choice_above_mean_that_choice():
    """Not an egg on a sandwich that is still open."""
    filling = {"name": "Filling", "select": "many", "choices": {"egg": {"name": "Fried egg"}, "ham": {"name": "Ham"}}}
    kinds = {"egg-roll": {"name": "Fried egg roll", "options": ["filling"]}, "beef-roll": {"name": "Beef roll", "options": ["filling"]}}
    groups = {"filling": filling, "roll": {"name": "Roll", "choices": kinds}}
    items = {"box": {"name": "Box", "price": 1, "options": ["roll"]}}
    flat = FlatMenu(Menu.model_validate({"id": "m", "name": "M", "currency": "USD", "option_groups": groups, "items": items}))

    def nested(choice, *said):
        option = DraftOption(flat.flat_group((ChoiceRef("roll", "egg-roll"),), "filling"), (choice,))
        spoken = SpokenChoice({ChoiceRef(option.group, choice)}, frozenset(), (), frozenset(said))
        return flat.nested(DraftLine(("box",), 1, (option,)), None, [spoken]).options

    assert nested("egg", "fried", "egg") == (DraftOption("roll", ("egg-roll",)),)
    assert nested("ham", "ham") == (DraftOption("roll", ("egg-roll", "beef-roll"), options=(DraftOption("filling", ("ham",)),)),)


def _menu(n_groups: int, select: str = "one") -> Menu:
    """Return a menu of one item with some groups, each with a nested one."""
    inner = {"inner": {"name": "Inner", "choices": {"a": {"name": "Small"}, "b": {"name": "Large"}}}}
    choices = {"c": {"name": "Choice", "options": ["inner"]}}
    groups = {f"g{at}": {"name": f"G{at}", "select": select, "choices": choices} for at in range(n_groups)}
    parts = [list(groups)[at : at + 100] for at in range(0, n_groups, 100)]
    items = {f"box{at or ''}": {"name": f"Box {at}", "price": 1, "options": part} for at, part in enumerate(parts)}
    return Menu.model_validate({"id": "m", "name": "M", "currency": "USD", "option_groups": {**groups, **inner}, "items": items})


def test_a_line_has_only_options_that_its_item_offers():
    line = draft("1 juice")
    stray = line._replace(options=(*line.options, DraftOption("drink", ("cola",))))
    assert FLAT.with_offered_options(stray) == line
    assert FLAT.with_offered_options(draft(LINES[0])) == draft(LINES[0])
