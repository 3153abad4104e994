"""The second opinion: parses weighed with the order of the rule-based engine."""

import pytest

from schemas import LineRequest, Menu
from tests.dialog.shop import MENU, model
from voice.dialog.second_opinion import AGREEMENT, SecondOpinion
from voice.orders.parser.acts import ActModel
from voice.orders.parser.parser import Parser

MENU_OF_TESTS = Menu.model_validate(MENU)
PARSER = Parser(MENU_OF_TESTS, model(), ActModel.load())
OPINION = SecondOpinion(MENU_OF_TESTS, PARSER.index)
TWO, THREE = (PARSER.parse(text)[0] for text in ("two colas", "three colas"))


def test_the_opinion_agrees_with_a_parse_of_the_same_order():
    assert OPINION.weigh([TWO], "two colas", []).agrees is True
    assert OPINION.weigh([THREE], "two colas", []).agrees is False
    assert OPINION.weigh([TWO], "one more", [LineRequest(item="cola", quantity=1)]).agrees is True


def test_the_order_of_the_opinion_becomes_likelier():
    parses = [THREE._replace(probability=0.6), TWO._replace(probability=0.4)]
    weighed = OPINION.weigh(parses, "two colas", [])
    assert (weighed.agrees, [parse.draft for parse in weighed.parses]) == (True, [TWO.draft, THREE.draft])
    first, second = (parse.probability for parse in weighed.parses)
    assert first + second == pytest.approx(1)
    assert first / second == pytest.approx(0.4 / 0.6 * 2.718281828**AGREEMENT)


def test_a_parse_that_is_much_likelier_stays_first():
    parses = [THREE._replace(probability=0.99), TWO._replace(probability=0.01)]
    weighed = OPINION.weigh(parses, "two colas", [])
    assert (weighed.agrees, weighed.parses[0].draft) == (False, THREE.draft)
