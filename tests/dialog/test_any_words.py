"""Whatever is said, the reply is a state that the next request may send back."""

import random

import pytest

from schemas import Conversation
from tests.any_words import any_words, faults
from tests.dialog.shop import MENU, model
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.menus.menu import Menu

ANSWERS = ("yes", "no", "thôi", "đúng rồi", "that's all", "both", "the second one", "two", "large", "dị ứng sữa", "cancel my order")
N_CONVERSATIONS, N_TURNS = 15, 5


@pytest.mark.parametrize("ask_below", [0.0, 0.6])
def test_a_conversation_of_random_words_has_no_faults(ask_below):
    menu, rng = Menu.model_validate(MENU), random.Random(ask_below)  # noqa: S311 - no cryptography
    engine = DialogEngine(menu, ask_below, model())
    for _ in range(N_CONVERSATIONS):
        state: dict[str, object] = {}
        for _ in range(N_TURNS):
            text = rng.choice(ANSWERS) if rng.random() < 0.3 else any_words(menu, rng)[0]
            reply = engine.take_turn(text, state_of(menu, Conversation.model_validate(state)))
            assert faults(engine, reply) == [], text
            state = {"lines": reply["lines"], "questions": reply["questions"], "changes": reply["changes"], "notes": reply["notes"]}
