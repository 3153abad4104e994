"""Pressed keys as answers to the open question."""

from typing import Any

import pytest

from voice.calls.keypad import answer, asks_for_a_number


def question(kind: str, *choices: str, group: str | None = None, line: int | None = 0) -> Any:
    return {"kind": kind, "line": line, "group": group, "choices": list(choices), "text": "", "blocks": True, "times": 1}


@pytest.mark.parametrize(
    ("keys", "asked", "text"),
    [
        ("1", question("ambiguous", "black-pearls", "white-pearls", group="topping"), "Trân châu đen"),
        ("2", question("ambiguous", "black-pearls", "white-pearls", group="topping"), "Trân châu trắng"),
        ("3", question("ambiguous", "black-pearls", "white-pearls", group="topping"), None),
        ("2", question("unavailable", "latte", "cappuccino", line=None), "Cappuccino"),
        ("1", question("check"), "ừ"),
        ("2", question("confirm", line=None), "không"),
        ("1", question("offer", "latte", line=None), "ừ"),
        ("2", question("offer", "latte", "cappuccino", line=None), "Cappuccino"),
        ("3", question("check"), None),
        ("12", question("missing"), "12"),
        ("#", question("missing"), None),
        ("1", None, None),
    ],
)
def test_a_key_is_a_choice_by_its_place_a_yes_a_no_or_a_digit(engine, keys, asked, text):
    assert answer(keys, asked, engine.menu, "vi") == text


def test_a_question_without_a_line_asks_for_no_number():
    assert asks_for_a_number(question("missing"))
    assert not asks_for_a_number(question("missing", line=None))
    assert not asks_for_a_number(question("missing", group="size"))
