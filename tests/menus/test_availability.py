"""When items and choices are available."""

from datetime import datetime

import pytest

from voice.menus.availability import Hours, is_choice_available, is_item_available, is_item_served, next_opening, opening_hours
from voice.menus.menu import Menu

MENU = Menu.model_validate(
    {
        "id": "quan",
        "name": "Quán",
        "currency": "VND",
        "timezone": "Asia/Ho_Chi_Minh",
        "times": {
            "breakfast": [{"days": ["mon", "tue"], "from": "6:00", "to": "10:30"}, {"days": ["sat"], "from": "07:00", "to": "11:00"}],
            "twice": [{"from": "18:00", "to": "20:00"}, {"from": "08:00", "to": "09:00"}],
            "late": [{"days": ["fri"], "from": "22:00", "to": "02:00"}],
        },
        "option_groups": {
            "g": {"name": "G", "choices": {"pho": {"item": "pho"}, "egg": {"name": "E", "available": False}, "a": {"name": "A"}}}
        },
        "items": {
            "pho": {"name": "Phở", "price": 1, "when": ["breakfast"]},
            "both": {"name": "Cả hai", "price": 1, "when": ["breakfast", "late"]},
            "twice": {"name": "Hai lần", "price": 1, "when": ["twice"]},
            "tra": {"name": "Trà", "price": 1},
            "out": {"name": "Hết", "price": 1, "available": False, "when": ["late"]},
        },
    }
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


MONDAY = "2026-11-30T{}+07:00"


@pytest.mark.parametrize(
    ("time", "expected"),
    [("05:59", False), ("06:00", True), ("10:29", True), ("10:30", False), ("23:00", False)],
)
def test_an_item_is_served_from_the_first_minute_of_its_times_to_the_last(time, expected):
    assert is_item_served(MENU, "pho", at(MONDAY.format(time))) is expected


def test_times_are_those_of_the_days_in_the_time_zone_of_the_menu():
    assert is_item_served(MENU, "pho", at("2026-11-29T23:30Z")), "Monday, 6:30 in Vietnam"
    assert not is_item_served(MENU, "pho", at("2026-12-02T23:30Z")), "Thursday"
    assert is_item_served(MENU, "pho", at("2026-12-05T10:45+07:00"))
    assert not is_item_served(MENU, "pho", at("2026-12-05T06:30+07:00"))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-12-04T21:59", False),
        ("2026-12-04T23:59", True),
        ("2026-12-05T01:59", True),
        ("2026-12-05T02:00", False),
        ("2026-12-04T01:00", False),
    ],
)
def test_a_period_beyond_midnight_belongs_to_the_day_on_which_it_begins(moment, expected):
    assert is_item_served(MENU, "both", at(moment + "+07:00")) is expected


def test_an_item_without_times_is_always_served():
    assert is_item_served(MENU, "tra", at(MONDAY.format("03:00")))
    assert opening_hours(MENU, "tra") == []


def test_a_sold_out_item_is_not_available_within_its_times():
    friday = at("2026-12-04T23:00+07:00")
    assert is_item_served(MENU, "out", friday)
    assert not is_item_available(MENU, "out", friday)
    assert is_item_available(MENU, "both", friday)


def test_a_choice_that_is_an_item_is_available_while_the_item_is():
    assert is_choice_available(MENU, "g", "pho", at(MONDAY.format("07:00")))
    assert not is_choice_available(MENU, "g", "pho", at(MONDAY.format("11:00")))
    assert not is_choice_available(MENU, "g", "egg", at(MONDAY.format("07:00")))
    assert is_choice_available(MENU, "g", "a", at(MONDAY.format("03:00")))


def test_opening_hours_are_minutes_since_midnight_of_the_day():
    assert opening_hours(MENU, "both") == [Hours(("mon", "tue"), 360, 630), Hours(("sat",), 420, 660), Hours(("fri",), 1320, 1560)]


@pytest.mark.parametrize(
    ("item", "moment", "expected"),
    [
        ("pho", "2026-11-30T05:00+07:00", "2026-11-30T06:00+07:00"),
        ("pho", "2026-11-30T07:00+07:00", "2026-11-30T07:00+07:00"),
        ("pho", "2026-11-30T10:30+07:00", "2026-12-01T06:00+07:00"),
        ("pho", "2026-12-01T10:30+07:00", "2026-12-05T07:00+07:00"),
        ("both", "2026-12-01T10:30+07:00", "2026-12-04T22:00+07:00"),
        ("out", "2026-12-05T02:00+07:00", "2026-12-11T22:00+07:00"),
        ("twice", "2026-12-01T06:00+07:00", "2026-12-01T08:00+07:00"),
        ("twice", "2026-12-01T09:00+07:00", "2026-12-01T18:00+07:00"),
        ("tra", "2026-12-01T10:30Z", "2026-12-01T17:30+07:00"),
    ],
)
def test_the_next_opening_is_the_first_beginning_after_now(item, moment, expected):
    assert next_opening(MENU, item, at(moment)) == at(expected)
    assert str(next_opening(MENU, item, at(moment))).endswith("+07:00")


def test_summer_time_shifts_the_times_with_the_clocks():
    parts = {
        "id": "cafe",
        "name": "Café",
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "times": {"am": [{"from": "08:00", "to": "09:00"}]},
    }
    cafe = Menu.model_validate({**parts, "items": {"tea": {"name": "Tea", "price": 1, "when": ["am"]}}})
    assert is_item_served(cafe, "tea", at("2026-01-10T07:30Z"))
    assert is_item_served(cafe, "tea", at("2026-07-10T06:30Z"))
    assert not is_item_served(cafe, "tea", at("2026-07-10T07:30Z"))
