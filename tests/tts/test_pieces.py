"""Texts are cut where a speaker pauses."""

import pytest

from voice.tts.pieces import MAX_FIRST_CHARACTERS, cut


def test_sentences_are_pieces_and_nothing_is_lost():
    text = "Two lattes for you. Would you like ice? Eight thousand more."
    assert cut(text) == ["Two lattes for you.", "Would you like ice?", "Eight thousand more."]
    assert cut("") == []


@pytest.mark.parametrize(("text", "opening"), [("Got it, two lattes. Anything else?", "Got it,"), ("Dạ, hai cà phê sữa đá ạ.", "Dạ,")])
def test_the_opening_of_a_reply_is_a_piece_so_that_it_comes_from_the_cache(text, opening):
    assert cut(text)[0] == opening
    assert " ".join(cut(text)) == text


def test_a_long_first_sentence_begins_with_a_short_piece():
    text = "Hai trà sữa truyền thống cỡ lớn ít đường, một cà phê sữa đá, ba bánh mì ốp la. Mình dùng thêm gì nữa không ạ?"
    assert cut(text) == [
        "Hai trà sữa truyền thống cỡ lớn ít đường,",
        "một cà phê sữa đá, ba bánh mì ốp la.",
        "Mình dùng thêm gì nữa không ạ?",
    ]


def test_a_short_rest_is_not_a_piece_of_its_own():
    assert cut("Two large milk teas with less sugar, please, with black pearls, no ice.") == [
        "Two large milk teas with less sugar,",
        "please, with black pearls, no ice.",
    ]
    assert len("Two large milk teas with less sugar,") <= MAX_FIRST_CHARACTERS
