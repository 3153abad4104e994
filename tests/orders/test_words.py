"""Tokens and the normal forms of their spelling."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.orders import words


def surfaces(text):
    return [token.surface for token in words.tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 cà-phê, x2 7up 50% I’d", ["2", "cà", "phê", ",", "x", "2", "7", "up", "50", "%", "id"]),
        ("at 7 p.m. & 8:15", ["at", "7", "pm", "and", "8:15"]),
        ("2,5 or 2.5", ["2.5", "or", "2.5"]),
        ('a 9" pizza', ["a", "9", "inch", "pizza"]),
        ('the "7" combo', ["the", "7", "combo"]),
        ("order #45", ["order", "number", "45"]),
        ("", []),
    ],
)
def test_an_utterance_is_split_into_words_numbers_and_signs(text, expected):
    assert surfaces(text) == expected


def test_a_token_has_the_code_points_of_its_text():
    utterance = "2 cà-phê, x2 7up 50% I’d"
    found = words.tokenize(utterance)
    assert [utterance[token.start : token.end] for token in found] == ["2", "cà", "phê", ",", "x", "2", "7", "up", "50", "%", "I’d"]


def test_a_letter_that_is_written_three_times_or_more_is_one_letter():
    assert surfaces("Pleeease sooo gooood nhaaaa III 111") == ["please", "so", "god", "nha", "iii", "111"]


def test_only_a_word_spelt_like_a_proper_name_is_capital():
    assert [token.capital for token in words.tokenize("Anna ANNA anna Đức")] == [True, False, False, True]


@given(st.text(max_size=60))
def test_tokens_of_any_text_are_in_order_and_within_it(text):
    end = 0
    for token in words.tokenize(text):
        assert end <= token.start < token.end <= len(text)
        end = token.end


@given(st.text(alphabet="aăâeêioôơuưyđbcdghklmnpqrstvxáàảãạếồửợị ", max_size=40))
def test_case_and_unicode_normal_form_do_not_change_tokens(text):
    plain = [(token.surface, token.key) for token in words.tokenize(text)]
    assert [(token.surface, token.key) for token in words.tokenize(unicodedata.normalize("NFC", text.upper()))] == plain


def test_a_phrase_has_no_punctuation():
    assert words.phrase("Ham, egg & cheese!") == ("ham", "egg", "and", "cheese")


def test_one_word_with_diacritics_makes_an_utterance_marked():
    assert words.has_diacritics(words.tokenize("hai ly trà"))
    assert not words.has_diacritics(words.tokenize("hai ly tra"))


def test_folding_removes_all_diacritics_and_tone_removal_keeps_the_vowels():
    assert (words.fold("Đá sữa"), words.toneless("đá sữa")) == ("Da sua", "đa sưa")
    assert words.tone_marks("đá sữa") == "\u0301\u0303"


@pytest.mark.parametrize(
    ("plural", "singular"),
    [("lattes", "latte"), ("tomatoes", "tomato"), ("sandwiches", "sandwich"), ("cookies", "cooky"), ("gas", "gas"), ("glass", "glass")],
)
def test_a_plural_has_the_stem_of_its_singular(plural, singular):
    assert words.singular(plural) == singular


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("trà chanh", "chà tranh"),
        ("sinh tố", "xinh tố"),
        ("nước cam", "lước cam"),
        ("rau muống", "dau muống"),
        ("giêng", "diêng"),
        ("lattes", "latte"),
        ("coca-cola", "coca cola"),
        ("7-up", "7 up"),
    ],
)
def test_confused_sounds_and_numbers_share_a_key(one, other):
    assert [token.key for token in words.tokenize(one)] == [token.key for token in words.tokenize(other)]


@pytest.mark.parametrize(("one", "other"), [("bơ gơ", "burger"), ("peppa roni", "pepperoni"), ("xa lát", "salad")])
def test_a_phonetic_misspelling_preserves_the_skeleton(one, other):
    assert words.skeleton(one) == words.skeleton(other)
