import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from voice.menus.menu import Menu
from voice.menus.names import all_names, name_in, spoken_names, text_in

EGG = {"vi": "Bánh mì ốp la", "en": "Fried egg sandwich"}


def menu_of(name: Any, *languages: str) -> Menu:
    parts = {"name": name, "price": 1}
    groups = {"g": {"name": name, "choices": {"c": {"name": name}}}}
    return Menu.model_validate(
        {
            "id": "quan",
            "name": name,
            "currency": "VND",
            "languages": languages,
            "option_groups": groups,
            "items": {"a": {**parts, "category": name}},
        }
    )


@pytest.mark.parametrize(("languages", "text"), [(("vi", "en"), EGG["vi"]), (("en", "vi"), EGG["en"]), (("ko",), EGG["vi"])])
def test_a_name_by_language_is_a_string_in_the_first_language_of_the_menu(languages, text):
    menu = menu_of(EGG, *languages)
    names = (menu.name, menu.items["a"].name, menu.items["a"].category, menu.option_groups["g"].name)
    assert (*names, menu.option_groups["g"].choices["c"].name) == (text,) * 5


def test_a_name_is_told_in_a_language_and_in_the_first_one_where_that_lacks():
    name = menu_of(EGG, "vi").items["a"].name
    assert (name_in(name, "en"), name_in(name, "vi"), name_in(name, "ko")) == (EGG["en"], EGG["vi"], EGG["vi"])
    assert name_in(menu_of("Trà", "vi").name, "en") == "Trà"
    assert name_in("Trà", "en") == "Trà"


def test_all_names_begin_with_the_first_language_and_repeat_nothing():
    assert all_names(menu_of(EGG, "en", "vi").name) == (EGG["en"], EGG["vi"])
    assert all_names(menu_of({"vi": "Pepsi", "en": "Pepsi"}, "en").name) == ("Pepsi",)
    assert all_names(menu_of("Pepsi", "en").name) == all_names("Pepsi") == ("Pepsi",)


def test_a_text_is_none_in_a_language_that_the_menu_lacks():
    text = menu_of(EGG, "vi").items["a"].name
    assert (text_in(text, "en"), text_in(text, "ko")) == (EGG["en"], None)
    assert text_in(menu_of("Trà", "vi").name, "ko") == text_in("Trà", "ko") == "Trà"


def test_the_spoken_names_are_those_of_all_languages_and_the_aliases():
    item = menu_of(EGG, "vi").items["a"].model_copy(update={"aliases": ("ốp la",)})
    assert spoken_names(item) == (EGG["vi"], EGG["en"], "ốp la")


def test_a_name_is_dumped_as_the_file_has_it():
    assert menu_of(EGG, "en").model_dump(mode="json")["items"]["a"]["name"] == EGG
    assert menu_of("Trà", "en").model_dump(mode="json")["items"]["a"]["name"] == "Trà"


def test_a_name_keeps_its_languages_when_pickled():
    assert all_names(pickle.loads(pickle.dumps(menu_of(EGG, "en").name))) == (EGG["en"], EGG["vi"])  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (7, ("name",)),
        ({}, ("name",)),
        ({"vi": 7}, ("name", "vi")),
        ({"vi": " "}, ("name", "vi")),
        ({"tiếng Anh": "x"}, ("name", "tiếng Anh")),
    ],
)
def test_an_invalid_name_is_rejected_at_its_place(name, place):
    with pytest.raises(ValidationError) as caught:
        menu_of(name, "vi")
    assert caught.value.errors()[0]["loc"][: len(place)] == place
