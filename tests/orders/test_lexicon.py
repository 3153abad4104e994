"""The lexicon: the arcs that begin at a token, and its look-ups."""

import pytest

from tests.orders.diner import MENU
from voice.orders import words
from voice.orders.lexicon import ChoiceRef, Lexicon, Role

LEXICON = Lexicon(MENU)
NO_ICE = ChoiceRef(LEXICON.bits["ice"], "ice", "none")


def arcs_at_first(text, role=None):
    """The arcs at the first token as (length, role, value), cheapest first."""
    tokens = words.tokenize(text)
    has_diacritics = words.has_diacritics(tokens)
    surfaces = tuple(token.surface for token in tokens)
    row = LEXICON.row(tokens, surfaces, LEXICON.numbers.parse_all(tokens, has_diacritics=has_diacritics), 0, has_diacritics=has_diacritics)
    arcs = sorted(row.arcs, key=lambda arc: arc.cost)
    return [(arc.length, arc.role, arc.value) for arc in arcs if arc.role is not Role.UNUSED and role in {None, arc.role}]


def token(text):
    return words.tokenize(text)[0]


@pytest.mark.parametrize("text", ["cà phê sữa", "ca phe sua", "cà phê sửa", "cafe sua", "Cà Phê Sữa"])
def test_a_name_is_found_in_each_spelling(text):
    assert arcs_at_first(text, Role.ITEM)[0] == (len(words.tokenize(text)), Role.ITEM, ("ca-phe-sua",))


def test_a_name_that_is_spelt_exactly_is_cheaper_than_a_misspelling():
    def cost(text):
        tokens = words.tokenize(text)
        (row,) = [LEXICON.row(tokens, tuple(one.surface for one in tokens), [None], 0, has_diacritics=False)]
        return next(arc.cost for arc in row.arcs if arc.role is Role.ITEM)

    assert cost("latte") < cost("lattes")


def test_a_part_of_names_is_one_arc_with_all_items_that_have_it():
    assert arcs_at_first("sandwich", Role.ITEM) == [(1, Role.ITEM, ("ham", "turkey"))]
    tokens = words.tokenize("sandwich")
    assert all(arc.part for arc in LEXICON.row(tokens, ("sandwich",), [None], 0, has_diacritics=False).arcs if arc.role is Role.ITEM)


@pytest.mark.parametrize(("text", "item"), [("combo 2", "combo-2"), ("combo hai", "combo-2"), ("combo number one", "combo-1")])
def test_a_number_in_a_name_is_found_in_words_and_digits(text, item):
    assert (len(words.tokenize(text)), Role.ITEM, (item,)) in arcs_at_first(text)


@pytest.mark.parametrize(
    ("text", "role", "value"),
    [
        ("please", Role.FILLER, False),
        ("can i get", Role.REQUEST, None),
        ("không", Role.AMOUNT, "no"),
        ("with", Role.WITH, None),
        ("make it", Role.SET, True),
        ("the second one", Role.ORDINAL, 2),
        ("both", Role.ALL, 2),
        ("cancel everything", Role.CANCEL, None),
        ("hai", Role.NUMBER, 2),
        ("an", Role.ARTICLE, 1),
        ("three people", Role.PEOPLE, 3),
    ],
)
def test_a_phrase_of_a_language_has_its_role(text, role, value):
    assert (len(words.tokenize(text)), role, value) in arcs_at_first(text)


def test_a_word_of_no_phrase_is_unknown_and_a_function_word_is_not():
    assert arcs_at_first("xylophone") == [(1, Role.UNKNOWN, None)]
    assert Role.UNKNOWN not in {role for _, role, _ in arcs_at_first("please")}


def test_a_row_is_the_same_before_and_after_other_words():
    first = arcs_at_first("latte and a ham sandwich")
    arcs_at_first("latte without ice")
    assert arcs_at_first("latte and a ham sandwich") == first


def test_an_amount_and_a_noun_are_the_choice_of_that_name():
    assert LEXICON.measured("no", words.tokenize("ice"), 0, 1) == [NO_ICE]
    assert LEXICON.measured("no", words.tokenize("đá"), 0, 1) == [NO_ICE]
    assert LEXICON.measured("extra", words.tokenize("ice"), 0, 1) == []


def test_words_that_are_written_together_are_split():
    assert [part.surface for part in LEXICON.split_glued(token("hailatte"))] == ["hai", "latte"]
    assert [(part.start, part.end) for part in LEXICON.split_glued(token("hailatte"))] == [(0, 3), (3, 8)]
    assert [part.surface for part in LEXICON.split_glued(token("xylophone"))] == ["xylophone"]


@pytest.mark.parametrize(("said", "meant"), [("remvoe", "remove"), ("xylophone", "xylophone"), ("latte", "latte")])
def test_a_misspelt_function_word_is_corrected(said, meant):
    assert LEXICON.corrected_function_word(token(said)).surface == meant


def test_words_that_languages_use_are_function_words_and_names_are_not():
    assert LEXICON.is_function_word(token("please"))
    assert LEXICON.is_function_word(token(","))
    assert not LEXICON.is_function_word(token("latte"))


def test_a_part_of_an_items_name_is_recognised():
    tokens = words.tokenize("sandwich latte")
    assert LEXICON.says_part("ham", tokens, 0, 1)
    assert not LEXICON.says_part("ham", tokens, 1, 2)


def test_a_number_of_pieces_is_a_choice():
    assert {(item, count): choice.choice for (item, count), choice in LEXICON.sold_by.items()} == {
        ("wings", 6): "six",
        ("wings", 12): "twelve",
    }


def test_option_groups_are_found_by_their_name_and_by_parts_of_it():
    assert {group for _, group in LEXICON.labels_of["dipping"]} == {"sauce"}
    assert LEXICON.labels_of["size"] == [(("size",), "size")]
