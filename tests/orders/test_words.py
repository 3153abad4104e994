import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.orders import spelling, words


def distance(said: str, meant: str) -> float:
    spoken = words.tokenize(said)
    return spelling.distance(words.phrase(said), words.phrase(meant), marked=words.is_marked(spoken))


def key(text: str) -> str:
    return "".join(token.key for token in words.tokenize(text))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ca phe sua da", "cà phê sữa đá"),
        ("cà phê sửa", "cà phê sữa"),
        ("cafe", "cà phê"),
        ("ca-fe", "cà phê"),
        ("bạt sỉu", "bạc xỉu"),
        ("xinh tố bơ", "sinh tố bơ"),
        ("chà tranh", "trà chanh"),
        ("lước cam", "nước cam"),
        ("dau muống", "rau muống"),
        ("bún bò huế", "bún bò Huế"),
        ("bánh mỳ", "bánh mì"),
        ("lattes", "latte"),
        ("tomatoes", "tomato"),
        ("cookies", "cookie"),
        ("sandwiches", "sandwich"),
        ("pepper jack", "pepperjack"),
        ("coca-cola", "coca cola"),
        ("7-up", "7 up"),
    ],
)
def test_near_spellings_meet_under_one_key_and_are_near(said, meant):
    assert key(said) == key(meant)
    assert distance(said, meant) <= spelling.MAX_NEAR


@pytest.mark.parametrize(("said", "meant"), [("đá", "giá"), ("latte", "mocha"), ("trà", "phở"), ("ham", "jam"), ("bia", "bánh")])
def test_different_words_are_far_apart(said, meant):
    assert distance(said, meant) > spelling.MAX_NEAR


@pytest.mark.parametrize(
    ("nearer", "farther", "meant"),
    [
        ("sữa", "sua", "sữa"),
        ("sua", "sửa", "sữa"),
        ("bò", "bờ", "bò"),
        ("espreso", "esprso", "espresso"),
    ],
)
def test_a_nearer_spelling_costs_less(nearer, farther, meant):
    assert distance(nearer, meant) < distance(farther, meant)


def test_a_plain_word_among_marked_ones_is_another_word():
    plain = spelling.distance(("da",), ("đá",), marked=False)
    assert plain < spelling.distance(("da",), ("đá",), marked=True)


def test_tokens_tell_where_they_stand():
    utterance = "2 cà-phê, x2 7up 50% I’d"
    found = words.tokenize(utterance)
    assert [token.surface for token in found] == ["2", "cà", "phê", ",", "x", "2", "7", "up", "50", "%", "id"]
    assert [utterance[token.start : token.end] for token in found] == ["2", "cà", "phê", ",", "x", "2", "7", "up", "50", "%", "I’d"]


@given(st.text(max_size=60))
def test_any_text_is_cut_without_loss_of_place(text):
    for token in words.tokenize(text):
        assert 0 <= token.start < token.end <= len(text)


@given(st.text(alphabet="aăâeêioôơuưyđbcdghklmnpqrstvxáàảãạếồửợị ", max_size=40))
def test_case_and_normal_form_change_nothing(text):
    plain = [(token.surface, token.key) for token in words.tokenize(text)]
    assert [(token.surface, token.key) for token in words.tokenize(unicodedata.normalize("NFC", text.upper()))] == plain
