import json

import pytest

from settings import ROOT
from voice.evaluation.menu_check import check, schema_text
from voice.menus.advice import amount_of
from voice.menus.checking import check_file
from voice.menus.menu import Menu

DONG = "id: cafe\nname: Cafe\ncurrency: VND\n"
START = "id: cafe\nname: Cafe\ncurrency: USD\n"


def findings(directory, text, name="cafe.yaml"):
    path = directory / name
    path.write_text(text, "utf-8")
    return [str(finding) for finding in check_file(path).faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (START + "items:\n  tea: {name: Tea, price: 4.50}\n", "5:27: items.tea.price: is no integer: write 450, in cents"),
        (START + "items:\n  tea: {name: Tea, price: $4}\n", "5:27: items.tea.price: is no integer: write 400, in cents"),
        (DONG + "items:\n  tea: {name: Tea, price: 25.000 đ}\n", "5:27: items.tea.price: is no integer: write 25000, in whole VND"),
        (START + "items:\n  tea: {name: Tea, price: cheap}\n", "5:27: items.tea.price: is no integer: an integer, in cents"),
        (START + "items:\n  tea: {name: 7, price: 1}\n", '5:15: items.tea.name: is no text: write "7", in quotes'),
        (START + "items:\n  tea: {name: true, price: 1}\n", '5:15: items.tea.name: is no text: write "true", in quotes'),
        (START + "items:\n\ttea: {name: Tea, price: 1}\n", "5:1: a tab: indent with spaces"),
        (START + "items:\n  tea: {name: Tea, prise: 1}\n", "5:27: items.tea.prise: is an unknown key: write price"),
        (START + "items:\n  t: {name: T, price: 1, available: no}\n", "5:37: items.t.available: is neither true nor false: write false"),
        (START + "items:\n  tea: {name: Tea, price: 1, aliases: chai}\n", "5:39: items.tea.aliases: is no list: write a list: [chai]"),
        (START + "items:\n  tea: {name: T, price: 1, diet: [Gluten Free]}\n", "5:35: items.tea.diet.0: is unknown here: write gluten-free"),
        (
            START + "option_groups: {size: {name: S, choices: {s: {name: S}}}}\nitems:\n  tea: {name: Tea, price: 1, options: [sise]}\n",
            "6:40: items.tea.options.0: item 'tea' names the unknown option group 'sise': write size",
        ),
        (START.replace("USD", "usd") + "items: {}\n", "3:11: currency: is no currency: write USD"),
        (START + "items:\n  tea: {name: Tea, price: 1}\n  tea: {name: T, price: 1}\n", "6:3: the key 'tea' occurs twice: write it once"),
        (START + "items:\n  iced tea: {name: Tea, price: 1}\n", "5:13: items.iced tea: is no id: an id has letters"),
        (START.replace("cafe", "tea") + "items: {}\n", "1:5: id: differs from the file's name: write cafe, or name the file tea.yaml"),
        (START + "items:\n  tea: {name: Tea: hot, price: 1}\n", "5:"),
    ],
)  # fmt: skip
def test_a_fault_has_its_line_and_column_and_what_to_write_instead(tmp_path, text, expected):
    found = findings(tmp_path, text)
    assert found
    assert any(finding.startswith(expected) for finding in found), found


def test_all_faults_are_found_at_once_in_the_order_of_the_file(tmp_path):
    text = START.replace("USD", "usd") + (
        "times: {lunch: [{from: 12:00, to: 25:00}]}\n"
        "items:\n  tea: {name: 7, price: 4.50}\n  tea: {nam: Tea, price: 4,50}\n  bun: {name: Bun, price: 1, options: [none]}\n"
        "  iced tea: {name: Iced tea, price: 1}\n"
    )
    lines = [int(finding.split(":")[0]) for finding in findings(tmp_path, text)]
    assert lines == sorted(lines)
    assert {3, 4, 7, 8, 9} <= set(lines)
    assert len(lines) >= 8


def test_every_line_that_a_tab_indents_is_named(tmp_path):
    assert [finding.split(":")[0] for finding in findings(tmp_path, START + "items:\n\ttea: {}\n\tbun: {}\n")] == ["5", "6"]


@pytest.mark.parametrize(
    ("text", "exponent", "amount"),
    [
        ("4.50", 2, 450), ("4,5", 2, 450), ("$4", 2, 400), ("1,234.50", 2, 123450), ("1.234,50 €", 2, 123450), ("25.000", 0, 25000),
        ("25.000 đ", 0, 25000), ("1,250,000", 0, 1250000), ("-5", 2, -500), ("4.500", 2, 450000), ("free", 2, None), ("", 0, None),
        ("4 50", 2, 45000), ("1.500", 3, 1500),
    ],
)  # fmt: skip
def test_prices_are_read_as_people_write_them(text, exponent, amount):
    assert amount_of(text, exponent) == amount


SHOP = {
    "id": "shop",
    "name": "Shop",
    "currency": "USD",
    "languages": ["en"],
    "times": {"brunch": [{"from": "10:00", "to": "12:00"}]},
    "option_groups": {
        "unused": {"name": "Unused", "choices": {"a": {"name": "Alpha"}, "b": {"name": "Beta"}}},
        "bread": {"name": "Bread", "required": True, "choices": {"rye": {"name": "Rye bread"}}},
        "size": {
            "name": "Size", "default": "l", "choices": {"s": {"name": "small"}, "l": {"name": "large", "available": False, "price": 99999}}
        },
        "milk": {
            "name": "Milk",
            "choices": {"oat": {"name": "oat milk", "aliases": ["plant milk"]}, "soy": {"name": "soy milk", "aliases": ["plant milk"]}},
        },
    },
    "items": {
        "latte": {"name": "Latte", "price": 400, "options": ["size", "milk"], "category": "coffee"},
        "mocha": {"name": "Mocha", "price": 450, "aliases": ["please"], "category": "coffee"},
        "flat": {"name": "Flat white", "price": 4500, "category": "coffee"},
        "drip": {"name": "Filter coffee", "price": 300, "aliases": ["two"], "category": "coffee"},
        "club": {"name": "Club sandwich", "price": 900, "options": ["bread"]},
        "soup": {"name": "Tomato soup", "price": 700},
        "broth": {"name": "tomato soup", "price": 700},
    },
}  # fmt: skip


def test_doubts_name_what_is_probably_meant_otherwise(tmp_path):
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(SHOP), "utf-8")
    text = "\n".join(line.text for line in check(path))
    for expected in (
        "doubt: option_groups.unused: nothing offers this group",
        "doubt: option_groups.bread: required, with one choice",
        "doubt: option_groups.size.default: the default l is sold out",
        "doubt: option_groups.size.choices.l.price: 99999 is far more than any item costs",
        "doubt: times.brunch: no item is served at this time",
        "doubt: items.flat.price: 4500 is far from the rest, of which 400 is usual",
        "doubt: items.mocha.aliases.0: 'please' is not understood as this item: customers say it for something else",
        "doubt: items.drip.aliases.0: 'two' is not understood as this item: it is a number",
        "doubt: items.soup.name: 'Tomato soup' also names the items broth",
        "doubt: items.soup: no name of this item is its own",
        "note: option_groups.milk.choices.oat.aliases.0: 'plant milk' also names the choices of this group soy",
        "7 items, 7 choices, no faults, ",
    ):
        assert expected in text, text


def test_prices_in_major_units_are_doubted_once(tmp_path):
    shop = {**SHOP, "items": {f"i{number}": {"name": f"{name} tea", "price": number} for number, name in enumerate("abcdef", 3)}}
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(shop | {"option_groups": {}}), "utf-8")
    assert [line.text.split("doubt: ")[1] for line in check(path) if "usual" in line.text] == [
        "items: prices of 5.5 are usual here; they are read as cents"
    ]


@pytest.mark.parametrize("menu", sorted((ROOT / "menus").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_example_menu_has_no_faults(menu):
    assert check_file(menu).faults == []


def test_the_schema_in_the_documentation_is_that_of_the_format():
    assert (ROOT / "docs/menu.schema.json").read_text("utf-8") == schema_text()
    assert set(json.loads(schema_text())["properties"]) == set(Menu.model_fields)
