"""Edits whose words were recognised with low confidence become questions."""

from typing import Any

import pytest

from schemas import LineRequest
from settings import ROOT
from tests.conftest import client_of
from tests.web.fakes import FixedRecogniser
from voice.menus.loading import read_menu
from voice.orders.confirmation import CONFIRM_BELOW, confirmed, recognition_confidence
from voice.orders.engine import OrderEngine

ENGINE = OrderEngine(read_menu(ROOT / "menus" / "quan-nha.yaml"))
UNCERTAIN, SURE = CONFIRM_BELOW - 0.01, CONFIRM_BELOW


def segments(text, confidence):
    return [{"start_s": 0.0, "end_s": 1.0, "text": text, "confidence": confidence}]


def turn(text, confidence, order=None):
    before = [LineRequest.model_validate(line) for line in (order or {"lines": []})["lines"]]
    after = ENGINE.understand(text, before)
    return confirmed(after, ENGINE.price(before), segments(text, confidence), ENGINE.menu.languages), after


def item_and_quantity(line):
    return line["item"], line["quantity"]


def checks(order):
    return [
        (question["line"], question["pending"]["op"], question["pending"]["item"], question["pending"]["quantity"])
        for question in order["questions"]
        if question["kind"] == "check"
    ]


def test_confident_speech_changes_the_order_like_text():
    for text in ("hai cà phê sữa và một latte", "ba trà", "cảm ơn"):
        order, plain = turn(text, SURE)
        assert order == plain
    assert turn("hai cà phê sữa", None)[0]["lines"]


def test_an_uncertain_line_becomes_a_question_with_its_quantity_and_options():
    order, plain = turn("hai cà phê sữa lớn ít đường và một latte", UNCERTAIN)
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


def test_uncertain_edits_leave_the_lines_unchanged():
    before, _ = turn("hai cà phê sữa và một latte", SURE)
    for text, expected in CHANGES.items():
        order, plain = turn(text, UNCERTAIN, before)
        assert list(map(item_and_quantity, order["lines"])) == list(map(item_and_quantity, before["lines"]))
        assert (order["total"], order["changes"]) == (before["total"], [])
        assert set(checks(order)) == set(expected)
        assert plain["changes"]


def test_questions_about_items_stay_and_those_about_a_line_that_is_not_added_go():
    order, plain = turn("ba trà và một sinh tố bơ trân châu", UNCERTAIN)
    assert [question["kind"] for question in plain["questions"] if question["line"] is None] == ["ambiguous"]
    assert sorted(question["kind"] for question in order["questions"]) == ["ambiguous", "check"]
    assert all(question["line"] is None for question in order["questions"])


def test_the_confidence_is_the_mean_over_words_and_none_without_any():
    assert recognition_confidence([]) is None
    assert recognition_confidence(segments("a b", None)) is None
    assert recognition_confidence([*segments("a b c", 0.9), *segments("d", 0.1), *segments("e", None)]) == pytest.approx(0.7)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "confidence", "n_lines", "kinds"),
    [("hai cà phê sữa", SURE, 1, []), ("hai cà phê sữa", UNCERTAIN, 0, ["check"]), ("ăn sáng", SURE, 0, ["check"])],
)
async def test_the_order_route_asks_before_an_uncertain_edit(state, text, confidence, n_lines, kinds):
    class Mumbled(FixedRecogniser):
        async def transcribe(self, audio: bytes, **how: Any) -> Any:
            return await super().transcribe(audio, **how) | {"segments": segments(self.text, confidence)}

    async with client_of(state, recogniser=Mumbled(text)) as client:
        order = (await client.post("/api/v1/voice/order", json={"menu": "quan-nha", "audio": "AAAA"})).json()["data"]
    assert len(order["lines"]) == n_lines
    assert [question["kind"] for question in order["questions"] if question["blocks"]] == kinds
    assert order["transcript"]["text"] == text
