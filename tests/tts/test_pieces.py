"""Texts are cut where a speaker pauses."""

from voice.tts.pieces import MAX_FIRST_CHARACTERS, cut


def test_sentences_are_pieces_and_nothing_is_lost():
    text = "Got it, two lattes. Would you like ice? Eight thousand more."
    assert cut(text) == ["Got it, two lattes.", "Would you like ice?", "Eight thousand more."]
    assert cut("") == []


def test_a_long_first_sentence_begins_with_a_short_piece():
    text = "Dạ, hai trà sữa truyền thống cỡ lớn ít đường, một cà phê sữa đá, ba bánh mì ốp la. Mình dùng thêm gì nữa không ạ?"
    pieces = cut(text)
    assert " ".join(pieces) == text
    assert pieces[0] == "Dạ, hai trà sữa truyền thống cỡ lớn ít đường,"
    assert len(pieces) == 3


def test_a_short_rest_is_not_a_piece_of_its_own():
    assert cut("Two large milk teas with less sugar, black pearls and no ice, please.") == [
        "Two large milk teas with less sugar,",
        "black pearls and no ice, please.",
    ]
    assert len("Two large milk teas with less sugar,") <= MAX_FIRST_CHARACTERS
