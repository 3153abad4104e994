from tests.orders.parser.kiosk import MENU
from voice.orders.corpus import Example, lines_of
from voice.orders.parser.fitting import PRIOR, Candidate, Pool, fit
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parser
from voice.orders.parser.train import Task, candidates, parse_examples


def test_fitting_makes_the_right_parse_the_cheapest():
    example = Example(MENU, "latte muffin", (), [lines_of(MENU, "muffin")])
    weights = dict(PRIOR)
    assert not candidates(Parser(MENU, Model(weights)), example)[0][1].is_right
    pool: Pool = {}
    for number in range(3):
        pool |= {(number, meaning): candidate for meaning, candidate in candidates(Parser(MENU, Model(weights)), example)}
        weights, _ = fit([pool], weights)
    assert candidates(Parser(MENU, Model(weights)), example)[0][1].is_right


def test_an_example_without_a_right_parse_teaches_nothing():
    taught: Pool = {0: Candidate({"a": 1.0}, is_right=True), 1: Candidate({"b": 1.0}, is_right=False)}
    wrong: Pool = {0: Candidate({"a": 1.0}, is_right=False)}
    assert fit([taught, wrong], {}) == fit([taught], {})
    weights, _ = fit([taught], {})
    assert weights["a"] < weights["b"]


def test_the_examples_of_a_menu_are_parsed_in_their_order():
    examples = [Example(MENU, text, (), [lines_of(MENU, text)]) for text in ("latte", "muffin")]
    assert [parsed[0][1].is_right for parsed in parse_examples(Task(PRIOR, (), examples, [{"edit": 0.1}] * 2))] == [True, True]
