"""The calibrated confidence of lines, through the engine whose readings it rates."""

import pytest

from tests.orders.diner import MENU
from voice.orders.engine import OrderEngine
from voice.orders.line_confidence import INTERCEPT, MAX_UNMATCHED, confidence_of

ENGINE = OrderEngine(MENU, ask_below=0.0)


def confidence(text):
    return ENGINE.understand(text)["lines"][0]["confidence"]


def test_a_line_without_a_penalty_is_certain():
    assert confidence_of(0.0, 0) == pytest.approx(1.0)


def test_penalties_and_unmatched_words_lower_the_confidence():
    assert confidence_of(0.0, 0) > confidence_of(1.0, 0) > confidence_of(1.0, 1) > confidence_of(2.0, 1) > 0.0


def test_more_unmatched_words_than_the_maximum_change_nothing():
    assert confidence_of(1.0, MAX_UNMATCHED) == confidence_of(1.0, MAX_UNMATCHED + 5) < confidence_of(1.0, MAX_UNMATCHED - 1)


def test_any_penalty_gives_a_probability():
    assert 0.0 <= confidence_of(1e9, 1000) < 1e-9
    assert confidence_of(INTERCEPT, 0) == pytest.approx(0.5, abs=0.01)


def test_a_name_that_is_said_exactly_and_counted_is_surer_than_one_that_is_not():
    assert confidence("one latte") > confidence("latte") > confidence("lattee")


def test_words_that_nothing_uses_make_the_line_less_sure():
    assert confidence("one latte") > confidence("one latte xylophone zeppelin")
