"""What was recognised with little confidence changes no order by itself: it is asked about."""

from typing import Any

import pytest

from schemas import LineRequest
from settings import ROOT
from tests.conftest import client_of
from tests.test_app import Heard
from voice.menus.loading import read_menu
from voice.orders.confirmation import CONFIRM_BELOW, confirmed, recognition_confidence
from voice.orders.engine import OrderEngine

ENGINE = OrderEngine(read_menu(ROOT / "menus" / "quan-nha.yaml"))
DOUBTFUL, SURE = CONFIRM_BELOW - 0.01, CONFIRM_BELOW


def words(text, confidence):
    return [{"start_s": 0.0, "end_s": 1.0, "text": text, "confidence": confidence}]


def turn(text, confidence, order=None):
    before = [LineRequest.model_validate(line) for line in (order or {"lines": []})["lines"]]
    after = ENGINE.understand(text, before)
    return confirmed(after, ENGINE.price(before), words(text, confidence), ENGINE.menu.languages), after


def said(line):
    return line["item"], line["quantity"]


def checks(order):
    return [
        (question["line"], question["pending"]["op"], question["pending"]["item"], question["pending"]["quantity"])
        for question in order["questions"]
        if question["kind"] == "check"
    ]


def test_words_that_are_sure_change_the_order_as_they_do_in_text():
    for text in ("hai cà phê sữa và một latte", "ba trà", "cảm ơn"):
        order, plain = turn(text, SURE)
        assert order == plain
    assert turn("hai cà phê sữa", None)[0]["lines"]


def test_a_line_that_was_recognised_doubtfully_is_asked_about_with_all_that_was_said():
    order, plain = turn("hai cà phê sữa lớn ít đường và một latte", DOUBTFUL)
    assert (order["lines"], order["changes"], order["total"]) == ([], [], 0)
    assert checks(order) == [(None, "add", "ca-phe-sua", 2), (None, "add", "latte", 1)]
    first = order["questions"][0]
    assert first["pending"]["options"] == plain["lines"][0]["options"]
    assert len(first["pending"]["options"]) == 2
    assert (first["choices"], first["group"], first["blocks"], first["times"]) == (["ca-phe-sua"], None, True, 1)
    assert "Cà phê sữa" in first["text"]
    assert order["unmatched"] == plain["unmatched"]


CHANGES: dict[str, list[tuple[int | None, str, str, int]]] = {
    "thêm một latte": [(1, "set", "latte", 2)],
    "bỏ latte": [(1, "remove", "latte", 1)],
    "bỏ cà phê sữa và đổi latte thành ba ly": [(1, "set", "latte", 3), (0, "remove", "ca-phe-sua", 2)],
    "thêm một bạc xỉu": [(None, "add", "bac-xiu", 1)],
}


def test_lines_that_were_there_stay_as_they_were_whatever_was_recognised_doubtfully():
    before, _ = turn("hai cà phê sữa và một latte", SURE)
    for text, expected in CHANGES.items():
        order, plain = turn(text, DOUBTFUL, before)
        assert list(map(said, order["lines"])) == list(map(said, before["lines"]))
        assert (order["total"], order["changes"]) == (before["total"], [])
        assert set(checks(order)) == set(expected)
        assert plain["changes"]


def test_questions_about_items_stay_and_those_about_a_suspended_line_wait_for_it():
    order, plain = turn("ba trà và một sinh tố bơ trân châu", DOUBTFUL)
    assert [question["kind"] for question in plain["questions"] if question["line"] is None] == ["ambiguous"]
    assert sorted(question["kind"] for question in order["questions"]) == ["ambiguous", "check"]
    assert all(question["line"] is None for question in order["questions"])


def test_confidence_is_averaged_over_words_and_unknown_where_there_is_none():
    assert recognition_confidence([]) is None
    assert recognition_confidence(words("a b", None)) is None
    assert recognition_confidence([*words("a b c", 0.9), *words("d", 0.1), *words("e", None)]) == pytest.approx(0.7)


@pytest.mark.anyio
@pytest.mark.parametrize(("confidence", "n_lines", "kinds"), [(SURE, 1, []), (DOUBTFUL, 0, ["check"])])
async def test_the_order_route_asks_about_doubtful_words(state, confidence, n_lines, kinds):
    class Mumbled(Heard):
        async def transcribe(self, audio: bytes, **how: Any) -> Any:
            return await super().transcribe(audio, **how) | {"segments": words(self.text, confidence)}

    async with client_of(state, recogniser=Mumbled("hai cà phê sữa")) as client:
        order = (await client.post("/api/v1/voice/order", json={"menu": "quan-nha", "audio": "AAAA"})).json()["data"]
    assert len(order["lines"]) == n_lines
    assert [question["kind"] for question in order["questions"]] == kinds
    assert order["transcript"]["text"] == "hai cà phê sữa"
