"""The parser with learned weights: each layer by itself. How well it understands is measured in bench/parser.py."""

import pytest

from schemas import Menu
from voice.orders import words
from voice.orders.parser.corpus import Example, lines_of
from voice.orders.parser.draft import ChoiceRef, Line, MenuIndex, Option, Selection, denotation
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import EVENTS, PAIRS, Model, features_of
from voice.orders.parser.parser import Parser
from voice.orders.parser.reduce import Question
from voice.orders.parser.roles import Role
from voice.orders.parser.train import PRIOR, Pool, candidates, fit

MENU = Menu.model_validate(
    {
        "id": "kiosk",
        "name": "Kiosk",
        "currency": "USD",
        "option_groups": {
            "size": {"name": "Size", "choices": {"s": {"name": "Small"}, "l": {"name": "Large 16 oz"}}},
            "extras": {
                "name": "Extras",
                "select": "many",
                "choices": {"shot": {"name": "Espresso shot"}, "black": {"name": "Black pearls"}, "white": {"name": "White pearls"}},
            },
        },
        "items": {
            "latte": {"name": "Latte", "price": 400, "options": ["size", "extras"]},
            "milk-tea": {"name": "Milk tea", "aliases": ["Trà sữa"], "price": 450, "options": ["size", "extras"]},
            "muffin": {"name": "Blueberry muffin", "price": 300},
        },
    }
)
PRIOR_MODEL = Model(PRIOR)


@pytest.fixture(scope="module")
def index():
    return MenuIndex(MENU)


@pytest.fixture(scope="module")
def parser():
    return Parser(MENU, Model.load())


def selection(group, *choices, amount=None, quantity=1):
    return Selection(tuple(ChoiceRef(group, choice) for choice in choices), amount, quantity)


# --- Drafts


def test_a_second_choice_of_a_one_of_group_replaces_the_first(index):
    line = index.select(Line(("latte",), 1), selection("size", "s")).line
    selected = index.select(line, selection("size", "l"))
    assert selected.line.options == (Option("size", ("l",)),)
    assert selected.replaced


def test_leaving_out_what_is_listed_removes_it_and_else_lists_it(index):
    without = selection("extras", "shot", amount="no")
    listed = Line(("latte",), 1, (Option("extras", ("shot",)),))
    assert index.select(listed, without).line.options == ()
    assert index.select(Line(("latte",), 1), without).line.options == (Option("extras", ("shot",), "no"),)


def test_an_item_takes_only_the_groups_that_it_offers(index):
    assert index.select(Line(("muffin",), 1), selection("size", "l")) is None
    assert index.select(Line(("muffin", "latte"), 1), selection("size", "l")).line.items == ("latte",)


def test_equal_orders_have_one_denotation():
    one, two = Line(("latte",), 1), Line(("muffin",), 2)
    assert denotation((one, two)) == denotation((two, one)) == denotation((two, one, one._replace(quantity=0)))
    assert denotation((one, one)) == denotation((one._replace(quantity=2),))


# --- The lattice


def arcs(said, model=PRIOR_MODEL):
    return Lexicon(MENU, model).lattice(words.tokenize(said))


@pytest.mark.parametrize("said", ["latte", "lattes", "late", "Latté", "lat te"])
def test_a_name_is_found_as_it_is_misspelt(said):
    assert any(arc.role is Role.ITEM and arc.value == ("latte",) for arc in arcs(said)[0])


def test_part_of_a_name_is_a_partial_arc_with_the_share_that_lacks():
    (large,) = [arc for arc in arcs("large")[0] if arc.role is Role.OPTION]
    (muffin,) = [arc for arc in arcs("muffin")[0] if arc.role is Role.ITEM]
    assert large.partial
    assert muffin.partial
    assert 0 < dict(large.features)["name.lack"] < dict(muffin.features)["name.lack"] < 1  # a size in ounces names little


def test_every_token_can_be_left_unread():
    assert all(any(arc.role is Role.UNREAD and arc.length == 1 for arc in row) for row in arcs("two lattes and a xylophone"))


def test_a_number_of_another_type_is_told_by_its_features():
    rows = arcs("a latte in 5 minutes")
    assert any("span.duration" in dict(arc.features) for row in rows for arc in row if arc.role is Role.TALK)
    numbers = [arc for row in rows for arc in row if arc.role is Role.NUMBER]
    assert numbers
    assert all("number.typed.duration" in dict(arc.features) for arc in numbers)


# --- The model


def test_the_pairs_of_features_name_attributes_of_their_event():
    assert all({first, second} <= set(EVENTS[event]) for event, pairs in PAIRS.items() for first, second in pairs)


def test_an_event_costs_the_weights_of_its_features():
    model = Model({"no_edit": 0.5, "no_edit.schema=add": 0.25})
    assert [feature for feature, _ in features_of(("no_edit", "add"))] == ["no_edit", "no_edit.schema=add"]
    assert (model.cost(("no_edit", "add")), model.cost(("no_edit", "split"))) == (0.75, 0.5)


# --- Parsing


@pytest.mark.parametrize(
    ("before", "said", "after"),
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
def test_an_utterance_becomes_the_order_after_it(parser, before, said, after):
    (best, *_) = parser.parse(said, lines_of(MENU, before))
    assert denotation(best.draft) == denotation(parser.index.draft(lines_of(MENU, after)))


def test_an_answer_goes_to_what_was_asked(parser):
    question = Question("ambiguous", 0, "extras", ("black", "white"))
    (best, *_) = parser.parse("the black ones", lines_of(MENU, "milk-tea"), question=question)
    assert denotation(best.draft) == denotation(parser.index.draft(lines_of(MENU, "milk-tea [black]")))


def test_the_parses_differ_in_meaning_and_their_probabilities_add_up(parser):
    parses = parser.parse("two lattes one large")
    assert len({denotation(parse.draft) for parse in parses}) == len(parses) > 1
    assert sum(parse.probability for parse in parses) == pytest.approx(1, abs=0.05)
    assert [parse.cost for parse in parses] == sorted(parse.cost for parse in parses)


def test_an_item_that_is_unavailable_is_not_on_the_draft():
    menu = MENU.model_copy(update={"items": {**MENU.items, "latte": MENU.items["latte"].model_copy(update={"available": False})}})
    (best, *_) = Parser(menu, Model.load()).parse("a latte")
    assert denotation(best.draft) == frozenset()


# --- Fitting


def test_fitting_makes_the_right_parse_the_cheapest():
    example = Example(MENU, "latte muffin", (), [lines_of(MENU, "muffin")])
    weights = dict(PRIOR)
    assert not candidates(Parser(MENU, Model(weights)), example)[0][1].is_right
    pool: Pool = {}
    for round_ in range(3):
        pool |= {(round_, meaning): candidate for meaning, candidate in candidates(Parser(MENU, Model(weights)), example)}
        weights, _ = fit([pool], weights)
    assert candidates(Parser(MENU, Model(weights)), example)[0][1].is_right
