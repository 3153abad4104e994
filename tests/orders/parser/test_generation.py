import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.parser.draft import MenuIndex, denotation
from voice.orders.parser.generation_changes import ChangeExamples

MAKERS = [
    name
    for name in vars(ChangeExamples)
    if name in {"_copy", "_also", "_portions"} or name.startswith(("_copy_", "_replace_", "_correct_"))
]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_each_kind_of_change_has_examples_with_another_order_and_no_gap_in_their_words(language):
    writer, index = ChangeExamples(MENU, language), MenuIndex(MENU)
    for maker in MAKERS:
        made = [example for _ in range(30) if (example := getattr(writer, maker)()) is not None]
        assert made, maker
        for example in made:
            assert "{" not in example.utterance
            assert denotation(index.draft(example.lines)) != denotation(index.draft(example.right[0]))
