"""Calls as the verb listen of jambonz carries them, to a real server with the real models and a real voice."""

import asyncio
import base64
import json
import uuid

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.adapters.callers import JambonzTelephone
from tests.conftest import CLIENT_KEYS, KEYS
from voice.calls.keeper import order_id_of

pytestmark = pytest.mark.anyio
PATH = "/api/v1/voice/calls/jambonz"


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def url_of(server, query="?menu=quan-nha&language=en") -> str:
    return f"ws://127.0.0.1:{server.port}{PATH}{query}"


async def test_a_caller_orders_by_voice_answers_by_keys_and_the_order_is_stored(hearing_server, recordings):
    call = str(uuid.uuid4()).upper()
    async with JambonzTelephone(url_of(hearing_server), basic("demo:demo-secret"), call, speed=8) as caller:
        await caller.silence(after=await caller.first_sound(after=0), quiet_s=0.5)  # behind the greeting
        await caller.say(recordings["order"])
        await caller.first_sound(after=caller.spoke_until)
        for key in ("1", "2", "1"):  # black pearls, nothing else, yes
            n_stopped = len(caller.cleared_at)
            await caller.press(key)
            async with asyncio.timeout(10):
                while len(caller.cleared_at) == n_stopped:  # noqa: ASYNC110 - the key stops the sentence
                    await asyncio.sleep(0.01)
            await caller.first_sound(after=caller.cleared_at[-1])
    async with httpx.AsyncClient(base_url=hearing_server.url, headers=KEYS) as client:
        reply = await client.get(f"/api/v1/voice/order/{order_id_of(call)}")
    lines = [(line["item"], line["quantity"]) for line in reply.json()["data"]["lines"]]
    assert lines == [("tra-sua-truyen-thong", 1), ("banh-mi-op-la", 2)]


async def test_a_caller_who_presses_zero_stops_the_greeting_and_is_handed_back_to_the_application(hearing_server):
    async with JambonzTelephone(url_of(hearing_server), basic("demo:demo-secret"), "c1") as caller:
        await caller.first_sound(after=0)
        await caller.socket.send("no JSON")
        await caller.send({"type": "mark", "data": {"name": "of another"}})
        await caller.press("0")
        await asyncio.wait_for(caller.ended.wait(), 30)
        assert (caller.controls, caller.socket.close_code) == (["killAudio", "clearMarks", "mark", "disconnect"], 1000)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (basic("demo:another-key"), 400), (basic("demo"), 400), (basic(f"speech:{CLIENT_KEYS['speech']}"), 403)],
)
async def test_a_verb_without_the_right_credentials_is_refused_before_the_upgrade(hearing_server, headers, status):
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url_of(hearing_server), additional_headers=headers):
            pass
    assert refused.value.response.status_code == status


@pytest.mark.parametrize("first", ["", "[]", b"\x00" * 320, '{"sampleRate": 64000}', '{"sampleRate": []}'])
async def test_a_verb_that_does_not_describe_its_call_is_closed_with_a_reason(hearing_server, first):
    async with connect(url_of(hearing_server), additional_headers=KEYS) as socket:
        await socket.send(first)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 20)
        assert (socket.close_code, socket.close_reason) == (1008, "BAD_REQUEST")


async def test_messages_beyond_the_limit_end_the_verb(hearing_server):
    async with connect(url_of(hearing_server), additional_headers=KEYS) as socket:
        await socket.send(json.dumps({"callSid": "c2", "metadata": "x" * 300_000}))
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 20)
        assert (socket.close_code, socket.close_reason) == (1009, "PAYLOAD_TOO_LARGE")
