import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.parser.draft import MenuIndex, denotation
from voice.orders.parser.generation_distribution import DistributedExamples


def with_ice():
    """Return the menu with a group that has a choice for none."""
    size = MENU.option_groups["size"]
    choices = {key: size.choices["s"].model_copy(update={"name": name}) for key, name in (("ice", "Ice"), ("no-ice", "No ice"))}
    groups = {**MENU.option_groups, "ice": size.model_copy(update={"name": "Ice", "choices": choices})}
    items = {key: item.model_copy(update={"options": (*item.options, "ice") if item.options else ()}) for key, item in MENU.items.items()}
    both = {**items, "mocha": items["latte"].model_copy(update={"name": "Mocha"})}
    return MENU.model_copy(update={"option_groups": groups, "items": both})


@pytest.mark.parametrize("language", ["en", "vi"])
def test_each_kind_of_distribution_has_examples_with_another_order_and_no_gap_in_their_words(language):
    menu = with_ice()
    index, writer = MenuIndex(menu), DistributedExamples(menu, language)
    for _, maker in writer.distributed_makers():
        examples = [example for _ in range(30) if (example := maker()) is not None]
        assert examples, maker.__name__
        for example in examples:
            assert "{" not in example.utterance
            assert denotation(index.draft(example.lines)) != denotation(index.draft(example.right[0])), maker.__name__
