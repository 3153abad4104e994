from typing import Any

from schemas import Conversation, LineRequest, OptionRequest
from tests.live.fakes import ScriptedSession
from tests.live.recordings import items
from voice.dialog.turn import DialogEngine
from voice.live.session_order import SessionOrder, remove_missing
from voice.menus.parts import Part, with_own_parts


def segments(text: str, confidence: float | None = 0.9) -> list[Any]:
    return [{"start_s": 0.0, "end_s": 1.0, "text": text, "confidence": confidence}]


def test_words_of_talk_that_resemble_an_item_are_asked_about_if_they_are_spoken(menu):
    order = SessionOrder(menu)
    text = "xoài này ngọt"
    assert (len(order.parse(segments(text))["lines"]), len(order.parse(segments(text, None))["lines"])) == (0, 1)


def test_an_item_that_became_unavailable_is_asked_about_also_when_it_is_already_ordered(menu):
    session = ScriptedSession(menu)
    assert items(session.say("two lattes")[-1]) == [("latte", 2)]
    menu.change("latte", available=False)
    menu.change("cappuccino", available=False)
    for text in ("one more latte", "make it three lattes", "one cappuccino"):
        final = session.say(text)[-1]
        assert items(final) == [("latte", 2)]
        assert [question["kind"] for question in final["questions"]] == ["unavailable"]


def test_a_new_price_holds_for_the_lines_before(menu):
    session = ScriptedSession(menu)
    before = session.say("two lattes")[-1]
    menu.change("latte", price=menu.menu.items["latte"].price + 1000)
    *partials, final = session.say("one ca phe sua")
    assert final["lines"][0]["unit_price"] == before["lines"][0]["unit_price"] + 1000
    assert partials
    assert {partial["lines"][0]["total"] for partial in partials} == {before["total"] + 2000}


def test_the_same_words_are_parsed_again_only_if_the_lines_or_the_menu_changed(menu):
    order = SessionOrder(menu)
    first = order.parse(segments("two lattes"))
    assert order.parse(segments("two lattes")) is first
    menu.change("latte", available=False)
    assert order.follow_menu() == []
    assert items(order.parse(segments("two lattes"))) == []
    menu.change("latte", available=True)
    order.follow_menu()
    order.set_state(Conversation(lines=[LineRequest(item="cappuccino")]))
    assert items(order.parse(segments("two lattes"))) == [("cappuccino", 1), ("latte", 2)]


def test_what_sells_out_between_two_partials_is_known_to_the_next_one(menu):
    engine = DialogEngine(with_own_parts(menu.menu))
    order = SessionOrder(lambda: engine)
    assert items(order.parse(segments("two lattes"))) == [("latte", 2)]
    engine.set_availability({Part(None, "latte"): False})
    assert order.follow_menu() == []
    assert items(order.parse(segments("two lattes"))) == []
    assert menu.menu.items["latte"].available


def test_the_reply_is_in_the_language_of_the_session_whatever_the_words_tell(menu):
    spoken = [segments(words) for words in ("latte", "two lattes please", "cho anh hai latte")]
    for language in ("vi", "en"):
        order = SessionOrder(menu, language)
        assert {order.parse(words)["say"]["language"] for words in spoken} == {language}
    assert SessionOrder(menu).parse(segments("two lattes please"))["say"]["language"] == "en"


def test_items_and_options_that_the_menu_does_not_have_are_removed_and_named(menu):
    lines = [
        LineRequest(item="cappuccino"),
        LineRequest(item="latte", options=[OptionRequest(group="size", choice="l"), OptionRequest(group="shot", choice="espresso")]),
    ]
    assert remove_missing(menu(), lines) == (lines, [])
    menu.change("latte", options=tuple(group for group in menu.menu.items["latte"].options if group != "shot"))
    menu.remove("cappuccino")
    (line,), errors = remove_missing(menu(), lines)
    assert [error["loc"] for error in errors] == [["lines", 0, "item"], ["lines", 1, "options", 1, "group"]]
    assert (line.item, [option.choice for option in line.options]) == ("latte", ["l"])
