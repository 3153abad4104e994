"""The orders of the corpus fit its menus, and its README lists every set."""

import re
from collections import Counter
from datetime import date

import pytest
import yaml

from settings import ROOT
from voice.orders.corpus import CONVERSATIONS, DEVELOPMENT_CONVERSATIONS, conversation_sets, conversations, sentence_sets, sentences

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


def test_the_orders_of_a_sentence_fit_its_menu():
    for name in sentence_sets():
        for sentence in sentences(name):  # raises ValueError where a line or an option is not on the menu
            assert sentence.utterance.strip()
            assert all(sentence.menu.items[line.item].available for line in sentence.right[0]), sentence.utterance


def test_no_sentence_is_there_twice():
    said = Counter(
        (sentence.menu.name, sentence.utterance, str(sentence.lines)) for name in sentence_sets() for sentence in sentences(name)
    )
    assert [key for key, count in said.items() if count > 1] == []


def test_the_corpus_lists_every_set_with_its_size_and_its_use():
    table = re.findall(r"\| `(\w+/\w+)` \| (\S+) \| ([a-z ]+) \| (\d+) (\w+)", (ROOT / "corpus/README.md").read_text(encoding="utf-8"))
    uses = {name: use for name, _, use, _, _ in table}
    sizes = {name: int(size) for name, _, _, size, _ in table}
    assert sizes == {f"sentences/{name}": len(list(sentences(name))) for name in sentence_sets()} | {
        f"conversations/{name}": len(list(conversations(name))) for name in conversation_sets()
    }
    developed = {f"sentences/{name}" for name in sentence_sets()} | {f"conversations/{name}" for name in DEVELOPMENT_CONVERSATIONS}
    assert uses == {name: "development" if name in developed else "first contact" for name in sizes}
    assert all(date.fromisoformat(written) for _, written, _, _, _ in table)
