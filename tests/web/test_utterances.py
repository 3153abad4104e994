"""An utterance, text or audio, comes as JSON, as a form, or as the body itself."""

import json

import pytest

from schemas import Conversation
from tests.conftest import client_of
from tests.web.fakes import FixedRecogniser
from tests.web.routes import MENU, ORDER, SPEECH, loc_of
from voice.dialog.wire import state_of

pytestmark = pytest.mark.anyio


async def test_an_utterance_is_either_text_or_audio_in_json(client):
    for body in ({"menu": MENU}, {"menu": MENU, "text": "x", "audio": "AAAA"}):
        assert (await client.post(ORDER, json=body)).status_code == 422


LINES = [{"item": "latte", "quantity": 2, "options": [{"group": "size", "choice": "l"}]}]
MANY_LINES = [{"item": "latte", "name": "Latte " * 10}] * 200
SPOKEN_FORMS = {
    "json": lambda lines: {"json": {"audio": "AAAA", "menu": MENU, "language": "vi", "customer_id": 7, "lines": lines}},
    "body": lambda lines: {
        "params": {"menu": MENU, "language": "vi", "customer_id": 7, "lines": json.dumps(lines)},
        "content": b"\0\0\0",
        "headers": {"Content-Type": "audio/ogg"},
    },
    "form": lambda lines: {
        "data": {"menu": MENU, "language": "vi", "customer_id": 7, "lines": json.dumps(lines), "model": "any"},
        "files": {"file": ("order.ogg", b"\0\0\0")},
    },
}


@pytest.mark.parametrize("lines", [[], LINES, MANY_LINES], ids=["none", "one", "many"])
@pytest.mark.parametrize("form", SPOKEN_FORMS.values(), ids=SPOKEN_FORMS)
async def test_a_spoken_order_comes_in_the_same_three_forms_as_speech(state, form, lines):
    recogniser = FixedRecogniser("hai cà phê sữa")
    async with client_of(state, recogniser=recogniser) as client:
        response = await client.post(ORDER, **form(lines))
    order = response.json()["data"]
    engine = state["menus"].get("demo", MENU)
    expected = engine.take_turn("hai cà phê sữa", state_of(engine.menu, Conversation.model_validate({"lines": lines})), is_spoken=True)
    assert {name: order[name] for name in expected} == json.loads(json.dumps(expected))
    assert order["transcript"]["text"] == "hai cà phê sữa"
    assert [(asked["audio"], asked["language"]) for asked in recogniser.calls] == [(b"\0\0\0", "vi")]


async def test_an_utterance_is_either_text_or_audio_in_a_form_and_a_query_too(client):
    for response in (
        await client.post(ORDER, data={"text": "x"}, files={"file": ("x", b"x")}),
        await client.post(ORDER, params={"text": "x"}, content=b"x", headers={"Content-Type": "audio/wav"}),
    ):
        assert (response.status_code, loc_of(response)) == (422, [["text"]])
    without = await client.post(ORDER, files={"menu": (None, MENU)})
    assert (without.status_code, loc_of(without)) == (422, [["file"]])


async def test_the_three_forms_have_the_same_reply(state):
    recogniser = FixedRecogniser("xin chào")
    async with client_of(state, recogniser=recogniser) as client:
        replies = [
            await client.post(SPEECH, json={"audio": "YWJj", "hertz": 16000, "encoding": "pcm_s16le", "channels": 1, "words": True}),
            await client.post(
                f"{SPEECH}?sample_rate=16000&encoding=pcm_s16le&channels=1&words=true",
                content=b"abc",
                headers={"Content-Type": "application/octet-stream"},
            ),
            await client.post(f"{SPEECH}?words=true", content=b"abc", headers={"Content-Type": "audio/L16;rate=16000; channels=1"}),
            await client.post(
                SPEECH,
                files={"file": ("a.wav", b"abc")},
                data={"sample_rate": "16000", "encoding": "pcm_s16le", "channels": "1", "words": "true", "model": "any"},
            ),
        ]
    assert {reply.text.split('"request_id"')[0] for reply in replies} == {replies[0].text}
    assert recogniser.calls == [recogniser.calls[0]] * 4
    assert recogniser.calls[0]["audio"] == b"abc"
    assert recogniser.calls[0]["words"] is True
    assert recogniser.calls[0]["phrases"] == ()


@pytest.mark.parametrize(
    "audio",
    ["YWJjYWJj", "YWJj\r\nYWJj\r\n", "YWJ\njYWJj", "data:audio/webm;codecs=opus;base64,YWJjYWJj", "DATA:;base64,YWJj\nYWJj"],
)
async def test_base64_may_have_line_breaks_and_be_a_data_url(state, audio):
    recogniser = FixedRecogniser()
    async with client_of(state, recogniser=recogniser) as client:
        assert (await client.post(SPEECH, json={"audio": audio})).status_code == 200
    assert recogniser.calls[0]["audio"] == b"abcabc"
