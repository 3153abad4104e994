"""Edits whose words were recognised with low confidence become questions."""

from typing import Any

import pytest

from tests.conftest import client_of
from tests.web.fakes import FixedRecogniser
from voice.orders.confirmation import CONFIRM_BELOW, recognition_confidence

UNCERTAIN, SURE = CONFIRM_BELOW - 0.01, CONFIRM_BELOW


def segments(text, confidence):
    return [{"start_s": 0.0, "end_s": 1.0, "text": text, "confidence": confidence}]


def test_the_confidence_is_the_mean_over_words_and_none_without_any():
    assert recognition_confidence([]) is None
    assert recognition_confidence(segments("a b", None)) is None
    assert recognition_confidence([*segments("a b c", 0.9), *segments("d", 0.1), *segments("e", None)]) == pytest.approx(0.7)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "confidence", "n_lines", "kinds"),
    [("hai cà phê sữa", SURE, 1, []), ("hai cà phê sữa", UNCERTAIN, 0, ["check"]), ("xoài này ngọt", SURE, 0, ["check"])],
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
