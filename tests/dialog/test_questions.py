"""Each kind of question: raised, kept, answered, declined, withdrawn."""

import pytest

from tests.dialog.shop import MENU, asked, line, model, order_of, say
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Menu
from voice.orders.parser.model import Model


def question(kind, **fields):
    return {"kind": kind, **fields}


# --- ambiguous ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "answer"), [("two sandwiches without chilli", "the chicken one"), ("hai bánh mì không ớt", "bánh mì gà")]
)
def test_words_that_fit_several_items_are_asked_about_and_the_answer_keeps_quantity_and_options(order, answer):
    reply = say(order)
    [which, *_] = reply["questions"]
    assert (reply["status"], reply["act"], reply["lines"]) == ("asking", "order", [])
    assert (which["kind"], which["line"], which["group"]) == ("ambiguous", None, None)
    assert which["choices"] == ["chicken-sandwich", "tofu-sandwich"]
    assert (which["pending"]["op"], which["pending"]["quantity"], "item" in which["pending"]) == ("add", 2, False)
    after = say(answer, reply)
    assert order_of(after) == ["2 chicken-sandwich no chilli"]
    assert after["act"] == "answer"


@pytest.mark.parametrize(("order", "answer"), [("two large milk teas with pearls", "the black ones"), ("hai trà sữa lớn trân châu", "đen")])
def test_words_that_fit_several_choices_are_an_open_option_until_the_answer(order, answer):
    reply = say(order)
    assert order_of(reply) == ["2 milk-tea large black|white"]
    assert asked(reply) == [("ambiguous", 0, "topping")]
    after = say(answer, reply)
    assert order_of(after) == ["2 milk-tea large black"]
    assert asked(after) == [("more", None, None)]


@pytest.mark.parametrize("no", ["no thanks", "thôi khỏi"])
def test_an_optional_open_choice_is_removed_when_it_is_declined(no):
    open_choice = {"group": "topping", "alternatives": ["black", "white"]}
    lines = [{"item": "milk-tea", "options": [{"group": "size", "choice": "large"}, open_choice]}]
    state = {"lines": lines, "questions": [question("ambiguous", line=0, group="topping", choices=["black", "white"])]}
    reply = say(no, state)
    assert order_of(reply) == ["1 milk-tea large"]
    assert asked(reply) == [("more", None, None)]


@pytest.mark.parametrize("no", ["no thanks", "thôi khỏi"])
def test_an_item_that_is_not_decided_is_dropped_when_it_is_declined(no):
    reply = say(no, say("two sandwiches without chilli"))
    assert (reply["lines"], reply["questions"], reply["act"], reply["status"]) == ([], [], "deny", "open")


@pytest.mark.parametrize("both", ["one of each", "mỗi loại một cái"])
def test_several_items_share_the_quantity_that_was_said(both):
    assert order_of(say(both, say("two sandwiches"))) == ["1 chicken-sandwich", "1 tofu-sandwich"]


def test_a_quantity_that_cannot_be_shared_is_asked_for():
    reply = say("both", say("three sandwiches"))
    assert asked(reply)[0] == ("missing", 0, None)
    assert reply["questions"][0]["lines"] == [0, 1]
    assert order_of(say("two", reply)) == ["2 chicken-sandwich", "2 tofu-sandwich"]


def test_a_choice_of_an_item_replaces_the_item_of_a_line_that_was_to_be_changed():
    pending = {"op": "set", "quantity": 2, "options": []}
    asks = question("ambiguous", line=1, choices=["chicken-sandwich", "tofu-sandwich"], pending=pending)
    reply = say("the tofu sandwich", {"lines": [line("fries"), line("cola", 2)], "questions": [asks]})
    assert order_of(reply) == ["1 fries", "2 tofu-sandwich"]


# --- missing ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "answer"), [("two milk teas", "large"), ("hai trà sữa", "lớn")])
def test_a_required_group_is_asked_for_and_blocks_until_it_is_answered(order, answer):
    reply = say(order)
    [size] = reply["questions"]
    assert (size["kind"], size["line"], size["group"], size["choices"]) == ("missing", 0, "size", ["small", "large"])
    assert (size["blocks"], size["times"], reply["status"]) == (True, 1, "asking")
    after = say(answer, reply)
    assert (order_of(after), after["status"], after["act"]) == (["2 milk-tea large"], "open", "answer")


@pytest.mark.parametrize(("order", "answer"), [("a milk tea and a green tea", "large"), ("một trà sữa và một trà xanh", "lớn")])
def test_one_answer_serves_all_lines_that_lack_the_same_group(order, answer):
    reply = say(order)
    assert (asked(reply), reply["questions"][0]["lines"]) == ([("missing", 0, "size")], [0, 1])
    assert order_of(say(answer, reply)) == ["1 milk-tea large", "1 green-tea large"]


def test_a_line_that_is_answered_for_leaves_the_question_to_the_others():
    reply = say("the green tea small", say("a milk tea and a green tea"))
    assert order_of(reply) == ["1 milk-tea", "1 green-tea small"]
    assert asked(reply) == [("missing", 0, "size")]
    assert "lines" not in reply["questions"][0]


@pytest.mark.parametrize("no", ["no thanks", "thôi khỏi"])
def test_a_required_group_stays_open_when_it_is_declined(no):
    reply = say(no, say("a milk tea"))
    assert (asked(reply), reply["status"], reply["act"]) == ([("missing", 0, "size")], "asking", "deny")


def test_a_required_group_is_withdrawn_with_its_line():
    reply = say("take off the milk tea", say("a milk tea and a cola"))
    assert (order_of(reply), asked(reply)) == (["1 cola"], [("more", None, None)])


@pytest.mark.parametrize(("order", "answer"), [("half a cola", "two"), ("nửa ly cô la", "hai")])
def test_a_fraction_of_an_item_is_never_cut_but_asked_about(order, answer):
    reply = say(order)
    assert (order_of(reply), asked(reply)) == (["1 cola"], [("missing", 0, None)])
    assert order_of(say(answer, reply)) == ["2 cola"]


@pytest.mark.parametrize(("order", "answer"), [("two or three colas", "three"), ("hai hoặc ba ly cô la", "ba")])
def test_a_number_within_bounds_is_asked_about(order, answer):
    reply = say(order)
    assert asked(reply) == [("missing", 0, None)]
    assert order_of(say(answer, reply)) == ["3 cola"]


def test_a_number_that_confirms_the_quantity_answers_how_many():
    state = {"lines": [line("cola")], "questions": [question("missing", line=0)]}
    reply = say("one", state)
    assert (order_of(reply), asked(reply)) == (["1 cola"], [("more", None, None)])


@pytest.mark.parametrize("answer", ["the lemonade please", "nước chanh"])
def test_the_number_that_was_said_waits_for_its_item(answer):
    state = {"lines": [], "questions": [question("missing", pending={"op": "add", "quantity": 3, "options": []})]}
    assert order_of(say(answer, state)) == ["3 lemonade"]


@pytest.mark.parametrize(("answer", "group"), [("oat milk", "milk"), ("sữa yến mạch", "milk")])
def test_a_caller_may_ask_about_any_group_of_a_line(answer, group):
    state = {"lines": [line("milk-tea", size="large")], "questions": [question("missing", line=0, group=group, choices=["oat", "soy"])]}
    reply = say(answer, state)
    assert (order_of(reply), asked(reply)) == (["1 milk-tea large oat"], [("more", None, None)])


def test_a_group_that_is_not_required_is_closed_when_it_is_declined():
    state = {"lines": [line("milk-tea", size="large")], "questions": [question("missing", line=0, group="milk", choices=["oat", "soy"])]}
    assert asked(say("no thanks", state)) == [("more", None, None)]


# --- unavailable --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "answer"), [("two mango juices", "lemonade then"), ("hai nước xoài", "nước chanh đi")])
def test_an_unavailable_item_is_not_ordered_and_what_is_near_takes_its_quantity(order, answer):
    reply = say(order)
    [instead] = reply["questions"]
    assert (reply["lines"], instead["kind"], instead["line"]) == ([], "unavailable", None)
    assert "lemonade" in instead["choices"]
    assert "mango-juice" not in instead["choices"]
    assert (instead["pending"]["item"], instead["pending"]["quantity"]) == ("mango-juice", 2)
    assert order_of(say(answer, reply)) == ["2 lemonade"]


@pytest.mark.parametrize("no", ["no thanks", "thôi khỏi"])
def test_an_unavailable_item_is_forgotten_when_it_is_declined(no):
    reply = say(no, say("two mango juices"))
    assert (reply["lines"], reply["questions"], reply["act"]) == ([], [], "deny")


@pytest.mark.parametrize("more", ["one more mango juice", "thêm một nước xoài nữa"])
def test_an_item_that_became_unavailable_keeps_its_units_and_gets_no_more(more):
    reply = say(more, {"lines": [line("mango-juice", 2)]})
    assert order_of(reply) == ["2 mango-juice"]
    assert asked(reply) == [("unavailable", None, None)]


def test_an_unavailable_choice_is_not_put_on_a_line():
    menu = {
        **MENU,
        "option_groups": {
            **MENU["option_groups"],
            "milk": {"name": "Milk", "choices": {"oat": {"name": "Oat milk", "available": False}, "soy": {"name": "Soy milk"}}},
        },
    }
    engine = DialogEngine(Menu.model_validate(menu), 0.0, model())
    reply = say("a large milk tea with oat milk", engine=engine)
    assert order_of(reply) == ["1 milk-tea large"]
    assert (asked(reply), reply["questions"][0]["choices"]) == ([("unavailable", 0, "milk")], ["soy"])
    assert order_of(say("soy milk then", reply, engine=engine)) == ["1 milk-tea large soy"]


# --- check --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "yes"), [("500 colas", "yes"), ("500 cô la", "đúng rồi")])
def test_an_unlikely_quantity_is_not_ordered_before_a_yes(order, yes):
    reply = say(order)
    [check] = reply["questions"]
    assert (reply["lines"], check["kind"], check["pending"]["item"], check["pending"]["quantity"]) == ([], "check", "cola", 500)
    after = say(yes, reply)
    assert (order_of(after), after["act"], asked(after)) == (["500 cola"], "answer", [("more", None, None)])


@pytest.mark.parametrize(("order", "no"), [("500 colas", "no"), ("500 cô la", "không")])
def test_a_checked_edit_is_dropped_by_a_no(order, no):
    reply = say(no, say(order))
    assert (reply["lines"], reply["questions"], reply["act"]) == ([], [], "deny")


def test_a_checked_edit_is_replaced_by_what_is_said_instead():
    reply = say("no, five colas", say("500 colas"))
    assert (order_of(reply), asked(reply)) == (["5 cola"], [("more", None, None)])


def test_an_edit_below_the_confidence_is_asked_about():
    engine = DialogEngine(Menu.model_validate(MENU), 1.01, model())
    reply = say("two colas", engine=engine)
    assert (reply["lines"], asked(reply)) == ([], [("check", None, None)])
    assert order_of(say("yes", reply, engine=engine)) == ["2 cola"]
    removal = say("take off the colas", {"lines": [line("cola", 2)]}, engine=engine)
    assert (order_of(removal), removal["questions"][0]["pending"]["op"]) == (["2 cola"], "remove")
    assert say("yes", removal, engine=engine)["lines"] == []
    change = say("make it three colas", {"lines": [line("cola", 2)]}, engine=engine)
    assert (order_of(change), change["questions"][0]["pending"]["op"]) == (["2 cola"], "set")
    assert order_of(say("yes", change, engine=engine)) == ["3 cola"]


def test_a_misheard_utterance_is_asked_about():
    reply = say("two colas", is_uncertain=True)
    assert (reply["lines"], asked(reply)) == ([], [("check", None, None)])


def test_more_than_the_maximum_of_an_item_is_asked_about():
    items = {**MENU["items"], "fries": {**MENU["items"]["fries"], "max": 3}}
    engine = DialogEngine(Menu.model_validate({**MENU, "items": items}), 0.0, model())
    assert asked(say("four fries", engine=engine)) == [("check", None, None)]
    assert order_of(say("three fries", engine=engine)) == ["3 fries"]


def test_a_mere_no_declines_although_its_words_resemble_an_item():
    menu = MENU | {
        "items": MENU["items"] | {"orange-juice": {"name": "Nước ép cam", "price": 1}, "orange-soda": {"name": "Soda cam", "price": 1}}
    }
    engine = DialogEngine(Menu.model_validate(menu), model=Model.load())
    pending = {"op": "add", "item": "mango-juice", "quantity": 1, "options": []}
    reply = say("khong, cam on", {"questions": [question("unavailable", choices=["lemonade"], pending=pending)]}, engine=engine)
    assert (order_of(reply), asked(reply), reply["act"]) == ([], [], "deny")


# --- offer, more, confirm -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("yes", ["yes please", "ừ lấy luôn"])
def test_a_yes_takes_the_one_item_that_is_offered(yes):
    reply = say(yes, {"lines": [line("cola")], "questions": [question("offer", choices=["fries"])]})
    assert (order_of(reply), reply["act"]) == (["1 cola", "1 fries"], "confirm")


@pytest.mark.parametrize("yes", ["yes, two please", "ừ, cho hai phần"])
def test_a_yes_with_a_number_takes_so_many(yes):
    assert order_of(say(yes, {"lines": [line("cola")], "questions": [question("offer", choices=["fries"])]})) == ["1 cola", "2 fries"]


@pytest.mark.parametrize("yes", ["yes please", "ừ lấy luôn"])
def test_a_yes_takes_the_one_choice_that_is_offered_on_every_unit(yes):
    lines = [line("milk-tea", 2, size="small")]
    reply = say(yes, {"lines": lines, "questions": [question("offer", line=0, group="topping", choices=["jelly"])]})
    assert (order_of(reply), reply["act"]) == (["2 milk-tea small jelly"], "confirm")


@pytest.mark.parametrize("yes", ["yes please", "ừ lấy luôn"])
def test_a_yes_to_several_choices_asks_which(yes):
    reply = say(yes, {"lines": [line("cola")], "questions": [question("offer", choices=["fries", "lemonade"])]})
    assert order_of(reply) == ["1 cola"]
    assert asked(reply) == [("ambiguous", None, None)]
    assert order_of(say("fries", reply)) == ["1 cola", "1 fries"]


@pytest.mark.parametrize(("answer", "act"), [("fries", "answer"), ("khoai tây chiên", "answer")])
def test_one_of_several_offers_is_an_answer(answer, act):
    reply = say(answer, {"lines": [line("cola")], "questions": [question("offer", choices=["fries", "lemonade"])]})
    assert (order_of(reply), reply["act"]) == (["1 cola", "1 fries"], act)


@pytest.mark.parametrize("no", ["no thanks", "thôi khỏi"])
def test_a_declined_offer_is_noted_and_not_made_again(no):
    suggested = []

    def suggest(_, excluded):
        suggested.append(list(excluded))
        return next((item for item in ("fries", "lemonade") if item not in excluded), None)

    reply = say("a cola", suggest=suggest)
    assert (asked(reply), reply["questions"][0]["choices"]) == ([("offer", None, None)], ["fries"])
    after = say(no, reply, suggest=suggest)
    assert [(note["kind"], note["value"]) for note in after["notes"]] == [("offer", "fries")]
    assert after["act"] == "deny"
    assert say("another cola", after, suggest=suggest)["questions"][0]["choices"] == ["lemonade"]
    assert "fries" in suggested[-1]


def test_no_other_offer_follows_at_once_on_a_declined_one():
    def suggest(_, excluded):
        return next((item for item in ("fries", "lemonade") if item not in excluded), None)

    assert asked(say("no thanks", say("a cola", suggest=suggest), suggest=suggest)) == [("more", None, None)]


def test_two_declined_offers_are_the_last():
    declined = [{"kind": "offer", "line": None, "text": "", "value": item} for item in ("fries", "lemonade")]
    for noted, kind in ((declined[:1], "offer"), (declined, "more")):
        assert asked(say("a cola", {"notes": noted}, suggest=lambda *_: "green-tea")) == [(kind, None, None)]


def test_nothing_is_offered_while_a_question_blocks():
    assert asked(say("a milk tea", suggest=lambda *_: "fries")) == [("missing", 0, "size")]


@pytest.mark.parametrize("no", ["no", "không"])
def test_a_no_to_a_check_keeps_the_read_back(no):
    pending = {"op": "set", "item": "cola", "quantity": 10, "options": []}
    questions = [question("check", line=0, choices=["cola"], pending=pending), question("confirm")]
    reply = say(no, {"lines": [line("cola")], "questions": questions})
    assert (order_of(reply), reply["act"], reply["status"]) == (["1 cola"], "deny", "confirming")
    assert asked(say(no, reply)) == [("more", None, None)]


@pytest.mark.parametrize("no", ["no", "không"])
def test_a_no_to_anything_else_reads_the_order_back(no):
    reply = say(no, say("a cola"))
    assert (asked(reply), reply["act"], reply["status"]) == ([("confirm", None, None)], "done", "confirming")


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("đúng rồi", "không")])
def test_a_line_that_is_not_confirmed_is_removed(yes, no):
    state = {"lines": [line("cola"), line("fries")], "questions": [question("confirm", line=1)]}
    kept, removed = say(yes, state), say(no, state)
    assert (order_of(kept), kept["act"]) == (["1 cola", "1 fries"], "confirm")
    assert order_of(removed) == ["1 cola"]


@pytest.mark.parametrize(("yes", "no"), [("yes", "no"), ("ừ đúng", "không")])
def test_a_group_that_is_not_confirmed_stays_unset(yes, no):
    state = {
        "lines": [line("green-tea", size="small"), line("milk-tea", size="small")],
        "questions": [question("confirm", line=1, group="milk", choices=["oat"])],
    }
    assert order_of(say(yes, state))[1] == "1 milk-tea small oat"
    assert order_of(say(no, state))[1] == "1 milk-tea small"


# --- Order of asking, times, validity -----------------------------------------------------------------------------------------------


def test_questions_that_block_come_first_and_only_the_first_is_asked():
    reply = say("that's all", say("two milk teas with pearls"))
    assert asked(reply) == [("ambiguous", 0, "topping"), ("missing", 0, "size"), ("confirm", None, None)]
    assert [one["times"] for one in reply["questions"]][1:] == [0, 0]


def test_a_question_stays_open_while_another_is_answered():
    reply = say("large", say("two milk teas with pearls"))
    assert order_of(reply) == ["2 milk-tea black|white large"]
    assert asked(reply) == [("ambiguous", 0, "topping")]


def test_the_number_of_turns_in_which_a_question_was_asked_is_counted():
    reply = say("a milk tea")
    times = [reply["questions"][0]["times"]]
    for _ in range(3):
        reply = say("hmm", reply)
        times.append(reply["questions"][0]["times"])
    assert times == [1, 2, 3, 3]


def test_an_edit_begins_the_count_again():
    reply = say("hmm", say("a milk tea"))
    assert reply["questions"][0]["times"] == 2
    assert say("and a cola", reply)["questions"][0]["times"] == 1


@pytest.mark.parametrize(
    "wrong", [{"line": 5}, {"line": 0, "group": "colour"}, {"line": 1, "group": "size"}, {"choices": ["moon"]}, {"group": "size"}]
)
def test_a_question_about_what_does_not_exist_is_ignored(wrong):
    state = {"lines": [line("milk-tea", size="large"), line("cola")], "questions": [question("missing", **wrong)]}
    assert asked(say("hmm", state)) == [("more", None, None)]


def test_a_question_of_an_unknown_kind_is_ignored():
    assert asked(say("hmm", {"lines": [line("cola")], "questions": [question("riddle", line=0)]})) == [("more", None, None)]


def test_there_is_one_question_for_a_line_and_a_group():
    twice = [question("missing", line=0, group="size"), question("confirm", line=0, group="size", choices=["large"])]
    assert asked(say("hmm", {"lines": [line("milk-tea")], "questions": twice})) == [("missing", 0, "size")]


def test_questions_follow_their_lines():
    state = say("take off the cola", say("a cola and a milk tea"))
    assert (order_of(state), asked(state)) == (["1 milk-tea"], [("missing", 0, "size")])


def test_the_words_of_the_second_question_answer_it():
    reply = say("a chicken sandwich and a green tea")
    assert asked(reply) == [("missing", 0, "bread"), ("missing", 1, "size")]
    after = say("small", reply)
    assert order_of(after) == ["1 chicken-sandwich", "1 green-tea small"]
    assert asked(after) == [("missing", 0, "bread")]


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        ("Rye or wheat bread", "Rye or wheat bread?"),
        ("Which bread, rye", "Which bread, rye? Rye or wheat?"),
        ("Bread", "Bread? Rye or wheat?"),
    ],
)
def test_choices_that_the_words_of_a_menu_ask_for_are_not_listed_again(ask, text):
    groups = {**MENU["option_groups"], "bread": {**MENU["option_groups"]["bread"], "ask": ask}}
    engine = DialogEngine(Menu.model_validate({**MENU, "option_groups": groups}), ask_below=0.0, model=model())
    first = say("a tofu sandwich", engine=engine)
    assert first["questions"][0]["text"] == text
    (other,) = [one["text"] for one in say("and a cola", first, engine=engine)["questions"] if one["group"] == "bread"]
    assert other == f"For the tofu sandwich: {text}"
