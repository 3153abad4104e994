import pytest

from voice.orders import words
from voice.orders.parser.splitting import WordSplitter

SPLITTER = WordSplitter({"tràsữa": True, "bánhmì": True, "trà": False, "ham": False, "latte": False}, ["hai", "ba", "two"], {"hailatte"})


def surfaces(utterance):
    return [token.surface for token in SPLITTER.split(words.tokenize(utterance))]


@pytest.mark.parametrize(
    ("utterance", "expected"),
    [
        ("haitrasua", ["hai", "trasua"]),
        ("batràsữa", ["ba", "tràsữa"]),
        ("twolattes", ["two", "lattes"]),
        ("cho trasuabanhmi nha", ["cho", "trasua", "banhmi", "nha"]),
        ("haitrasuabanhmi", ["hai", "trasua", "banhmi"]),
    ],
)
def test_a_number_and_names_that_are_written_together_are_split(utterance, expected):
    assert surfaces(utterance) == expected


@pytest.mark.parametrize("word", ["trasua", "hai", "hailatte", "hamlatte", "haiburger", "lattebar"])
def test_a_known_word_and_one_with_other_parts_stay_whole(word):
    assert surfaces(word) == [word]


def test_the_parts_of_a_word_have_their_places_in_the_utterance():
    utterance = "cho haitrasua"
    assert [utterance[token.start : token.end] for token in SPLITTER.split(words.tokenize(utterance))] == ["cho", "hai", "trasua"]
