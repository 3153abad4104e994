"""The example menu shows every feature of the menu format."""

from settings import ROOT
from voice.menus.loading import read_menu
from voice.menus.menu import Choice, Item, Menu, OptionGroup

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


def test_every_key_of_the_format_is_used() -> None:
    choices = [choice for group in MENU.option_groups.values() for choice in group.choices.values()]
    used = {key for part in (MENU, *MENU.items.values(), *MENU.option_groups.values(), *choices) for key in part.model_fields_set}
    keys = {*Menu.model_fields, *Item.model_fields, *OptionGroup.model_fields, *Choice.model_fields}
    assert keys - used == {"min"}, "for which `required` is short"


def test_every_text_of_the_example_menu_is_in_both_languages() -> None:
    groups = MENU.option_groups.values()
    texts = [text for item in MENU.items.values() for text in (item.name, item.category, item.description)]
    texts += [text for group in groups for text in (group.name, group.ask, *(choice.name for choice in group.choices.values()))]
    same = {text for text in texts if text is not None and text.by_language.keys() != {"vi", "en"}}
    assert same == {"Latte", "Cappuccino", "Topping"}, "those that are the same in both"


def test_the_combo_of_the_example_menu_has_choices_that_are_items_with_options() -> None:
    groups = [MENU.option_groups[group] for group in MENU.items["combo-sang"].options]
    choices = [choice for group in groups for choice in group.choices.values()]
    assert all(group.required and group.ask for group in groups)
    assert all(choice.item and choice.options for choice in choices)


def test_every_option_group_of_the_example_menu_is_offered_by_an_item() -> None:
    assert {group for item in MENU.items.values() for group in item.options} == MENU.option_groups.keys()
