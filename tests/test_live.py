"""Ordering while speaking: the session by itself, and the whole way through a real socket and the real models."""

import asyncio
import contextlib
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from settings import ROOT
from tests.conftest import CLIENT_KEYS, KEYS
from tests.servers import Server

pytestmark = pytest.mark.anyio

ORDERS = {language: (ROOT / f"examples/order-{language}.wav").read_bytes()[44:] for language in ("vi", "en")}
SAID = "cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la"
BYTES_S = 32_000


@pytest.fixture(scope="module")
def speaking(tmp_path_factory):
    """A server that recognises speech."""
    server = Server(tmp_path_factory.mktemp("live"), {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer", "DRAIN_SECONDS": "8"})
    server.wait_until(lambda: httpx.get(f"{server.url}/readiness").json()["data"].get("checks", {}).get("speech"), within_s=120)
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def calling(server, query="menu=quan-nha&language=vi", headers=KEYS, **options):
    async with connect(f"ws://127.0.0.1:{server.port}/api/v1/voice/live?{query}", additional_headers=headers, **options) as socket:
        yield socket


async def told(socket: ClientConnection, until: str = "final"):
    """Read frames up to one of this type."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != until:
        envelope = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert set(envelope) == {"code", "msg", "data"}
        frames.append(envelope["data"])
    return frames


async def test_an_order_appears_while_it_is_spoken(speaking):
    async with calling(speaking) as socket:
        for start in range(0, len(ORDERS["vi"]), 3201):  # no whole number of samples
            await socket.send(ORDERS["vi"][start : start + 3201])
        await socket.send('{"type": "end"}')
        *partials, final = await told(socket)
    assert final["text"] == SAID
    assert [(line["item"], line["quantity"]) for line in final["lines"]] == [("sinh-to-bo", 2), ("banh-mi-op-la", 3)]
    assert (final["total"], final["unmatched"], final["menu"]) == (190000, [], "quan-nha")
    assert [segment["text"] for segment in final["segments"]] == [SAID]
    assert len(partials) >= 2
    for partial in partials:
        assert partial["type"] == "partial"
        assert final["text"].startswith(partial["text"][: partial["stable"]])


@pytest.mark.parametrize(
    ("query", "headers", "status", "error"),
    [
        ("", {}, 401, "AUTHENTICATION_REQUIRED"),
        ("", {"X-Secret-Id": "demo"}, 400, "SECRET_KEY_INVALID"),
        ("", {"X-Secret-Id": "demo", "X-Secret-Key": "not the right one"}, 400, "INVALID_CREDENTIALS"),
        ("", {"Authorization": "Bearer x"}, 401, "INVALID_TOKEN"),
        ("", {"Sec-WebSocket-Protocol": "bearer, x"}, 401, "INVALID_TOKEN"),
        ("", {"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}, 403, "AUTHORIZATION_FAILED"),
        ("", {"X-Secret-Id": "speech", "X-Secret-Key": CLIENT_KEYS["speech"]}, 403, "AUTHORIZATION_FAILED"),
        ("", KEYS | {"Origin": "https://evil.example"}, 400, "BAD_REQUEST"),
        ("?menu=none", KEYS, 404, "MENU_NOT_FOUND"),
        ("?menu=quan-nha&volume=11", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&sample_rate=1", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&language=xx", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&encoding=auto", KEYS, 422, "VALIDATION_FAILED"),
    ],
)
async def test_who_may_not_speak_is_told_so_in_the_envelope(speaking, query, headers, status, error):
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{speaking.port}/api/v1/voice/live{query}", additional_headers=headers):
            pass
    response = refused.value.response
    envelope = json.loads(response.body or b"")
    assert (response.status_code, envelope["code"], envelope["data"]["error"]) == (status, status, error)
    assert envelope["data"]["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
