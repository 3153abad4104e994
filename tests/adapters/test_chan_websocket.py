"""Calls as Asterisk's chan_websocket carries them, in both forms of its events."""

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.async_messages import expect_described
from tests.conftest import KEYS
from voice.tts.sound import encode

pytestmark = pytest.mark.anyio
PATH = "/api/v1/voice/calls/asterisk"
BASIC = {"Authorization": "Basic ZGVtbzpkZW1vLXNlY3JldA=="}  # demo:demo-secret
WORDS = "MEDIA_START connection_id:c1 channel:WebSocket/a channel_id:1764500000.1 format:slin16 optimal_frame_size:640 ptime:20"
JSON = json.dumps({"event": "MEDIA_START", "connection_id": "c1", "channel_id": "1764500000.2", "format": "ulaw"})


def call(server, headers=BASIC, query="?menu=quan-nha&language=en"):
    return connect(f"ws://127.0.0.1:{server.port}{PATH}{query}", additional_headers=headers, subprotocols=["media"])  # type: ignore[list-item]


async def heard(socket: ClientConnection) -> tuple[int, list[str]]:
    """Read until the server closes; return the bytes of audio and the commands."""
    n_bytes, commands = 0, []
    async with asyncio.timeout(30):
        async for message in socket:
            if isinstance(message, bytes):
                n_bytes += len(message)
            else:
                commands.append(message)
                if "MARK_MEDIA" in message:
                    await socket.send(message.replace("MARK_MEDIA ", "MEDIA_MARK_PROCESSED correlation_id:"))
    return n_bytes, commands


async def test_a_caller_presses_zero_and_the_channel_is_closed_after_the_last_sentence(hearing_server):
    async with call(hearing_server) as socket:
        assert socket.subprotocol == "media"
        await socket.send(WORDS)
        assert isinstance(await asyncio.wait_for(socket.recv(), 20), bytes)  # the greeting
        await socket.send("DTMF_END channel:WebSocket/a digit:0")
        n_bytes, commands = await heard(socket)
        assert (commands, socket.close_code) == (["FLUSH_MEDIA", "MARK_MEDIA end-1"], 1000)
        assert n_bytes > 2 * 16_000  # the hand-off, at the rate of the channel


async def test_speech_over_the_greeting_empties_the_buffer_by_a_command_in_the_form_of_the_events(hearing_server, recordings):
    greeting = "Please+listen+carefully.+" * 20  # not over before the speech is detected, on a busy machine
    async with call(hearing_server, query=f"?menu=quan-nha&language=en&greeting={greeting}") as socket:
        expect_described("asterisk", "receive", json.loads(JSON))
        await socket.send(JSON)
        await asyncio.wait_for(socket.recv(), 20)
        await socket.send(encode(recordings["nothing else"], "mulaw"))
        async with asyncio.timeout(20):
            while isinstance(message := await socket.recv(), bytes):
                pass
        expect_described("asterisk", "send", json.loads(message))
        assert json.loads(message) == {"command": "FLUSH_MEDIA"}


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [({}, "", 401), ({"Authorization": "Basic ZGVtbzphbm90aGVyLWtleQ=="}, "", 400), ({"Authorization": "Basic %"}, "", 401)],
)
async def test_a_channel_without_credentials_is_refused_before_the_upgrade(hearing_server, headers, query, status):
    with pytest.raises(InvalidStatus) as refused:
        async with call(hearing_server, headers, query):
            pass
    assert refused.value.response.status_code == status


@pytest.mark.parametrize("first", ["MEDIA_START format:opus", "STATUS", "[]", '{"event": 1}', ""])
async def test_a_channel_that_does_not_start_is_closed_with_a_reason(hearing_server, first):
    async with call(hearing_server, KEYS) as socket:
        await socket.send(first)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 20)
        assert (socket.close_code, socket.close_reason) == (1008, "BAD_REQUEST")
