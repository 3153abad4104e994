"""Parsing as a whole. Accuracy is measured by bench/parser.py."""

import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.corpus import lines_of
from voice.orders.parser.acts import ActModel
from voice.orders.parser.draft import MenuIndex, denotation
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


@pytest.mark.parametrize("utterance", ["one with, one without", "1 có 1 ko", "một cái khỏi, một cái có"])
def test_words_for_having_and_not_having_choose_where_one_choice_stands_for_none(utterance):
    ice = MENU.option_groups["size"].model_copy(update={"name": "Ice"})
    choices = {key: ice.choices["s"].model_copy(update={"name": name}) for key, name in (("yes", "Ice"), ("no", "No ice"))}
    groups = {**MENU.option_groups, "ice": ice.model_copy(update={"choices": choices})}
    items = {**MENU.items, "latte": MENU.items["latte"].model_copy(update={"options": ("ice",)})}
    menu = MENU.model_copy(update={"option_groups": groups, "items": items})
    question = OpenQuestion("missing", 0, "ice", ("yes", "no"))
    (best, *_) = Parser(menu, Model.load(), ActModel.load()).parse(utterance, lines_of(menu, "2 x latte"), question=question)
    assert denotation(best.draft) == denotation(MenuIndex(menu).draft(lines_of(menu, "latte [yes]; latte [no]")))


@pytest.mark.parametrize(
    ("before", "utterance", "after"),
    [
        ("", "two lattes, small in mine, large in hers", "latte [s]; latte [l]"),
        ("latte [s]; milk-tea [l]", "the other way round", "latte [l]; milk-tea [s]"),
        ("2 x latte [s]", "make one large, the other one stays", "latte [s]; latte [l]"),
        ("2 x latte [s]", "một ly large, ly kia giữ nguyên", "latte [s]; latte [l]"),
        ("latte; muffin; milk-tea", "espresso shot on everything but the milk tea", "latte [shot]; muffin; milk-tea"),
        ("latte [s]; latte [l]", "espresso shot in the large one", "latte [s]; latte [l, shot]"),
    ],
)
def test_what_is_distributed_over_lines_and_units_goes_to_each_of_them(parser, before, utterance, after):
    parses = parser.parse(utterance, lines_of(MENU, before))
    assert denotation(parser.index.draft(lines_of(MENU, after))) in [denotation(parse.draft) for parse in parses[:2]]
