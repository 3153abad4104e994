"""Notes: found, kept out of the order, placed on lines, and what they ask."""

import pytest

from tests.dialog.shop import MENU, asked, line, model, order_of, say
from voice.dialog.notes import mentioned
from voice.dialog.state import Note
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Menu
from voice.orders import words


def noted(reply):
    return [(note["kind"], note.get("value"), note["line"]) for note in reply["notes"]]


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ("I'm allergic to peanuts, two colas please", "peanut", "I'm allergic to peanuts"),
        ("two colas, my son has a nut allergy", "tree-nut", "my son has a nut allergy"),
        ("mình dị ứng đậu phộng, cho hai cô la", "peanut", "mình dị ứng đậu phộng"),
        ("minh di ung dau phong, cho hai co la", "peanut", "minh di ung dau phong"),
    ],
)
def test_an_allergy_is_a_note_and_asks_whether_the_line_may_stay(text, value, words):
    reply = say(text)
    assert order_of(reply) == ["2 cola"]
    assert noted(reply) == [("allergy", value, None)]
    assert reply["notes"][0]["text"] == words
    assert (asked(reply), "pending" in reply["questions"][0]) == ([("check", 0, None)], False)
    assert reply["unmatched"] == []


def test_an_allergy_to_what_the_menu_format_has_no_name_for_is_noted_in_its_words():
    reply = say("I'm allergic to strawberries and I'd like two colas")
    assert (order_of(reply), reply["notes"][0]["text"]) == (["2 cola"], "I'm allergic to strawberries")
    assert noted(reply) == [("allergy", None, None)]


def test_several_allergies_are_several_notes():
    assert noted(say("I'm allergic to nuts and eggs")) == [("allergy", "tree-nut", None), ("allergy", "egg", None)]


def test_an_allergen_is_never_an_option():
    toppings = {"nuts": {"name": "Nuts", "aliases": ["hạt"]}}
    groups = {**MENU["option_groups"], "topping": {**MENU["option_groups"]["topping"], "choices": toppings}}
    engine = DialogEngine(Menu.model_validate({**MENU, "option_groups": groups}), 0.0, model())
    assert order_of(say("I'm allergic to nuts, a small milk tea", engine=engine)) == ["1 milk-tea small"]


@pytest.mark.parametrize("text", ["a dairy free milk tea, large", "a cola and a dairy free milk tea, large"])
def test_a_diet_beside_a_line_belongs_to_the_line(text):
    reply = say(text)
    place = len(reply["lines"]) - 1
    assert noted(reply) == [("diet", "dairy-free", place)]
    assert asked(reply)[0] == ("check", place, None)


@pytest.mark.parametrize(("text", "value"), [("I'm vegan", "vegan"), ("mình ăn chay", "vegetarian")])
def test_a_diet_of_the_customer_concerns_every_line(text, value):
    reply = say(text, {"lines": [line("cola"), line("fries")]})
    assert noted(reply) == [("diet", value, None)]
    assert asked(reply) == [("check", 0, None), ("check", 1, None)]


def test_a_diet_in_a_name_of_the_menu_is_no_note():
    items = {**MENU["items"], "vegan-burger": {"name": "Vegan burger", "price": 900}}
    engine = DialogEngine(Menu.model_validate({**MENU, "items": items}), 0.0, model())
    reply = say("a vegan burger", engine=engine)
    assert (order_of(reply), reply["notes"]) == (["1 vegan-burger"], [])


def test_who_asks_for_a_diet_states_none():
    assert say("what is vegan here?")["notes"] == []


@pytest.mark.parametrize(("answer", "left"), [("yes", ["1 cola"]), ("no", []), ("vẫn lấy, ừ", ["1 cola"]), ("không", [])])
def test_a_yes_keeps_the_line_and_a_no_removes_it(answer, left):
    reply = say(answer, say("I'm allergic to nuts, a cola"))
    assert order_of(reply) == left
    assert noted(reply) == [("allergy", "tree-nut", None)]
    assert ("check", 0, None) not in asked(reply)


def test_what_was_accepted_is_asked_again_only_for_a_new_line_or_choice():
    accepted = say("yes", say("I'm allergic to nuts, a cola"))
    assert asked(say("thanks", accepted)) == [("more", None, None)]
    assert asked(say("and a lemonade", accepted)) == [("check", 1, None)]


def test_a_line_that_the_menu_vouches_for_is_not_asked_about():
    items = {**MENU["items"], "cola": {**MENU["items"]["cola"], "diet": ["vegan", "nut-free"]}}
    engine = DialogEngine(Menu.model_validate({**MENU, "items": items}), 0.0, model())
    assert asked(say("I'm allergic to nuts, a cola", engine=engine)) == [("more", None, None)]
    assert asked(say("I'm vegan, a cola and a lemonade", engine=engine)) == [("check", 1, None)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a cola to go", "takeaway"),
        ("a cola, for here", "dine_in"),
        ("cho một cô la mang về", "takeaway"),
        ("một cô la uống tại chỗ", "dine_in"),
    ],
)
def test_the_service_is_noted(text, value):
    reply = say(text)
    assert (order_of(reply), noted(reply)) == (["1 cola"], [("service", value, None)])


def test_a_new_service_replaces_the_one_before():
    assert noted(say("actually to go", say("a cola, for here"))) == [("service", "takeaway", None)]


def test_notes_follow_their_lines_and_allergies_outlive_them():
    notes = [
        {"kind": "person", "line": 0, "text": "Sarah"},
        {"kind": "allergy", "line": 0, "text": "a nut allergy", "value": "tree-nut"},
        {"kind": "other", "line": 1, "text": "well done"},
    ]
    reply = say("take off the cola", {"lines": [line("cola"), line("fries")], "notes": notes})
    assert noted(reply) == [("allergy", "tree-nut", None), ("other", None, 0)]


def test_an_allergy_that_is_said_again_is_noted_once():
    reply = say("I'm allergic to nuts", say("I'm allergic to nuts, a cola"))
    assert noted(reply) == [("allergy", "tree-nut", None)]


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("a cola for Sarah and a lemonade", "Sarah"),
        ("một cô la cho mẹ với một nước chanh", "mẹ"),
        ("a cola for my wife, and a lemonade", "my wife"),
    ],
)
def test_the_person_for_whom_a_line_is_is_noted(text, person):
    reply = say(text)
    assert order_of(reply) == ["1 cola", "1 lemonade"]
    assert [(note["kind"], note["text"], note["line"]) for note in reply["notes"]] == [("person", person, 0)]
    assert reply["unmatched"] == []


@pytest.mark.parametrize("text", ["make Sarah's two", "Sarah's should be two"])
def test_a_line_is_referred_to_by_its_person(text):
    notes = [{"kind": "person", "line": 0, "text": "Sarah"}]
    assert order_of(say(text, {"lines": [line("cola"), line("lemonade")], "notes": notes})) == ["2 cola", "1 lemonade"]


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        ("make sarah's large", (1,)),
        ("mine large", (0, 3)),
        ("hers large", (1,)),  # no woman without a name is noted
        ("his large", (2,)),
        ("ly của mình lớn", (0, 3)),
    ],
)
def test_a_possessive_means_the_lines_of_a_noted_person_and_the_speakers_are_those_of_nobody_else(said, lines):
    persons = [Note("person", "Sarah", 1), Note("person", "my son", 2)]
    assert [one.lines for one in mentioned(persons, words.tokenize(said), 4)] == [lines]


def test_a_possessive_without_noted_persons_means_no_line():
    assert [one.lines for one in mentioned([], words.tokenize("mine large"), 2)] == [()]


def test_a_persons_name_may_be_a_word_of_the_menu_without_its_diacritics():
    assert noted(say("cho Tra một trà sữa nhỏ")) == [("person", None, 0)]
    assert noted(say("cho Trà một ly")) == []
