"""Distances between spellings."""

import pytest

from voice.orders import spelling, words


def distance(said: str, meant: str) -> float:
    return spelling.distance(words.phrase(said), words.phrase(meant), has_diacritics=words.has_diacritics(words.tokenize(said)))


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
def test_a_misspelling_is_near(said, meant):
    assert 0.0 <= distance(said, meant) <= spelling.MAX_NEAR


@pytest.mark.parametrize(("said", "meant"), [("đá", "giá"), ("latte", "mocha"), ("trà", "phở"), ("ham", "jam"), ("bia", "bánh")])
def test_another_word_is_far(said, meant):
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


@pytest.mark.parametrize(
    ("said", "meant", "cost"),
    [
        ("sua", "sữa", spelling.MISSING_DIACRITICS),
        ("sửa", "sữa", spelling.TONE),
        ("bơ", "bò", spelling.DIFFERENT),
        ("lattes", "latte", spelling.PLURAL),
        ("mayo", "mayonnaise", spelling.ABBREVIATION),
        ("pepper jack", "pepperjack", spelling.SPLIT),
        ("latt", "latte", spelling.TYPO / 5),
    ],
)
def test_each_kind_of_error_has_its_cost(said, meant, cost):
    assert distance(said, meant) == pytest.approx(cost)


def test_a_plain_word_in_a_marked_utterance_costs_more():
    plain = spelling.distance(("da",), ("đá",), has_diacritics=False)
    assert plain < spelling.distance(("da",), ("đá",), has_diacritics=True)


def test_a_function_word_may_differ_in_its_diacritics_alone():
    assert spelling.function_distance(("khong",), ("không",), has_diacritics=False) == spelling.MISSING_DIACRITICS
    assert spelling.function_distance(("khong",), ("không",), has_diacritics=True) == spelling.MISSING_DIACRITICS_AMONG_OTHERS
    assert spelling.function_distance(("khống",), ("không",), has_diacritics=True) == spelling.FUNCTION_TONE
    assert spelling.function_distance(("with",), ("wit",), has_diacritics=False) == spelling.DIFFERENT
    assert spelling.function_distance(("không",), ("không", "lấy"), has_diacritics=True) == spelling.DIFFERENT
