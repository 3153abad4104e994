import orjson
import pytest

from tests.menus.menu_bodies import menu_body
from voice.menus.validation import MAX_PARTS, MAX_WORDS, parse_json, validate

SIZE = {"name": "Size", "choices": {"s": {"name": "Small"}}}


def places(content):
    menu, faults = validate(content)
    assert (menu is None) is bool(faults)
    return sorted(".".join(map(str, fault.place)) for fault in faults)


def test_a_menu_without_faults_is_returned():
    menu, faults = validate(orjson.loads(menu_body()))
    assert faults == []
    assert menu is not None
    assert menu.items["pho"].price == 30000


def test_faults_of_types_of_unknown_ids_and_of_nesting_are_found_at_once():
    content = {
        "id": "x",
        "name": {"en": 7},
        "currency": "usd",
        "times": {"lunch": [{"from": "12:00", "to": "12:00"}]},
        "option_groups": {
            "size": {**SIZE, "default": "m", "select": "both"},
            "ring": {"name": "Ring", "choices": {"r": {"name": "R", "options": ["ring"]}}},
            "side": {"name": "Side", "choices": {"tea": {"item": "chai"}, "none": {}}},
        },
        "items": {
            "tea": {"name": "Tea", "price": "4.50", "options": ["size", "colour"], "when": ["lunch", "brunch"]},
            "bun": {"nam": "Bun", "price": 3},
            "pie": "a pie",
        },
        "more": 1,
    }
    assert places(content) == sorted(
        [
            "currency", "items.bun.nam", "items.bun.name", "items.pie", "items.tea.options.1", "items.tea.price", "items.tea.when.1",
            "more", "name.en", "option_groups.ring.choices.r.options", "option_groups.side.choices.none",
            "option_groups.side.choices.tea.item", "option_groups.size.default", "option_groups.size.select", "times.lunch.0",
        ]
    )  # fmt: skip


@pytest.mark.parametrize("content", [None, 7, [], "menu", {}, {"items": 3, "option_groups": [], "times": "now"}, {"items": {"a": None}}])
def test_content_of_another_kind_has_faults_and_no_stand_in_hides_them(content):
    assert places(content)


def test_a_key_that_is_no_id_is_a_fault_beside_the_others():
    found = places({"id": "x", "name": "X", "currency": "USD", "items": {"bad id": {"name": "A", "price": 1}, "ok": {"name": "B"}}})
    assert found == ["items.bad id.[key]", "items.ok.price"]


def test_a_key_that_occurs_twice_is_a_fault_at_its_place():
    _, faults = parse_json(b'{"items": {"tea": {"price": 1, "price": 2}, "tea": {}, "bun": [{"x": 1, "x": 1}]}}')
    assert [fault.place for fault in faults] == [("items", "tea"), ("items", "bun", 0, "x")]


@pytest.mark.parametrize("body", [b"", b"{", b'"\xff"', b"[" * 5000 + b"]" * 5000, b'{"a": NaN}', b'"\\ud800"'])
def test_what_is_not_json_is_refused(body):
    with pytest.raises(ValueError, match="not JSON"):
        parse_json(body)


def test_a_number_beyond_64_bits_is_left_to_the_field():
    content, _ = parse_json(b'{"price": ' + b"9" * 300 + b"}")
    assert content == {"price": 1e308}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"items": dict.fromkeys(map(str, range(MAX_PARTS)), 1)}, ""),
        ({"option_groups": {"a": {"choices": dict.fromkeys(map(str, range(MAX_PARTS)))}}}, ""),
        ({"items": {"a": dict.fromkeys(map(str, range(60)), 1)}}, "items.a"),
        ({"times": {"a": [1] * 60}}, "times.a"),
        ({"items": {"a": {"aliases": [1] * 60_001}}}, ""),
        ({"more": [1] * 60_001}, ""),
    ],
)
def test_a_menu_that_is_too_large_has_that_fault_alone(content, place):
    assert places(content) == [place]


def test_a_menu_with_too_many_words_is_refused():
    items = {f"i{number}": {"name": "a b c d e f", "price": 1} for number in range(MAX_WORDS // 6 + 1)}
    _, faults = validate({"id": "x", "name": "X", "currency": "USD", "items": items})
    assert [fault.type for fault in faults] == ["too_many_words"]
