"""Generated examples of two edits, and examples in other words."""

import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.corpus import Example, lines_of
from voice.orders.parser.generation import generated
from voice.orders.parser.generation_talk import Rewriter
from voice.orders.parser.generation_words import templates_of

EXAMPLES = [Example(MENU, "Hello! Two large lattes, and a muffin please.", (), [lines_of(MENU, "2 x latte [l]; muffin")])] * 200


def test_examples_in_other_words_keep_their_orders():
    rewritten = list(Rewriter("en", "a").rewritten(EXAMPLES, 1.0))
    assert len(rewritten) > len(EXAMPLES) / 2
    assert all(example.right == EXAMPLES[0].right and example.utterance != EXAMPLES[0].utterance for example in rewritten)
    assert len({example.utterance for example in rewritten}) > len(rewritten) / 3


def test_talk_stands_around_an_utterance():
    templates = templates_of("en")
    talked = [
        example.utterance for example in Rewriter("en", "a").rewritten(EXAMPLES, 1.0) if "Hello! Two large lattes" in example.utterance
    ]
    assert any(utterance.startswith(tuple(templates["lead_ins"])) for utterance in talked)
    assert any(utterance.endswith(tuple(templates["asides"])) for utterance in talked)


def test_a_share_of_the_examples_is_written_in_other_words():
    assert not list(Rewriter("en", "a").rewritten(EXAMPLES, 0.0))
    assert 40 < len(list(Rewriter("en", "a").rewritten(EXAMPLES, 0.5))) < 120


@pytest.mark.parametrize("language", ["en", "vi"])
def test_each_template_of_talk_names_nothing_of_a_menu(language):
    assert all("{" not in talk for key in ("lead_ins", "asides", "edit_joins") for talk in templates_of(language)[key])


def test_generated_examples_have_two_edits_at_once():
    joins = tuple(templates_of("en")["edit_joins"])
    two = [example for example in generated(MENU, "en", 400) if example.lines and any(join in example.utterance for join in joins)]
    changed = [
        sum(line not in example.right[0] for line in example.lines) + sum(line not in example.lines for line in example.right[0])
        for example in two
    ]
    assert max(changed) >= 3  # a line is changed or removed, and another one changed, removed or added
