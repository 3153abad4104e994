"""Calls as Twilio's Media Streams carry them, to a real server with the real models and a real voice."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.adapters.callers import TwilioTelephone
from tests.adapters.conftest import resembles
from tests.adapters.lines import signature
from tests.conftest import APP, CLIENT_KEYS, KEYS
from voice.calls.keeper import order_id_of

pytestmark = pytest.mark.anyio
PATH = "/api/v1/voice/calls/media"
DEMO = {"secret_id": "demo", "secret_key": "demo-secret"}


def url_of(server) -> str:
    return f"ws://127.0.0.1:{server.port}{PATH}"


def signed(server) -> dict[str, str]:
    return signature(f"wss://127.0.0.1:{server.port}{PATH}")


async def test_a_caller_orders_presses_keys_talks_over_the_shop_and_confirms(hearing_server, recordings, recognised):
    call = f"CA{uuid.uuid4().hex}"
    caller = TwilioTelephone(url_of(hearing_server), signed(hearing_server), {"menu": "quan-nha"}, call=call, speed=8)
    async with caller:
        await caller.first_sound(after=0)
        await caller.say(recordings["order"])
        assert caller.cleared_at  # the caller spoke over the greeting
        question = ""
        while not resembles(question, "would you like black pearls or white pearls", 0.7):  # its end may be on its way
            await caller.hear(quiet_s=1)
            question = await recognised(caller.all_since(caller.cleared_at[-1]))
        for key in ("1", "2"):  # black pearls, nothing else
            await caller.press(key)
            await caller.first_sound(after=asyncio.get_running_loop().time())
        caller.forget()
        await caller.say(recordings["yes"])
        await caller.first_sound(after=caller.spoke_until)
        goodbye = await recognised(await caller.hear(quiet_s=1))
        assert resembles(goodbye, "thank you that comes to one hundred and ten thousand see you soon")
        await caller.send({"event": "stop", "streamSid": "MZ1", "sequenceNumber": "99", "stop": {"accountSid": "AC1", "callSid": call}})
        await asyncio.wait_for(caller.ended.wait(), 30)
        assert caller.socket.close_code == 1000
    async with httpx.AsyncClient(base_url=hearing_server.url, headers=KEYS) as client:
        order = (await client.get(f"/api/v1/voice/order/{order_id_of(call)}")).json()["data"]
    lines = {line["item"]: (line["quantity"], {option["choice"] for option in line["options"]}) for line in order["lines"]}
    assert lines == {"tra-sua-truyen-thong": (1, {"l", "half", "black-pearls"}), "banh-mi-op-la": (2, set())}


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, "AUTHENTICATION_REQUIRED"),
        ({"X-Twilio-Signature": "bm90IHRoaXMgb25l"}, 400, "INVALID_CREDENTIALS"),
        (signature(f"wss://another.example{PATH}"), 400, "INVALID_CREDENTIALS"),
        ({"X-Twilio-Signature": "ế".encode().decode("latin-1")}, 400, "INVALID_CREDENTIALS"),
    ],
)
async def test_a_call_that_twilio_has_not_signed_is_refused_before_the_upgrade(hearing_server, headers, status, error):
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url_of(hearing_server), additional_headers=headers):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["data"]["error"] == error


async def test_calls_without_a_voice_are_refused_with_the_settings_to_make(state):
    sent: list[Any] = []
    scope = {"type": "websocket", "path": PATH, "query_string": b"", "headers": [], "state": state, "subprotocols": []}
    scope["extensions"] = {"websocket.http.response": {}}

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await APP(scope, receive, send)
    envelope = json.loads(sent[1]["body"])
    assert (sent[0]["status"], envelope["data"]["error"]) == (503, "OVERLOADED")
    assert "SPEAK_VOICES" in envelope["msg"]


async def closed(server, *messages: str | bytes, headers: dict[str, str] | None = None) -> tuple[int | None, str | None]:
    """Send messages and read until the server closes; return its code and reason."""
    async with connect(url_of(server), additional_headers=headers or signed(server)) as socket:
        try:
            for message in messages:
                await socket.send(message)
            async with asyncio.timeout(15):
                async for _ in socket:
                    pass
        except ConnectionClosed:
            pass
        return socket.close_code, socket.close_reason


def start(parameters: dict[str, str] | None = None, **media_format: object) -> str:
    return json.dumps({"event": "start", "streamSid": "MZ1", "start": {"customParameters": parameters or {}, "mediaFormat": media_format}})


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("[]", 1008, "BAD_REQUEST"),
        ("\x00", 1008, "BAD_REQUEST"),
        (start(encoding="audio/opus"), 1008, "BAD_REQUEST"),
        (start({"menu": "moon"}), 1008, "MENU_NOT_FOUND"),
        (start({"language": "vi"}), 1013, "OVERLOADED"),  # the voice is English
        (start(DEMO | {"secret_key": "another-key"}), 1008, "INVALID_CREDENTIALS"),
        (start({"secret_id": "order", "secret_key": CLIENT_KEYS["order"]}), 1008, "AUTHORIZATION_FAILED"),
        (start({"token": "x"}), 1008, "INVALID_TOKEN"),
        ("x" * 300_000, 1009, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_a_stream_that_is_not_a_call_is_closed_with_a_reason(hearing_server, message, code, reason):
    assert await closed(hearing_server, message) == (code, reason)


async def test_credentials_may_be_parameters_or_headers_of_the_upgrade(hearing_server):
    for headers, parameters in ((signed(hearing_server), DEMO), (KEYS, {})):
        caller = TwilioTelephone(url_of(hearing_server), headers, parameters | {"menu": "quan-nha", "language": "en"})
        async with caller:
            await caller.first_sound(after=0)


async def test_audio_that_is_not_base64_again_and_again_ends_the_call(hearing_server):
    media = json.dumps({"event": "media", "media": {"payload": "%"}})
    code, reason = await closed(hearing_server, start(), *[media] * 10, json.dumps({"event": "stop"}))
    assert (code, reason) == (1008, "BAD_REQUEST")


async def test_telnyx_spells_the_fields_otherwise(hearing_server):
    async with connect(url_of(hearing_server), additional_headers=signed(hearing_server)) as socket:
        content = {"call_control_id": "v3:abc", "media_format": {"encoding": "PCMA", "sample_rate": 8000, "channels": 1}}
        await socket.send(json.dumps({"event": "start", "sequence_number": "1", "stream_id": "st1", "start": content}))
        message = json.loads(await asyncio.wait_for(socket.recv(), 20))
    assert message["event"] == "media"
    assert message["media"]["payload"]
