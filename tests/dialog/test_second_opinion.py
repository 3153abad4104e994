"""The second opinion: parses weighed with the order of the rule-based engine."""

import pytest

from schemas import LineRequest
from tests.dialog.shop import MENU, model
from voice.dialog.second_opinion import AGREEMENT, DECIDED, MAX_CHARACTERS, SecondOpinion, answers_first
from voice.dialog.state import Question, QuestionKind
from voice.menus.menu import Menu
from voice.orders.parser.acts import ActModel
from voice.orders.parser.draft import DraftLine
from voice.orders.parser.parser import Parse, Parser
from voice.orders.parser.state import Hypothesis

MENU_OF_TESTS = Menu.model_validate(MENU)
PARSER = Parser(MENU_OF_TESTS, model(), ActModel.load())
OPINION = SecondOpinion(MENU_OF_TESTS)
TWO, THREE = (PARSER.parse(text)[0] for text in ("two colas", "three colas"))


def test_the_opinion_agrees_with_a_parse_of_the_same_order():
    two, three = TWO.weighed(0.5), THREE.weighed(0.5)
    assert OPINION.weigh([two], "two colas", ()).agrees is True
    assert OPINION.weigh([three], "two colas", ()).agrees is False
    assert OPINION.weigh([two], "one more", PARSER.index.draft([LineRequest(item="cola", quantity=1)])).agrees is True


def test_the_order_of_the_opinion_becomes_likelier():
    parses = [THREE.weighed(0.6), TWO.weighed(0.4)]
    weighed = OPINION.weigh(parses, "two colas", ())
    assert (weighed.agrees, [parse.draft for parse in weighed.parses]) == (True, [TWO.draft, THREE.draft])
    first, second = (parse.probability for parse in weighed.parses)
    assert first + second == pytest.approx(1)
    assert first / second == pytest.approx(0.4 / 0.6 * 2.718281828**AGREEMENT)


def test_the_opinion_is_asked_only_if_it_can_change_which_parse_is_first():
    for above, agrees in ((0.001, None), (-0.001, True)):
        parses = [THREE.weighed(DECIDED + above), TWO.weighed(1 - DECIDED - above)]
        weighed = OPINION.weigh(parses, "two colas", ())
        assert (weighed.agrees, weighed.parses[0].draft) == (agrees, THREE.draft if agrees is None else TWO.draft)


def test_the_opinion_is_not_asked_about_a_long_utterance():
    assert OPINION.weigh([TWO.weighed(0.5)], "two colas" + " " * MAX_CHARACTERS, ()).agrees is None


WHICH = Question(QuestionKind.AMBIGUOUS, choices=("beef-pie", "veal-pie"))


def parse(probability, *lines):
    hypothesis = Hypothesis.start(lines)
    hypothesis.progress.n_edits = len(lines)
    return Parse(hypothesis, lines, probability, ())


def test_an_item_that_was_asked_about_is_likelier_than_no_edit():
    parses = answers_first([parse(0.6), parse(0.4, DraftLine(("veal-pie",), 1))], WHICH)
    assert parses[0].n_edits == 1
    assert sum(one.probability for one in parses) == pytest.approx(1)


@pytest.mark.parametrize(
    "line",
    [
        DraftLine(("cake",), 1),  # is not of the question
        DraftLine(("veal-pie",), 1, origin=0),  # was on the order
        DraftLine(("veal-pie",), 0),  # is not on the order
        DraftLine(("veal-pie", "beef-pie"), 1),  # leaves the question open
    ],
)
def test_other_edits_are_as_likely_as_they_were(line):
    assert [one.probability for one in answers_first([parse(0.6), parse(0.4, line)], WHICH)] == [0.6, 0.4]


def test_an_improbable_answer_stays_behind():
    assert answers_first([parse(0.9), parse(0.1, DraftLine(("veal-pie",), 1))], WHICH)[0].n_edits == 0
