"""The ranker adds up embeddings, and learns what a sum of weights cannot tell."""

import random
from typing import Any

import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.parser.arc import Arc
from voice.orders.parser.fitting import Candidate
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parser
from voice.orders.parser.ranker import MAX_CACHED, Ranker
from voice.orders.parser.ranker_fitting import fit_ranker
from voice.orders.parser.roles import Role

NETWORK = {"bias": [0.0, 1.0], "hidden": [[1.0, 1.0], [0.0, 1.0]], "hidden_bias": [0.0, 0.0], "output": [2.0, 3.0]}


def arc(*features: str, value: float = 1.0) -> Arc:
    return Arc(1, Role.FILLER, None, tuple([(feature, value) for feature in features]), 0.0)


def test_the_log_odds_are_those_of_the_formula():
    ranker = Ranker({"a": [1.0, 0.0], "b": [-5.0, 1.0]}, [NETWORK])
    derivations: list[list[Any]] = [
        [arc("a")],
        [],
        [arc("a"), arc("a", value=0.5)],
        [arc("a", "b"), arc("unknown")],
        [("word", "add", "first", "a")],
    ]
    # The first layer is (1, 1), (0, 1), (1.5, 1), (0, 2) and (0, 1), the second one (1, 2), (0, 1), (1.5, 2.5), (0, 2) and (0, 1).
    assert ranker.log_odds(derivations).tolist() == [8.0, 3.0, 10.5, 6.0, 3.0]


def test_several_networks_give_their_mean():
    other = {**NETWORK, "output": [0.0, 1.0]}
    assert Ranker({"a": [1.0, 0.0, 0.0, 0.0]}, [NETWORK, other]).log_odds([[arc("a")]]).tolist() == [(8.0 + 1.0) / 2]


def test_more_events_than_are_cached_are_ranked_like_few():
    ranker = Ranker({"a": [1.0, 0.0]}, [NETWORK])
    many = [arc("a", value=number / MAX_CACHED) for number in range(MAX_CACHED + 10)]
    for _ in range(2):
        found = ranker.log_odds([[one] for one in many])
        assert found.tolist() == pytest.approx([3 + 5 * number / MAX_CACHED for number in range(MAX_CACHED + 10)], rel=1e-5)


def test_fitting_learns_which_features_belong_together():
    """Right is the parse with one of two features: no weights tell it from one with both and one with none."""
    chance = random.Random(1)  # noqa: S311 - no cryptography
    wrong = ({"c": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0})
    right = ({"a": 1.0, "c": 1.0}, {"b": 1.0, "c": 1.0})
    pools = [
        {number: Candidate(features, is_right) for number, (features, is_right) in enumerate([(chance.choice(right), True), (one, False)])}
        for _ in range(4000)
        for one in wrong
    ]
    ranker = Ranker(**fit_ranker([(pool, 1.0) for pool in pools], {}))
    none, both, first, second = ranker.log_odds([[arc("c")], [arc("a", "b", "c")], [arc("a", "c")], [arc("b", "c")]]).tolist()
    assert min(first, second) > max(none, both) + 4  # with embeddings as they were drawn: 1.6


def test_the_ranker_puts_another_parse_first_and_keeps_the_sum_of_the_probabilities():
    text = "two teas one large"
    plain = Parser(MENU, Model.load()).parse(text)
    assert plain[0].has_event("split")
    against_splits = Ranker({"split": [0.0, -1.0]}, [NETWORK])
    ranked = Parser(MENU, Model.load(), None, against_splits).parse(text)
    assert not ranked[0].has_event("split")
    assert sum(parse.probability for parse in ranked) == pytest.approx(sum(parse.probability for parse in plain))
