"""Each act and each status, in the order of precedence of the contract."""

import pytest

from tests.dialog.shop import asked, line, order_of, say

COLA = {"lines": [line("cola", 2)]}
READ_BACK = {**COLA, "questions": [{"kind": "confirm"}]}
MORE = {**COLA, "questions": [{"kind": "more"}]}


def ends(text, state=None):
    reply = say(text, state)
    return reply["act"], reply["status"]


@pytest.mark.parametrize("text", ["can I speak to a real person", "cho gặp nhân viên đi"])
def test_who_wants_a_person_is_handed_off(text):
    assert ends(text, MORE) == ("human", "handoff")


@pytest.mark.parametrize("text", ["cancel my order", "hủy đơn đi"])
def test_cancelling_empties_lines_questions_and_the_notes_of_lines(text):
    notes = [{"kind": "person", "line": 0, "text": "Sarah"}, {"kind": "allergy", "text": "allergic to nuts", "value": "tree-nut"}]
    reply = say(text, {**COLA, "questions": [{"kind": "missing", "line": 0}], "notes": notes})
    assert (reply["act"], reply["status"], reply["lines"], reply["questions"]) == ("cancel", "cancelled", [], [])
    assert [note["kind"] for note in reply["notes"]] == ["allergy"]
    assert [(change["op"], change["line"]) for change in reply["changes"]] == [("remove", 0)]


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("a lemonade", "order"),
        ("make it three colas", "change"),
        ("take off the colas", "remove"),
        ("cho một nước chanh", "order"),
        ("bỏ cô la", "remove"),
    ],
)
def test_an_edit_adds_changes_or_removes(text, act):
    assert ends(text, COLA)[0] == act


@pytest.mark.parametrize("text", ["two sandwiches without chilli", "two mango juices", "500 fries", "hai nước xoài"])
def test_an_order_that_only_raises_a_question_is_an_order(text):
    assert ends(text) == ("order", "asking")


@pytest.mark.parametrize("text", ["large", "lớn"])
def test_an_answer_to_an_open_question_is_an_answer(text):
    assert ends(text, say("a milk tea")) == ("answer", "open")


@pytest.mark.parametrize("text", ["that's all", "vậy thôi em"])
def test_done_reads_the_order_back(text):
    reply = say(text, COLA)
    assert (reply["act"], reply["status"], asked(reply)) == ("done", "confirming", [("confirm", None, None)])


@pytest.mark.parametrize("text", ["that's all", "vậy thôi em"])
def test_done_with_an_empty_order_stays_open(text):
    reply = say(text)
    assert (reply["status"], reply["questions"]) == ("open", [])


def test_done_while_a_question_blocks_confirms_afterwards():
    reply = say("that's all", say("a milk tea"))
    assert (reply["status"], asked(reply)) == ("asking", [("missing", 0, "size"), ("confirm", None, None)])
    assert reply["questions"][1]["times"] == 0
    after = say("large", reply)
    assert (after["status"], asked(after), after["questions"][0]["times"]) == ("confirming", [("confirm", None, None)], 1)


@pytest.mark.parametrize("text", ["yes that's right", "đúng rồi em"])
def test_a_yes_to_the_read_back_confirms_the_order(text):
    reply = say(text, READ_BACK)
    assert (reply["act"], reply["status"], reply["questions"]) == ("confirm", "confirmed", [])


@pytest.mark.parametrize("text", ["no", "không"])
def test_a_no_to_the_read_back_withdraws_it(text):
    reply = say(text, READ_BACK)
    assert (reply["act"], reply["status"], asked(reply)) == ("deny", "open", [("more", None, None)])


@pytest.mark.parametrize("text", ["no, make it three colas", "yes but add a lemonade"])
def test_a_correction_keeps_the_read_back_open(text):
    reply = say(text, READ_BACK)
    assert (reply["status"], asked(reply)) == ("confirming", [("confirm", None, None)])


def test_a_read_back_is_not_confirmed_while_a_question_blocks():
    state = {"lines": [line("milk-tea")], "questions": [{"kind": "confirm"}]}
    assert say("yes", state)["status"] == "asking"


@pytest.mark.parametrize("text", ["what kinds of drinks do you have", "quán có món gì"])
def test_a_question_of_the_customer_changes_nothing(text):
    reply = say(text, COLA)
    assert (reply["act"], reply["status"], order_of(reply)) == ("question", "open", ["2 cola"])


def test_a_question_of_the_customer_keeps_the_open_question():
    reply = say("how much is the large one", say("a milk tea"))
    assert (reply["act"], reply["status"], asked(reply)) == ("question", "asking", [("missing", 0, "size")])


@pytest.mark.parametrize("text", ["could you repeat that", "em nói lại đi"])
def test_who_did_not_hear_wants_a_repetition(text):
    assert ends(text, MORE) == ("repeat", "open")


@pytest.mark.parametrize("text", ["good morning", "chào em"])
def test_a_greeting_is_small_talk(text):
    assert ends(text) == ("smalltalk", "open")


@pytest.mark.parametrize("text", ["I'm allergic to peanuts", "mình dị ứng đậu phộng"])
def test_only_a_note_is_small_talk(text):
    assert ends(text) == ("smalltalk", "open")


@pytest.mark.parametrize("text", ["blorp zzz", "xyz abc"])
def test_what_is_not_understood_has_no_act(text):
    assert ends(text, MORE) == ("none", "open")


def test_a_blocking_question_that_is_not_answered_three_times_is_handed_off():
    state = {
        "lines": [line("milk-tea")],
        "questions": [{"kind": "missing", "line": 0, "group": "size", "choices": ["small", "large"], "times": 3}],
    }
    assert say("hmm", state)["status"] == "handoff"
    assert say("large", state)["status"] == "open"
    assert say("and a cola", state)["status"] == "asking"


def test_another_question_is_never_handed_off():
    assert say("hmm", {**COLA, "questions": [{"kind": "more", "times": 3}]})["status"] == "open"


def test_the_status_describes_the_turn_alone():
    confirmed = say("yes", READ_BACK)
    assert say("and a lemonade", confirmed)["status"] == "open"
