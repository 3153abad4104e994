"""What the parser does not know of an utterance: an item of which it was asked is named to be chosen."""

import pytest

from voice.dialog.second_opinion import answers_first
from voice.dialog.state import Question, QuestionKind
from voice.orders.parser.draft import DraftLine
from voice.orders.parser.parser import Parse

WHICH = Question(QuestionKind.AMBIGUOUS, choices=("beef-pie", "veal-pie"))


def parse(probability, *lines):
    return Parse(lines, 0.0, probability, (), (), (), len(lines), ())


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
