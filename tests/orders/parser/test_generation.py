import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.parser.draft import MenuIndex, denotation
from voice.orders.parser.generation_persons import PersonExamples
from voice.orders.parser.train import mentions_of

CHANGES = (
    *("_copy", "_copy_all", "_copy_over", "_copy_group", "_also", "_replace_keeping", "_replace_choice"),
    *("_correct_answer", "_correct_number", "_counted_portions"),
)


def made(language, maker):
    """Return examples of one kind."""
    writer = PersonExamples(MENU, language)
    return [example for _ in range(30) if (example := getattr(writer, maker)()) is not None]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_each_kind_of_change_has_examples_with_another_order_and_no_gap_in_their_words(language):
    index = MenuIndex(MENU)
    for maker in CHANGES:
        assert made(language, maker), maker
        for example in made(language, maker):
            assert "{" not in example.utterance
            assert denotation(index.draft(example.lines)) != denotation(index.draft(example.right[0]))


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_persons_of_an_example_are_found_in_its_words_with_their_lines(language):
    examples = made(language, "_person")
    assert examples
    assert all({mention.lines for mention in mentions_of(example)} <= {lines for _, lines in example.persons} for example in examples)
    assert all(list(mentions_of(example)) for example in examples)
