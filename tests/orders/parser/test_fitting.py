from collections.abc import Mapping

from tests.orders.parser.kiosk import MENU
from voice.orders.corpus import Example, lines_of
from voice.orders.parser.acts import ACTS, ActModel
from voice.orders.parser.draft import NEW, DraftLine
from voice.orders.parser.fitting import PRIOR, Candidate, Pool, fit
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parser, Unresolved
from voice.orders.parser.state import OpenQuestion
from voice.orders.parser.train import Parsed, Task, candidates, inherit, parse_examples, with_pending


def parsed(weights: Mapping[str, float], example: Example) -> Parsed:
    return next(candidates(Parser(MENU, Model(weights)), [example]))


def test_fitting_makes_the_right_parse_the_cheapest():
    example = Example(MENU, "latte muffin", (), [lines_of(MENU, "muffin")])
    weights = dict(PRIOR)
    assert not parsed(weights, example)[0][1].is_right
    pool: Pool = {}
    for number in range(3):
        pool |= {(number, rank): candidate for rank, candidate in parsed(weights, example)}
        weights, _ = fit([(pool, 1.0)], weights)
    assert parsed(weights, example)[0][1].is_right


def test_an_example_without_a_right_parse_teaches_nothing():
    taught: Pool = {0: Candidate({"a": 1.0}, is_right=True), 1: Candidate({"b": 1.0}, is_right=False)}
    wrong: Pool = {0: Candidate({"a": 1.0}, is_right=False)}
    assert fit([(taught, 1.0), (wrong, 1.0)], {}) == fit([(taught, 1.0)], {})
    weights, _ = fit([(taught, 1.0)], {})
    assert weights["a"] < weights["b"]


def test_of_examples_that_contradict_each_other_the_one_that_counts_more_is_followed():
    first: Pool = {0: Candidate({"a": 1.0}, is_right=True), 1: Candidate({"b": 1.0}, is_right=False)}
    second: Pool = {0: Candidate({"a": 1.0}, is_right=False), 1: Candidate({"b": 1.0}, is_right=True)}
    weights, _ = fit([(first, 1.0), (second, 0.2)], {})
    assert weights["a"] < weights["b"]
    weights, _ = fit([(first, 0.2), (second, 1.0)], {})
    assert weights["a"] > weights["b"]


def test_the_examples_of_a_menu_are_parsed_in_their_order():
    examples = [Example(MENU, text, (), [lines_of(MENU, text)]) for text in ("latte", "muffin")]
    inherit([ActModel(dict.fromkeys(("1 <item>", "1 muffin"), [9.0] + [0.0] * (len(ACTS) - 1)))])
    assert [parsed[0][1].is_right for parsed in parse_examples(Task(PRIOR, (), examples, 0, for_ranker=False))] == [True, True]


def test_only_the_ranker_gets_features_of_agreement():
    task = Task(PRIOR, (), [Example(MENU, "two lattes", (), [lines_of(MENU, "2 x latte")])], 0, for_ranker=False)
    assert not parse_examples(task)[0][0][1].agreement
    found = parse_examples(task._replace(for_ranker=True))[0][0][1]
    assert found.agreement["said.what=item.clarity=exact.effect=new.equal"] == 1.0
    assert not set(found.agreement) & set(found.features)


def test_what_a_turn_leaves_waiting_is_pending_in_the_next_one():
    asked = OpenQuestion("ambiguous", None, None, ("latte", "muffin"))
    waiting = [Unresolved(DraftLine(("latte", "muffin"), 3), is_available=True, replaces=NEW)]
    pending = with_pending(asked, waiting)
    assert pending is not None
    assert pending.pending == waiting[0].line
    assert with_pending(asked._replace(kind="unavailable"), waiting) == asked._replace(kind="unavailable")
    assert with_pending(asked._replace(line=0), waiting) == asked._replace(line=0)
