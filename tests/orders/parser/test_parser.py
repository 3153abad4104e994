"""Parsing as a whole. Accuracy is measured by bench/parser.py."""

import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.corpus import lines_of
from voice.orders.parser.acts import ActModel
from voice.orders.parser.draft import denotation
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parser
from voice.orders.parser.state import OpenQuestion


@pytest.fixture(scope="module")
def parser():
    return Parser(MENU, Model.load(), ActModel.load())


@pytest.mark.parametrize(
    ("before", "utterance", "after"),
    [
        ("", "two lattes and a blueberry muffin", "2 x latte; muffin"),
        ("", "a large latte with an espresso shot", "latte [l, shot]"),
        ("latte", "make it large", "latte [l]"),
        ("latte; muffin", "remove the muffin", "latte"),
        ("2 x latte", "one of them large", "latte; latte [l]"),
        ("", "cho em hai trà sữa", "2 x milk-tea"),
        ("latte", "thanks a lot", "latte"),
    ],
)
def test_an_utterance_becomes_the_order_after_it(parser, before, utterance, after):
    (best, *_) = parser.parse(utterance, lines_of(MENU, before))
    assert denotation(best.draft) == denotation(parser.index.draft(lines_of(MENU, after)))


def test_an_answer_goes_to_the_open_question(parser):
    question = OpenQuestion("ambiguous", 0, "extras", ("black", "white"))
    (best, *_) = parser.parse("the black ones", lines_of(MENU, "milk-tea"), question=question)
    assert denotation(best.draft) == denotation(parser.index.draft(lines_of(MENU, "milk-tea [black]")))


def test_a_misspelt_word_that_distinguishes_the_choices_answers_the_open_question(parser):
    question = OpenQuestion("ambiguous", 0, "extras", ("black", "white"))
    (best, *_) = parser.parse("whyte", lines_of(MENU, "milk-tea"), question=question)
    assert denotation(best.draft) == denotation(parser.index.draft(lines_of(MENU, "milk-tea [white]")))


def test_parses_differ_in_meaning_and_their_probabilities_add_up_to_one(parser):
    parses = parser.parse("two lattes one large")
    meanings = {(denotation(parse.draft), frozenset(one.line.items for one in parse.unresolved)) for parse in parses}
    assert len(meanings) == len(parses) > 1
    assert sum(parse.probability for parse in parses) == pytest.approx(1, abs=0.05)
    assert [parse.probability for parse in parses] == sorted((parse.probability for parse in parses), reverse=True)


def test_a_parse_lists_the_tokens_that_it_leaves_unread(parser):
    (best, *_) = parser.parse("two lattes xylophone")
    assert best.unread == (2,)


def test_an_unavailable_item_is_not_on_the_draft():
    menu = MENU.model_copy(update={"items": {**MENU.items, "latte": MENU.items["latte"].model_copy(update={"available": False})}})
    (best, *_) = Parser(menu, Model.load()).parse("a latte")
    assert denotation(best.draft) == frozenset()


def test_each_sentence_tells_what_it_does():
    acts = ActModel({"1 love": [0.0] * 6 + [9.0, 0.0, 0.0], "1 want": [9.0] + [0.0] * 8})
    parser = Parser(MENU, Model.load(), acts)
    events = {event for parse in parser.parse("My kids love muffins. I want a latte.") for event in parse.events}
    assert ("sentence", "add", "talk") in events
    assert ("sentence", "add", "edit") in events
    assert not parser.parse("I want a latte.")[0].has_event("sentence")
