"""How complete an utterance is, in the light of the question that was asked."""

import pytest

from schemas import Conversation
from tests.dialog.shop import line, say, shop
from voice.dialog.completeness import Completeness, completeness
from voice.dialog.wire import state_of

SIZE = {"kind": "missing", "line": 0, "group": "size", "choices": ["small", "large"]}
COUNT = {"kind": "missing", "line": 0}
IS_RIGHT = {"kind": "confirm", "line": None}
MORE = {"kind": "more"}


@pytest.mark.parametrize(
    ("utterance", "asked", "expected"),
    [
        ("large", SIZE, Completeness.COMPLETE),
        ("dạ cỡ lớn", SIZE, Completeness.COMPLETE),
        ("large and", SIZE, Completeness.UNFINISHED),
        ("the weather", SIZE, Completeness.MEANINGLESS),
        ("what is in the lemonade", SIZE, Completeness.UNDECIDED),
        ("two", COUNT, Completeness.COMPLETE),
        ("yes", IS_RIGHT, Completeness.COMPLETE),
        ("yes", MORE, Completeness.UNDECIDED),
        ("that's all", MORE, Completeness.COMPLETE),
        ("a cola", MORE, Completeness.CLOSED),
        ("a lemonade with", MORE, Completeness.UNFINISHED),
        ("a lemonade and two", MORE, Completeness.UNFINISHED),
        ("cho em một", MORE, Completeness.UNFINISHED),
        ("một nước chanh với", MORE, Completeness.UNFINISHED),
        ("một nước chanh à", MORE, Completeness.UNFINISHED),
        ("a milk tea", MORE, Completeness.UNDECIDED),  # of which size?
        ("a cola with oat flurb", MORE, Completeness.UNDECIDED),
        ("", MORE, Completeness.MEANINGLESS),
    ],
)
def test_it_is_judged_by_the_last_words_the_act_and_what_is_left_to_ask(utterance, asked, expected):
    before = {"lines": [line("milk-tea") if asked is SIZE else line("lemonade")], "questions": [asked]}
    state = state_of(shop().menu, Conversation.model_validate(before))
    assert completeness(utterance, state, say(utterance, before)) is expected
