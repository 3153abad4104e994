"""The example menu shows every feature of the menu format."""

from settings import ROOT
from voice.menus.loading import read_menu

MENU = read_menu(ROOT / "menus/quan-nha.yaml")


def test_the_example_menu_shows_every_feature_of_the_format() -> None:
    groups, items = MENU.option_groups.values(), MENU.items.values()
    choices = [choice for group in groups for choice in group.choices.values()]
    assert len(items) >= 25
    assert {group.select for group in groups} == {"one", "many"}
    assert {group.default is None for group in groups} == {True, False}
    assert {(choice.price > 0) - (choice.price < 0) for choice in choices} == {-1, 0, 1}
    assert {item.available for item in items} == {True, False}
    assert {bool(item.options) for item in items} == {True, False}
    assert all(item.category and item.aliases for item in items)
    assert sum("pearls" in choice.aliases for choice in choices) > 1, "an ambiguous alias"


def test_every_option_group_of_the_example_menu_is_offered_by_an_item() -> None:
    assert {group for item in MENU.items.values() for group in item.options} == MENU.option_groups.keys()
