"""The conversations of the corpus fit their menus; what is understood of them is measured, not tested."""

import re

import pytest
import yaml

from settings import ROOT
from voice.orders.parser.corpus import CONVERSATIONS, DEVELOPMENT, conversation_sets, conversations

KINDS = {"ambiguous", "missing", "unavailable", "check", "offer", "more", "confirm"}
ACTS = {"order", "answer", "change", "remove", "done", "deny", "confirm", "cancel", "question", "repeat", "human", "smalltalk", "none"}


@pytest.mark.parametrize("name", conversation_sets())
def test_the_orders_of_a_conversation_fit_its_menu(name):
    turns = list(conversations(name))  # raises ValueError where a line or an option is not on the menu
    assert all(turn.utterance.strip() for turn in turns)
    assert all(turn.menu.items[line.item].available for turn in turns for lines in turn.right for line in lines)
    assert {turn.question.kind for turn in turns if turn.question is not None} <= KINDS
    assert all(turn.question.line < len(turn.lines) for turn in turns if turn.question is not None and turn.question.line is not None)


def test_the_acts_are_those_of_the_contract():
    files = [yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) for path in CONVERSATIONS.glob("*/*.conversations.yaml")]
    assert {turn["act"] for file in files for conversation in file["conversations"] for turn in conversation["turns"]} == ACTS


def test_the_corpus_says_how_large_it_is_and_what_it_is_for():
    said = re.sub(r"\s+", " ", (ROOT / "corpus/README.md").read_text(encoding="utf-8"))
    n_turns = sum(len(list(conversations(name))) for name in conversation_sets())
    assert f"{n_turns:,} customer turns" in said
    (developed,) = re.findall(r"\| ([^|]*) \| [^|]* \| development \|", said)
    assert set(re.findall(r"conversations/(\w+)", developed)) == set(DEVELOPMENT)
