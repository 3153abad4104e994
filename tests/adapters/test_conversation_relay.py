"""Calls as ConversationRelay carries them: text in, text out, over a real server. The messages are those that Twilio documents."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.adapters.lines import signature
from tests.conftest import KEYS
from voice.calls.keeper import order_id_of

pytestmark = pytest.mark.anyio
PATH = "/api/v1/voice/calls/relay"


def url_of(server) -> str:
    return f"ws://127.0.0.1:{server.port}{PATH}"


def signed(server) -> dict[str, str]:
    return signature(f"wss://127.0.0.1:{server.port}{PATH}")


def setup(call: str = "CA1", **parameters: str) -> dict[str, Any]:
    return {"type": "setup", "sessionId": "VX1", "callSid": call, "from": "+84900000000", "customParameters": parameters}


def prompt(text: str, lang: str = "vi-VN") -> dict[str, Any]:
    return {"type": "prompt", "voicePrompt": text, "lang": lang, "last": True}


async def replied(socket: ClientConnection, message: dict[str, Any] | None) -> tuple[str, set[str | None]]:
    """Send a message; return the reply's text and its languages."""
    if message is not None:
        await socket.send(json.dumps(message))
    text, languages = "", set[str | None]()
    while True:
        token = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert token["type"] == "text"
        text += token["token"]
        languages.add(token.get("lang"))
        if token["last"]:
            return text, languages


async def test_a_conversation_in_vietnamese_ends_with_the_order_in_the_store_and_the_hand_off_data(hearing_server):
    call = f"CA{uuid.uuid4().hex}"
    async with connect(url_of(hearing_server), additional_headers=signed(hearing_server)) as socket:
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
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1000
    async with httpx.AsyncClient(base_url=hearing_server.url, headers=KEYS) as client:
        order = (await client.get(f"/api/v1/voice/order/{order_id_of(call)}")).json()["data"]
    assert (handoff["outcome"], handoff["order_id"], handoff["total"]) == ("confirmed", order["order_id"], order["total"])
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("tra-sua-truyen-thong", 2)]


async def test_zero_hands_the_caller_and_the_order_so_far_to_a_person(hearing_server):
    async with connect(url_of(hearing_server), additional_headers=signed(hearing_server)) as socket:
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
