"""Each sentence of the corpus becomes its order; a sentence that is known to be misunderstood is expected to fail."""

from itertools import groupby
from operator import attrgetter

import pytest

from tests.order_notation import meaning
from tests.single_turns import understand
from voice.dialog.turn import DialogEngine
from voice.orders.corpus import sentence_sets, sentences

MISSED = pytest.mark.xfail(reason="known miss", raises=AssertionError, strict=True)


def parameters():
    for name in sentence_sets():
        for menu_id, of_menu in groupby(sentences(name), key=attrgetter("menu.id")):
            for number, sentence in enumerate(of_menu, 1):
                yield pytest.param(sentence, id=f"{name}-{menu_id}-{number}", marks=MISSED if sentence.missed else ())


@pytest.fixture(scope="module")
def engine_of():
    """Return the order engine of a menu, compiled once; it applies every edit, however low its confidence."""
    engines: dict[int, DialogEngine] = {}

    def engine(menu):
        if id(menu) not in engines:
            engines[id(menu)] = DialogEngine(menu, ask_below=0)
        return engines[id(menu)]

    return engine


def quantity_questions(order):
    return [
        question["kind"]
        for question in order["questions"]
        if question["kind"] == "check" or (question["kind"] == "missing" and question["group"] is None and question["line"] is not None)
    ]


@pytest.mark.parametrize("sentence", list(parameters()))
def test_a_sentence_becomes_its_order(engine_of, sentence):
    order = understand(engine_of(sentence.menu), sentence.utterance, sentence.lines)
    assert meaning(order["lines"]) == meaning(sentence.right[0]), sentence.utterance
    if sentence.asks is not None:
        assert quantity_questions(order) == list(sentence.asks), sentence.utterance
