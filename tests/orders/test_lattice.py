"""The lattice: the arcs that depend on the whole utterance."""

import pytest

from tests.orders.diner import MENU
from voice.orders import words
from voice.orders.lattice import NO, UNCLEAR, Lattice
from voice.orders.lexicon import ChoiceRef, Lexicon, Role

LATTICE = Lattice(Lexicon(MENU))


def named(value):
    if not isinstance(value, tuple):
        return value
    return tuple(one.choice if isinstance(one, ChoiceRef) else one for one in value)


def arcs(text):
    """The arcs of an utterance as (words, role, value)."""
    tokens = words.tokenize(text)
    return [
        (" ".join(token.surface for token in tokens[start : start + arc.length]), arc.role, named(arc.value))
        for start, row in enumerate(LATTICE.build(tokens))
        for arc in row
        if arc.role is not Role.UNUSED
    ]


def roles_of(text, said):
    return {role for found, role, _ in arcs(text) if found == said}


@pytest.mark.parametrize("text", ["", "xylophone", "two lattes, no ice. and a ham sandwich", "latte latte latte", "0 5 12/5 $4"])
def test_every_token_begins_an_arc_that_ends_within_the_utterance(text):
    lattice = LATTICE.build(words.tokenize(text))
    assert all(lattice)
    assert all(start + arc.length <= len(lattice) for start, row in enumerate(lattice) for arc in row)


def test_punctuation_separates_clauses():
    assert roles_of("latte, wings.", ",") == {Role.PAUSE}
    assert roles_of("latte, wings.", ".") == {Role.STOP}


def test_a_complete_name_is_not_broken_into_parts():
    found = arcs("a ham sandwich")
    assert ("ham sandwich", Role.ITEM, ("ham",)) in found
    assert not [arc for arc in found if arc[:2] == ("ham", Role.ITEM)]


def test_items_of_a_list_share_the_words_that_are_said_once():
    found = arcs("a ham and a turkey sandwich")
    assert ("ham", Role.ITEM, ("ham",)) in found
    assert ("turkey sandwich", Role.ITEM, ("turkey",)) in found


def test_an_unknown_word_is_matched_by_its_sound():
    assert ("la te", Role.ITEM, ("latte",)) in arcs("la te")


def test_an_option_beside_the_name_of_its_group_is_one_of_that_group():
    assert ("bbq sauce", Role.OPTION, ("bbq",)) in arcs("wings bbq sauce")
    assert ("size large", Role.OPTION, ("l",)) in arcs("latte size large")


@pytest.mark.parametrize("text", ["table 5", "combo 3", "$4", "at 8:15", "12 oz"])
def test_a_number_of_another_type_orders_nothing(text):
    assert (" ".join(token.surface for token in words.tokenize(text)), Role.STATEMENT, None) in arcs(text)
    assert Role.NUMBER not in {role for _, role, _ in arcs(text)}


@pytest.mark.parametrize(("text", "value"), [("half a", UNCLEAR), ("1.5", UNCLEAR), ("0", NO), ("two or three", UNCLEAR), ("two", 2)])
def test_a_quantity_that_is_no_positive_integer_has_to_be_asked_about(text, value):
    numbers = [(said, number) for said, role, number in arcs(f"{text} lattes") if role is Role.NUMBER]
    assert (text, value) in numbers


def test_a_homophone_of_a_number_is_a_dearer_quantity():
    tokens = words.tokenize("for lattes please")
    costs = {arc.value: arc.cost for arc in LATTICE.build(tokens)[0] if arc.role is Role.NUMBER}
    plain = {arc.value: arc.cost for arc in LATTICE.build(words.tokenize("four lattes please"))[0] if arc.role is Role.NUMBER}
    assert costs.keys() == plain.keys() == {4}
    assert costs[4] > plain[4]


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("my name is Anna", "my name is anna"),
        ("i'm allergic to nuts, a latte", "im allergic to nuts"),
        ("i have a nut allergy", "have a nut allergy"),
        ("latte bao nhiêu một ly", "latte bao nhiêu một ly"),
        ("có latte không", "có latte không"),
    ],
)
def test_a_statement_or_a_question_is_one_arc_that_orders_nothing(text, statement):
    assert Role.STATEMENT in roles_of(text, statement)


def test_a_question_before_an_item_is_an_inquiry():
    assert Role.INQUIRY in roles_of("how much is a latte", "how much")


def test_the_same_utterance_has_the_same_lattice_again():
    text = "two lattes no ice and a ham and a turkey sandwich at 8"
    first = arcs(text)
    arcs("a latte at table 5")
    assert arcs(text) == first
