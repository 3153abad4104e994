import pytest

from voice.orders.parser.spelling import SpellingIndex, function_spelling, spelling_features


@pytest.mark.parametrize(
    ("said", "meant", "names"),
    [
        ("latte", "latte", []),
        ("pho", "phở", ["spelt.plain"]),
        ("gàu", "gầu", ["spelt.vowel"]),
        ("tài", "tái", ["spelt.tone"]),
        ("lattes", "latte", ["spelt.plural"]),
        ("mayo", "mayonnaise", ["spelt.prefix"]),
        ("ice", "iced", ["spelt.stem"]),
        ("grill", "grilled", ["spelt.stem"]),
        ("toasted", "toast", ["spelt.stem"]),
        ("espreso", "espresso", ["spelt.typo", "spelt.typo.share"]),
    ],
)
def test_the_features_name_the_kind_of_difference(said, meant, names):
    features = spelling_features(said, meant)
    assert features is not None
    assert [name for name, _ in features] == names


@pytest.mark.parametrize(("said", "meant"), [("tới", "tỏi"), ("bơ", "bò"), ("mứt", "mút")])
def test_a_vowel_that_the_recogniser_does_not_confuse_makes_another_word(said, meant):
    assert spelling_features(said, meant) is None


@pytest.mark.parametrize(("said", "meant"), [("tea", "coffee"), ("ma", "mayonnaise"), ("ten", "tenth")])
def test_another_word_has_no_features(said, meant):
    assert spelling_features(said, meant) is None


@pytest.mark.parametrize(
    ("said", "word"), [("lattte", "latte"), ("ice", "iced"), ("mayo", "mayonnaise"), ("cpchn", "cappuccino"), ("pho", "phở")]
)
def test_a_word_is_found_by_a_typing_error_a_prefix_its_consonants_or_its_letters(said, word):
    index = SpellingIndex(["latte", "mayonnaise", "cappuccino", "phở", "iced"], frozenset())
    assert [found for found, _ in index.near(said, has_diacritics=False)] == [word]


def test_a_function_word_stands_for_no_other_word_by_a_typing_error():
    assert SpellingIndex(["latte"], frozenset({"late"})).near("late", has_diacritics=False) == []
    assert SpellingIndex(["latte"], frozenset()).near("late", has_diacritics=False) != []


def test_missing_diacritics_are_a_feature_of_their_own_among_words_with_diacritics():
    index = SpellingIndex(["phở"], frozenset())
    assert index.near("pho", has_diacritics=True) == [("phở", (("spelt.plain_among_marked", 1.0),))]
    assert function_spelling(("khong",), ("không",), has_diacritics=True) == (("function.plain_among_marked", 1.0),)
    assert function_spelling(("khong",), ("không",), has_diacritics=False) == (("function.plain", 1.0),)


def test_a_function_phrase_differs_by_diacritics_only():
    assert function_spelling(("withe",), ("with",), has_diacritics=False) is None
    assert function_spelling(("in",), ("in", "stead"), has_diacritics=False) is None
