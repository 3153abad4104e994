"""What the dialog reads in an utterance besides the parses."""

import pytest

from tests.dialog.shop import MENU, model
from voice.dialog.reading import UtteranceReader
from voice.dialog.state import State
from voice.menus.menu import Menu
from voice.orders.parser.acts import ActModel
from voice.orders.parser.ranker import Ranker

READER = UtteranceReader(Menu.model_validate(MENU), model(), ActModel.load(), Ranker.load())


@pytest.mark.parametrize(("text", "number"), [("the cola one", 0), ("Well, the cola one", 0), ("one cola", 1), ("So, three colas", 3)])
def test_one_behind_a_name_is_no_number_with_punctuation_before_it_too(text, number):
    assert READER.read(text, State()).number == number
