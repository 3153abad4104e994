"""Calls as ConversationRelay carries them: text in, text out. The messages are those that Twilio documents."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from adapters.conversation_relay import ConversationRelayEndpoint
from tests.adapters.lines import signature
from tests.async_messages import expect_described
from tests.conftest import KEYS, SETTINGS, client_of
from voice.calls.keeper import order_id_of
from web.context import CONTEXT_KEY, RequestContext

pytestmark = pytest.mark.anyio
PATH = "/api/v1/voice/calls/relay"


class Relay:
    """The platform's end of a connection to the endpoint in this process, whose voice is so fast that no test waits for it."""

    def __init__(self, state: Any) -> None:
        self.to_us: asyncio.Queue[Any] = asyncio.Queue()
        self.to_platform: asyncio.Queue[Any] = asyncio.Queue()
        self.to_us.put_nowait({"type": "websocket.connect"})
        headers = {name.lower().encode(): value.encode() for name, value in KEYS.items()}
        context = RequestContext(headers, "r1", "127.0.0.1")
        scope = {
            "type": "websocket",
            "path": PATH,
            "query_string": b"",
            "headers": list(headers.items()),
            "state": state,
            CONTEXT_KEY: context,
        }
        endpoint = ConversationRelayEndpoint(SETTINGS, characters_per_s=1e6)
        self.serving = asyncio.ensure_future(endpoint(scope, self.to_us.get, self.to_platform.put))

    async def send(self, message: str) -> None:
        self.to_us.put_nowait({"type": "websocket.receive", "text": message})

    async def recv(self) -> str:
        message = await self.to_platform.get()
        if message["type"] == "websocket.accept":
            return await self.recv()
        text: str = message.get("text") or json.dumps(message)
        return text

    async def closed(self) -> Any:
        """Close too, and return the close of the service."""
        self.to_us.put_nowait({"type": "websocket.disconnect"})
        await asyncio.wait_for(self.serving, 10)
        return json.loads(await self.recv())


@asynccontextmanager
async def relay(state: Any) -> AsyncIterator[Relay]:
    one = Relay(state)
    try:
        yield one
    finally:
        one.serving.cancel()


def url_of(server) -> str:
    return f"ws://127.0.0.1:{server.port}{PATH}"


def signed(server) -> dict[str, str]:
    return signature(f"wss://127.0.0.1:{server.port}{PATH}")


def setup(call: str = "CA1", **parameters: str) -> dict[str, Any]:
    return {"type": "setup", "sessionId": "VX1", "callSid": call, "from": "+84900000000", "customParameters": parameters}


def prompt(text: str, lang: str = "vi-VN") -> dict[str, Any]:
    return {"type": "prompt", "voicePrompt": text, "lang": lang, "last": True}


async def replied(socket: Any, message: dict[str, Any] | None) -> tuple[str, set[str | None]]:
    """Send a message; return the reply's text and its languages."""
    if message is not None:
        expect_described("relay", "receive", message)
        await socket.send(json.dumps(message))
    text, languages = "", set[str | None]()
    while True:
        token = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert token["type"] == "text"
        expect_described("relay", "send", token)
        text += token["token"]
        languages.add(token.get("lang"))
        if token["last"]:
            return text, languages


async def test_a_conversation_in_vietnamese_ends_with_the_order_in_the_store_and_the_hand_off_data(state):
    call = f"CA{uuid.uuid4().hex}"
    async with relay(state) as socket:
        greeting, languages = await replied(socket, setup(call, menu="quan-nha", language="vi", languages="vi-VN,en-US"))
        assert (greeting, languages) == ("Dạ em chào mình ạ. Mình dùng gì ạ?", {"vi-VN"})
        await socket.send(json.dumps(prompt("cho mình hai", "vi-VN") | {"last": False}))  # a partial, an unknown message: no reply
        await socket.send(json.dumps({"type": "info", "name": "clientSpeaking", "value": "on"}))
        asked, _ = await replied(socket, prompt("cho mình hai trà sữa lớn thêm trân châu"))
        assert "trân châu đen hay trân châu trắng" in asked
        await socket.send(json.dumps({"type": "interrupt", "utteranceUntilInterrupt": "Dạ, hai", "durationUntilInterruptMs": "860"}))
        assert "trân châu trắng" in (await replied(socket, {"type": "dtmf", "digit": "2"}))[0]
        assert "Đúng không ạ?" in (await replied(socket, prompt("không, hết rồi")))[0]
        assert "cảm ơn" in (await replied(socket, prompt("đúng rồi")))[0]
        end = json.loads(await asyncio.wait_for(socket.recv(), 20))
        assert end["type"] == "end"
        handoff = json.loads(end["handoffData"])
        assert (await socket.closed())["code"] == 1000
    async with client_of(state) as client:
        order = (await client.get(f"/api/v1/voice/order/{order_id_of(call)}")).json()["data"]
    assert (handoff["outcome"], handoff["order_id"], handoff["total"]) == ("confirmed", order["order_id"], order["total"])
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("tra-sua-truyen-thong", 2)]


async def test_zero_hands_the_caller_and_the_order_so_far_to_a_person(state):
    async with relay(state) as socket:
        await replied(socket, setup())
        await replied(socket, prompt("two lattes", "en-US"))
        assert (await replied(socket, {"type": "dtmf", "digit": "0"}))[1] == {"en-US"}
        end = json.loads(await asyncio.wait_for(socket.recv(), 20))
    handoff = json.loads(end["handoffData"])
    assert (handoff["outcome"], handoff["order_id"]) == ("handoff", None)
    assert [(line["item"], line["quantity"]) for line in handoff["lines"]] == [("latte", 2)]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "prompt"}, "BAD_REQUEST"),
        ({"type": "setup", "customParameters": ["menu"]}, "BAD_REQUEST"),
        (setup(menu="x"), "MENU_NOT_FOUND"),
    ],
)
async def test_a_connection_that_is_not_a_call_is_closed_with_a_reason(hearing_server, message, reason):
    async with connect(url_of(hearing_server), additional_headers=signed(hearing_server)) as socket:
        await socket.send(json.dumps(message))
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert (socket.close_code, socket.close_reason) == (1008, reason)


async def test_a_signed_call_is_greeted_over_a_real_connection(hearing_server):
    async with connect(url_of(hearing_server), additional_headers=signed(hearing_server)) as socket:
        assert await replied(socket, setup()) == ("Hi there! What can I get you?", {None})
