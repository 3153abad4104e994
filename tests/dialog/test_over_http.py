"""A conversation over HTTP: every reply is accepted as the next request."""

import json
from typing import Any
from uuid import uuid4

import pytest
import yaml
from pydantic import TypeAdapter

from schemas import Explanation
from tests.conftest import client_of
from tests.dialog.shop import MENU, line, order_of
from voice.dialog.turn import DialogEngine
from voice.menus.served import ServedMenus

pytestmark = pytest.mark.anyio
ORDER = "/api/v1/voice/order"
STATE = ("lines", "questions", "changes", "notes")


@pytest.fixture
async def customer(state, tmp_path):
    """Return a call that takes a turn with the state of a reply."""
    (tmp_path / "teahouse.yaml").write_text(yaml.safe_dump(MENU), "utf-8")
    menus = ServedMenus(tmp_path, lambda menu: DialogEngine(menu, ask_below=0.0), state["store"])
    menus.refresh()
    async with client_of(state, menus=menus) as client:

        async def call(text: str, reply: Any = None, **fields: Any) -> Any:
            sent = {name: reply[name] for name in STATE} if reply else {}
            response = await client.post(ORDER, json={"text": text, **sent, **fields})
            return response.json()["data"]

        call.client = client  # type: ignore[attr-defined]
        yield call


@pytest.mark.parametrize(
    ("turns", "language"),
    [
        (["two milk teas with black pearls and a cola", "large", "no that's all", "yes"], "en"),
        (["hai trà sữa trân châu đen và một cô la", "lớn", "thôi em", "đúng rồi"], "vi"),
    ],
)
async def test_a_conversation_from_the_first_order_to_the_confirmation(customer, turns, language):
    reply: Any = None
    seen = []
    for text in turns:
        reply = await customer(text, reply)
        seen.append((reply["act"], reply["status"]))
        assert reply["say"]["language"] == language
        assert reply["say"]["text"]
    assert seen == [("order", "asking"), ("answer", "open"), ("done", "confirming"), ("confirm", "confirmed")]
    assert order_of(reply) == ["2 milk-tea black large", "1 cola"]
    assert reply["total"] == sum(one["total"] for one in reply["lines"]) == 2 * (400 + 100 + 50) + 250


@pytest.mark.parametrize("text", ["two mango juices", "500 colas", "two sandwiches", "I'm allergic to nuts, a cola please", "a cola to go"])
async def test_every_reply_is_accepted_as_a_request(customer, text):
    reply = await customer(text)
    again = await customer("hmm", reply)
    assert again["lines"] == [{**one, "confidence": None, "span": None} for one in reply["lines"]]
    assert [question.get("pending") for question in again["questions"]] == [question.get("pending") for question in reply["questions"]]
    assert again["notes"] == reply["notes"]


async def test_a_null_stands_for_an_absent_field(customer):
    question = {"kind": "missing", "line": 0, "lines": None, "group": "size", "choices": None, "pending": None, "times": None, "text": None}
    lines = [{"item": "milk-tea", "quantity": None, "options": None, "note": None}]
    reply = await customer("large", lines=lines, questions=[question], changes=None, notes=[{"kind": "other", "text": None, "value": None}])
    assert order_of(reply) == ["1 milk-tea large"]
    assert order_of(await customer("a cola", questions=None, notes=None, lines=None)) == ["1 cola"]


@pytest.mark.parametrize(
    "fields",
    [
        {"questions": [{"kind": "more", "mood": 1}]},
        {"questions": [{"line": 0}]},
        {"questions": [{"kind": "more"}] * 201},
        {"notes": [{"kind": "other"}] * 201},
        {"changes": [{"op": "add", "colour": "red"}]},
        {"questions": [{"kind": "check", "pending": {"op": "paint"}}]},
        {"reply_language": "english"},
        {"offer": "yes"},
        {"mood": "good"},
    ],
)
async def test_a_malformed_state_is_rejected(customer, fields):
    response = await customer.client.post(ORDER, json={"text": "a cola", **fields})
    assert (response.status_code, response.json()["data"]["error"]) == (422, "VALIDATION_FAILED")


async def test_the_state_is_a_json_string_in_a_query_and_in_a_form(customer):
    fields = {"lines": json.dumps([line("milk-tea")]), "questions": json.dumps([{"kind": "missing", "line": 0, "mood": 1}])}
    query = {"params": fields, "content": b"\0\0", "headers": {"Content-Type": "audio/ogg"}}
    for request in (query, {"data": fields, "files": {"file": b"\0"}}):
        response = await customer.client.post(ORDER, **request)
        assert response.status_code == 422
        assert ["questions", 0, "mood"] in [error["loc"] for error in response.json()["data"]["errors"]]


async def test_the_reply_is_in_the_language_that_is_asked_for(customer):
    assert (await customer("a cola", reply_language="vi"))["say"]["language"] == "vi"
    assert (await customer("một cô la", reply_language="en"))["say"]["language"] == "en"


async def test_an_offer_is_made_only_where_it_is_asked_for(customer):
    assert [question["kind"] for question in (await customer("a cola"))["questions"]] == ["more"]
    assert [question["kind"] for question in (await customer("a cola", offer=True))["questions"]] == ["offer"]


async def test_the_reply_tells_how_the_utterance_was_read_only_where_it_is_asked_for(customer):
    assert "explain" not in await customer("two colas")
    assert "explain" not in await customer("two colas", explain=False)
    reply = await customer("two colas", explain=True)
    TypeAdapter(Explanation).validate_python(reply["explain"], strict=False)
    assert reply["explain"]["chosen"]["order"] == ["2 x cola"]
    assert reply["explain"]["chosen"]["edits"][0]["span"] == reply["lines"][0]["span"] == [0, 9]
    assert order_of(await customer("yes", reply)) == ["2 cola"]


async def test_the_note_of_a_line_stays_with_it(customer):
    reply = await customer("take off the cola", lines=[line("cola"), {**line("fries"), "note": "well done"}])
    assert [(one["item"], one["note"]) for one in reply["lines"]] == [("fries", "well done")]


async def test_an_incomplete_order_is_not_stored(customer):
    body = {"menu": "teahouse", "lines": [line("cola"), line("milk-tea")]}
    response = await customer.client.put(f"{ORDER}/{uuid4()}", json=body)
    data = response.json()["data"]
    assert (response.status_code, data["error"]) == (422, "ORDER_INCOMPLETE")
    assert [error["loc"] for error in data["errors"]] == [["lines", 1, "options", "size"]]
