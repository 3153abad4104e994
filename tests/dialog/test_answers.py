"""The forms of answers: by word, place, description, several, a number, yes or no, with more; and references to lines."""

import pytest

from tests.dialog.shop import asked, line, order_of, say

PEARLS = {"kind": "ambiguous", "line": 0, "group": "topping", "choices": ["black", "white"]}
OPEN = {"group": "topping", "alternatives": ["black", "white"]}
SIZE = {"kind": "missing", "line": 0, "group": "size", "choices": ["small", "large"]}


def pearl_tea(quantity=1):
    options = [{"group": "size", "choice": "small"}, OPEN]
    return {"lines": [{"item": "milk-tea", "quantity": quantity, "options": options}], "questions": [PEARLS]}


@pytest.mark.parametrize(
    "answer", ["black", "the black ones", "black pearls please", "the first one", "đen", "trân châu đen", "loại đầu tiên"]
)
def test_a_choice_is_answered_by_a_word_or_by_its_place(answer):
    reply = say(answer, pearl_tea(2))
    assert (order_of(reply), reply["act"]) == (["2 milk-tea small black"], "answer")


@pytest.mark.parametrize(
    ("answer", "size"), [("the biggest", "large"), ("the cheapest", "small"), ("loại lớn nhất", "large"), ("rẻ nhất", "small")]
)
def test_a_choice_is_answered_by_description(answer, size):
    assert order_of(say(answer, {"lines": [line("green-tea")], "questions": [SIZE]})) == [f"1 green-tea {size}"]


@pytest.mark.parametrize("answer", ["one black one white", "một đen một trắng"])
def test_several_choices_split_a_line_of_several(answer):
    reply = say(answer, pearl_tea(2))
    assert sorted(order_of(reply)) == ["1 milk-tea small black", "1 milk-tea small white"]
    assert asked(reply) == [("more", None, None)]


@pytest.mark.parametrize("answer", ["neither", "thôi khỏi"])
def test_none_of_the_choices_is_an_answer(answer):
    assert order_of(say(answer, pearl_tea())) == ["1 milk-tea small"]


@pytest.mark.parametrize(("answer", "number"), [("three", 3), ("ba ly", 3), ("10", 10)])
def test_a_number_answers_how_many(answer, number):
    reply = say(answer, {"lines": [line("fries"), line("cola")], "questions": [{"kind": "missing", "line": 1}]})
    assert order_of(reply) == ["1 fries", f"{number} cola"]


@pytest.mark.parametrize("answer", ["large, and a cola with that", "lớn, với thêm một cô la nữa"])
def test_what_is_said_besides_the_answer_is_an_order(answer):
    reply = say(answer, {"lines": [line("green-tea")], "questions": [SIZE]})
    assert order_of(reply) == ["1 green-tea large", "1 cola"]
    assert reply["act"] == "answer"


@pytest.mark.parametrize("answer", ["yeah, and a cola with that", "ừ, với thêm một cô la nữa"])
def test_a_yes_may_come_with_more(answer):
    reply = say(answer, {"lines": [line("lemonade")], "questions": [{"kind": "offer", "choices": ["fries"]}]})
    assert sorted(order_of(reply)) == ["1 cola", "1 fries", "1 lemonade"]


def test_an_utterance_that_fits_no_open_question_is_an_order():
    reply = say("two lemonades please", {"lines": [line("green-tea")], "questions": [SIZE]})
    assert order_of(reply) == ["1 green-tea", "2 lemonade"]
    assert (reply["act"], asked(reply)) == ("order", [("missing", 0, "size")])


@pytest.mark.parametrize("text", ["large for both", "cả hai đều lớn"])
def test_an_answer_may_reach_other_lines(text):
    reply = say(text, {"lines": [line("green-tea"), line("milk-tea")], "questions": [SIZE]})
    assert order_of(reply) == ["1 green-tea large", "1 milk-tea large"]


@pytest.mark.parametrize(
    ("text", "left"), [("take off the fries", ["1 cola"]), ("take off the second one", ["1 cola"]), ("bỏ khoai tây chiên", ["1 cola"])]
)
def test_a_line_is_referred_to_by_item_and_by_place(text, left):
    assert order_of(say(text, {"lines": [line("cola"), line("fries")]})) == left


def test_a_line_is_referred_to_by_its_option():
    state = {"lines": [line("milk-tea", size="small"), line("milk-tea", size="large")]}
    assert order_of(say("take off the large one", state)) == ["1 milk-tea small"]
