"""Edits that wait: the words fit several items, or the parser is not sure of them."""

import pytest

from voice.dialog.state import Question, QuestionKind
from voice.dialog.suspending import certain_answers, suspend_ambiguous
from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.parser.agreement import Agreement
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import DraftLine, DraftOption
from voice.orders.parser.parser import Parse
from voice.orders.parser.roles import Role
from voice.orders.parser.state import EditRecord, Hypothesis

MENU = Menu.model_validate(
    {
        "id": "pies",
        "name": "Pies",
        "currency": "USD",
        "languages": ["en"],
        "items": {name: {"name": name.replace("-", " "), "price": 1} for name in ("beef-pie", "veal-pie", "spicy-beef-pie", "cake")},
    }
)
TWO = DraftLine(("beef-pie",), 2, (DraftOption("size", ("large",)),))


def parse(line, probability, utterance, *, is_partial=True):
    start = 1 if utterance.startswith("two") else 0
    n_tokens = len(words.tokenize(utterance))
    hypothesis = Hypothesis.start((line,))
    hypothesis.progress.n_edits = 1
    hypothesis.progress.edits = (EditRecord(0, n_tokens, (), (line,)), None)
    hypothesis.trace = (Arc(1, Role.NUMBER, 2, (), 0.0), None) if start else None
    hypothesis.trace = (Arc(n_tokens - start, Role.ITEM, line.items, (), 0.0, is_partial=is_partial), hypothesis.trace)
    return Parse(hypothesis, (line,), probability, (), Agreement((), (), None))


def suspended(utterance, *rivals, is_partial=True):
    """Return the draft's quantities and the items that are asked about; `rivals`: lines of other parses, with their probabilities."""
    parses = [parse(TWO, 0.6, utterance, is_partial=is_partial)]
    parses += [parse(line, probability, utterance) for line, probability in rivals]
    draft = [TWO]
    questions = suspend_ambiguous(MENU, draft, parses, words.tokenize(utterance))
    return [line.quantity for line in draft], [question.choices for question in questions], questions


def test_a_part_of_a_name_that_fits_several_items_is_asked_about():
    quantities, choices, [question] = suspended("two pies", (TWO._replace(items=("veal-pie",)), 0.3))
    assert (quantities, choices) == ([0], [("beef-pie", "veal-pie")])
    assert (question.kind, question.pending.op) == ("ambiguous", "add")
    assert question.pending.line == DraftLine((), 2, TWO.options)


@pytest.mark.parametrize(
    ("utterance", "rival", "probability"),
    [
        ("two pies", TWO._replace(items=("veal-pie",)), 0.1),  # much less likely
        ("two pies", TWO._replace(items=("veal-pie",), quantity=1), 0.3),  # another order
        ("two pies", TWO._replace(items=("spicy-beef-pie",)), 0.3),  # more words of it were not said
    ],
)
def test_another_parse_is_no_rival(utterance, rival, probability):
    assert suspended(utterance, (rival, probability))[:2] == ([2], [])


def test_a_whole_name_is_not_asked_about():
    rival = TWO._replace(items=("veal-pie",)), 0.3
    assert suspended("two beef pie", rival)[:2] == ([2], [])
    assert suspended("two pies", rival, is_partial=False)[:2] == ([2], [])


def test_lines_that_were_on_the_order_stay():
    old = TWO._replace(origin=0)
    parses = [parse(old, 0.6, "two pies"), parse(old._replace(items=("veal-pie",)), 0.3, "two pies")]
    draft = [old]
    assert suspend_ambiguous(MENU, draft, parses, words.tokenize("two pies")) == []
    assert draft == [old]


# --- Answers are not checked ----------------------------------------------------------------------------------------------------------

SMALL, LARGE, LID = (DraftOption(group, (choice,)) for group, choice in (("size", "small"), ("size", "large"), ("lid", "lid")))
PIE = DraftLine(("beef-pie",), 2, (LID,), 0)
SIZE = Question(QuestionKind.MISSING, 0, "size", ("small", "large"))


@pytest.mark.parametrize(
    ("new", "confidence"),
    [
        (PIE._replace(options=(LID, SMALL)), 1.0),
        (PIE._replace(options=(LID, SMALL, LARGE)), 1.0),
        (PIE._replace(options=(SMALL,)), 0.3),  # another option went
        (PIE._replace(options=(LID, SMALL), quantity=1), 0.3),
        (PIE._replace(options=(LID, DraftOption("size", ("huge",)))), 0.3),  # was not offered
        (PIE._replace(options=()), 0.3),
    ],
)
def test_an_edit_that_is_an_answer_alone_is_certain(new, confidence):
    assert certain_answers(MENU, {0: 0.3, 1: 0.2}, [new, TWO], (PIE,), [SIZE]) == {0: confidence, 1: 0.2}
