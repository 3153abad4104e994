"""Order while speaking, through a real server, a real WebSocket and the real models."""

import asyncio
import contextlib
import json
import re
import shutil
import signal
import struct
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from settings import ROOT
from tests.conftest import CLIENT_KEYS, KEYS
from tests.live.recordings import AUDIO, BYTES_S, ITEMS, TRANSCRIPTS, items
from tests.servers import Server
from web.websocket_protocol import WebSocketProtocol

pytestmark = pytest.mark.anyio

PATH = "/api/v1/voice/live"
# Shorter and smaller than in service, so that the tests need not wait.
IDLE_S = 5.0
CLIENT_BYTES = 4 * 2**20
PROGRAM = f"""
from app import create_app
from settings import Settings, read_settings
from web import server
from web.live_socket import LiveLimits
from web.server_limits import ServerLimits
settings = read_settings(Settings)
limits = LiveLimits(max_idle_s={IDLE_S}, max_send_s=0.5, max_connections=12, max_client_bytes={CLIENT_BYTES})
server.run(create_app(settings, limits), settings, ServerLimits(close_deadline_s=0.5))
"""


@pytest.fixture(scope="module")
def live_server(tmp_path_factory):
    """A server with the speech models; the last test of this module stops it."""
    directory = tmp_path_factory.mktemp("live")
    (directory / "menus").mkdir()
    shutil.copy(ROOT / "menus/quan-nha.yaml", directory / "menus")
    menu = (ROOT / "menus/quan-nha.yaml").read_text("utf-8")
    (directory / "menus/changing.yaml").write_text(menu.replace("id: quan-nha", "id: changing"), "utf-8")
    own = {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer", "DRAIN_SECONDS": "8", "MAX_AUDIO_SECONDS": "60"}
    server = Server(directory, own | {"MENU_DIR": str(directory / "menus")}, PROGRAM)
    server.wait_until(lambda: httpx.get(f"{server.url}/readiness").status_code == 200, within_s=120)
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def connected(server, query="menu=quan-nha&language=vi", headers=KEYS, **options):
    async with connect(f"ws://127.0.0.1:{server.port}{PATH}?{query}", additional_headers=headers, **options) as socket:
        yield socket


async def received(socket: ClientConnection, until: str = "final"):
    """Read frames up to one of this type."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != until:
        envelope = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert set(envelope) == {"code", "msg", "data"}
        frames.append(envelope["data"])
    return frames


async def closed(socket: ClientConnection):
    """Read until the server closes; return the last frame, the code and the reason."""
    last = None
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(60):
            while True:
                last = json.loads(await socket.recv())["data"]
    return last, socket.close_code, socket.close_reason


def metrics_of(server) -> str:
    return httpx.get(f"{server.url}/metrics").text


def open_connections(server) -> float:
    line = next(line for line in metrics_of(server).splitlines() if line.startswith("voice_live_sessions "))
    return float(line.split()[1])


async def test_an_order_appears_while_it_is_spoken(live_server):
    async with connected(live_server) as socket:
        for start in range(0, len(AUDIO["vi"]), 3201):  # no whole number of samples
            await socket.send(AUDIO["vi"][start : start + 3201])
        await socket.send('{"type": "end"}')
        *partials, final = await received(socket)
    assert (final["text"], items(final), final["total"], final["unmatched"]) == (TRANSCRIPTS["vi"], ITEMS["vi"], 190000, [])
    assert partials
    for partial in partials:
        assert partial["type"] == "partial"
        assert final["text"].startswith(partial["text"][: partial["stable"]])


async def test_an_invalid_command_is_answered_with_an_error_and_the_connection_stays_open(live_server):
    line = {"item": "ca-phe-sua", "quantity": 1}
    async with connected(live_server) as socket:
        for text, error in (
            ("{", "BAD_REQUEST"),
            ("[]", "VALIDATION_FAILED"),
            ('{"type": "order"}', "VALIDATION_FAILED"),
            ('{"type": "lines", "lines": [], "total": 0}', "VALIDATION_FAILED"),
            ('{"type": "lines", "lines": [{"item": "moon"}]}', "ITEM_NOT_FOUND"),
            (json.dumps({"type": "lines", "lines": [line], "pad": "x" * 2**20}), "PAYLOAD_TOO_LARGE"),
        ):
            await socket.send(text)
            (frame,) = await received(socket, "error")
            assert frame["error"] == error
            assert frame["request_id"]
        await socket.send(json.dumps({"type": "lines", "lines": [line]}))
        await socket.send('{"type": "end"}')
        (final,) = await received(socket)
    assert (items(final), final["text"], final["changes"]) == ([("ca-phe-sua", 1)], "", [])


async def test_a_changed_menu_file_holds_for_open_connections(live_server):
    path = live_server.log_path.parent / "menus/changing.yaml"
    text, url = path.read_text("utf-8"), f"{live_server.url}/api/v1/voice/menus/changing"
    async with connected(live_server, "menu=changing&language=vi") as socket:
        await socket.send(json.dumps({"type": "lines", "lines": [{"item": "cappuccino"}, {"item": "latte"}]}))
        await socket.send('{"type": "end"}')
        (before,) = await received(socket)
        path.write_text(re.sub("  latte: .*\n", "", text).replace("cappuccino: {", "cappuccino: {available: false, "), "utf-8")
        live_server.wait_until(lambda: "latte" not in httpx.get(url, headers=KEYS).json()["data"]["menu"]["items"])
        await socket.send('{"type": "end"}')
        error, after = await received(socket)
        await socket.send(json.dumps({"type": "lines", "lines": [{"item": "latte"}]}))
        (rejected_frame,) = await received(socket, "error")
    assert items(before) == [("cappuccino", 1), ("latte", 1)]
    assert (error["error"], [place["loc"] for place in error["errors"]]) == ("ITEM_NOT_FOUND", [["lines", 1, "item"]])
    assert items(after) == [("cappuccino", 1)]
    assert rejected_frame["error"] == "ITEM_NOT_FOUND"


async def test_speech_without_a_voice_is_refused_before_the_handshake(live_server):
    with pytest.raises(InvalidStatus) as refused:
        async with connected(live_server, "menu=quan-nha&speak=true"):
            pass
    response = refused.value.response
    assert response.status_code == 503
    assert "SPEAK_VOICES" in json.loads(response.body)["msg"]


async def test_a_browser_sends_its_token_as_a_subprotocol_from_a_page_of_this_service(live_server):
    pair = {"secret_id": "demo", "secret_key": "demo-secret"}
    async with httpx.AsyncClient(base_url=live_server.url) as client:
        token = (await client.post("/api/v1/auth/token", json=pair)).json()["data"]["access_token"]
    async with connected(live_server, headers={}, subprotocols=["bearer", token], origin=live_server.url) as socket:
        assert socket.subprotocol == "bearer"
        assert socket.response is not None
        assert socket.response.headers["x-request-id"]
        assert socket.response.headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("query", "headers", "status", "error"),
    [
        ("", {}, 401, "AUTHENTICATION_REQUIRED"),
        ("", {"X-Secret-Id": "demo"}, 400, "SECRET_KEY_INVALID"),
        ("", {"X-Secret-Id": "demo", "X-Secret-Key": "not the right one"}, 400, "INVALID_CREDENTIALS"),
        ("", {"Authorization": "Bearer x"}, 401, "INVALID_TOKEN"),
        ("", {"Sec-WebSocket-Protocol": "bearer, x"}, 401, "INVALID_TOKEN"),
        ("", {"Sec-WebSocket-Protocol": "bearer"}, 401, "INVALID_TOKEN"),
        ("", {"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}, 403, "AUTHORIZATION_FAILED"),
        ("", {"X-Secret-Id": "speech", "X-Secret-Key": CLIENT_KEYS["speech"]}, 403, "AUTHORIZATION_FAILED"),
        ("", KEYS | {"Origin": "https://evil.example"}, 400, "BAD_REQUEST"),
        ("", KEYS | {"Origin": "null"}, 400, "BAD_REQUEST"),
        ("", KEYS | {"Origin": "http://["}, 400, "BAD_REQUEST"),
        ("?menu=none", KEYS, 404, "MENU_NOT_FOUND"),
        ("?menu=quan-nha&volume=11", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&sample_rate=1", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&language=xx", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&encoding=auto", KEYS, 422, "VALIDATION_FAILED"),
    ],
)
async def test_a_connection_that_is_not_allowed_is_rejected_in_the_envelope(live_server, query, headers, status, error):
    await rejected(f"ws://127.0.0.1:{live_server.port}{PATH}{query}", headers, status, error)


async def rejected(url, headers, status, error):
    with pytest.raises(InvalidStatus) as rejection:
        async with connect(url, additional_headers=headers):
            pass
    response = rejection.value.response
    envelope = json.loads(response.body or b"")
    assert (response.status_code, envelope["code"], envelope["data"]["error"]) == (status, status, error)
    assert envelope["data"]["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert ("retry-after" in response.headers) == (status in (429, 503))


async def test_connections_beyond_the_rate_or_before_the_models_are_loaded_are_rejected_before_the_upgrade(server):
    early = server(RATE_LIMIT_SPEECH="1/minute")  # without models
    url = f"ws://127.0.0.1:{early.port}{PATH}"
    await rejected(url, KEYS, 503, "OVERLOADED")
    await rejected(url, KEYS, 429, "RATE_LIMITED")
    await rejected(f"ws://127.0.0.1:{early.port}/healthcheck", KEYS, 404, "NOT_FOUND")
    async with httpx.AsyncClient(base_url=early.url) as client:
        assert (await client.get(PATH)).json()["data"]["error"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "fields",
    [
        "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Long: {'x' * 20_000}\r\n",
    ],
)
async def test_an_invalid_handshake_is_rejected_in_the_envelope(live_server, fields):
    reader, writer = await asyncio.open_connection("127.0.0.1", live_server.port)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{fields}\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"sec-websocket-version: 13" in head
    assert json.loads(body)["data"]["error"] == "BAD_REQUEST"


async def test_more_audio_than_one_connection_may_send_closes_it_with_a_reason(live_server):
    async with connected(live_server) as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(70):
                await socket.send(bytes(BYTES_S))
        last, code, reason = await closed(socket)
    assert (last["error"], code, reason) == ("AUDIO_TOO_LONG", 1009, "AUDIO_TOO_LONG")


async def test_a_flood_of_empty_frames_closes_the_connection_with_a_reason(live_server):
    async with connected(live_server) as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(1500):
                await socket.send(b"")
        last, code, reason = await closed(socket)
    assert (last["error"], code, reason) == ("RATE_LIMITED", 1008, "RATE_LIMITED")


@pytest.mark.parametrize("frame", [b"\x89\x80\0\0\0\0", b"\x8a\x80\0\0\0\0", b"\0\x80\0\0\0\0"], ids=["pings", "pongs", "empty fragments"])
async def test_a_flood_of_frames_that_complete_no_message_closes_the_connection_with_a_reason(live_server, frame):
    async with connected(live_server) as socket:
        socket.transport.write(b"\2\x80\0\0\0\0" + frame * 1500)
        _, code, reason = await closed(socket)
    assert (code, reason) == (1008, "RATE_LIMITED")


async def test_a_message_may_come_in_thousands_of_fragments_with_content(live_server):
    async with connected(live_server) as socket:
        await socket.send(bytes(64) for _ in range(5000))
        for _ in range(500):
            await socket.pong()
        await socket.send('{"type": "end"}')
        await received(socket)


@pytest.mark.parametrize(("read_paused", "received_s"), [(True, 0.0), (False, 95.0)])
def test_a_client_that_sends_faster_than_decoded_is_not_disconnected_for_a_missing_pong(read_paused, received_s):
    """The pong waits behind the audio that is not read yet."""
    pings: list[int] = []
    loop = SimpleNamespace(time=lambda: 100.0)
    peer: Any = SimpleNamespace(read_paused=read_paused, received_s=received_s, loop=loop, schedule_ping=lambda: pings.append(1))
    WebSocketProtocol.keepalive_timeout(peer)
    assert pings


async def test_a_message_beyond_the_maximum_size_closes_the_connection(live_server):
    async with connected(live_server) as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(bytes(9 * 2**20))
        _, code, _ = await closed(socket)
    assert code == 1009


FRAMES = {
    "one frame of 7 MB": b"\x82\xff" + struct.pack("!QI", 7 * 2**20, 0) + bytes(5 * 2**20),
    "many small fragments": b"\x02\x80" + bytes(4) + (b"\x00\xe4" + bytes(4 + 100)) * (CLIENT_BYTES // 150),
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
async def test_an_incomplete_message_beyond_the_limit_of_its_client_closes_the_connection_with_a_reason(live_server, frames):
    async with connected(live_server) as bystander, connected(live_server) as socket:
        socket.transport.write(frames)
        last, code, reason = await closed(socket)
        assert (last["error"], code, reason) == ("RATE_LIMITED", 1008, "RATE_LIMITED")
        await bystander.send('{"type": "end"}')
        assert (await received(bystander))[-1]["type"] == "final"


async def test_a_long_message_within_the_limit_of_its_client_is_processed(live_server):
    async with connected(live_server) as socket:
        await socket.send(bytes(40 * BYTES_S))
        await socket.send('{"type": "end"}')
        assert (await received(socket))[-1]["type"] == "final"


async def test_processed_messages_no_longer_count_towards_the_limit_of_a_client(live_server):
    command = json.dumps({"type": "lines", "lines": [{"item": "latte", "name": "ế" * (CLIENT_BYTES // 12)}]}, ensure_ascii=False)
    async with connected(live_server) as socket:
        for _ in range(8):  # twice as much in all
            await socket.send(command)
            await socket.send('{"type": "end"}')
            assert items((await received(socket))[-1]) == [("latte", 1)]


async def test_an_idle_connection_is_closed_with_a_reason_unless_keepalives_or_pings_arrive(live_server):
    async with (
        connected(live_server) as idle,
        connected(live_server) as pinging,
        connected(live_server) as commanding,
        asyncio.TaskGroup() as tasks,
    ):
        await idle.send(bytes(2 * BYTES_S))  # silence counts as audio
        closing = tasks.create_task(closed(idle))
        while not closing.done():
            await asyncio.sleep(IDLE_S / 3)
            await pinging.ping()
            await commanding.send('{"type": "keepalive"}')
        last, code, reason = await closing
        await asyncio.sleep(IDLE_S / 3)
        for socket in (pinging, commanding):
            await socket.send('{"type": "end"}')
            assert [frame["type"] for frame in await received(socket)] == ["final"]  # a keepalive is not answered
    assert (last["error"], code, reason) == ("TIMED_OUT", 1008, "TIMED_OUT")


async def test_a_command_in_a_binary_frame_ends_the_utterance_and_a_wrong_text_before_the_first_sound_is_answered(live_server):
    async with connected(live_server) as socket:
        await socket.send("hello")
        assert (await received(socket, "error"))[-1]["error"] == "BAD_REQUEST"
        await socket.send(AUDIO["vi"])
        await socket.send(b' {"type": "end"}\n')
        final = (await received(socket))[-1]
    assert (final["text"], final["ended_by"]) == (TRANSCRIPTS["vi"], "end")


async def test_an_empty_final_counts_no_turn_of_an_open_question(live_server):
    asked = {"kind": "confirm", "line": None, "times": 1}
    state = {"type": "lines", "lines": [{"item": "ca-phe-sua", "quantity": 1}], "questions": [asked]}
    async with connected(live_server) as socket:
        await socket.send(json.dumps(state))
        for _ in range(3):
            await socket.send('{"type": "end"}')
            final = (await received(socket))[-1]
    assert [(question["kind"], question["times"]) for question in final["questions"]] == [("confirm", 1)]
    assert (final["text"], final["act"], final["status"], final["changes"]) == ("", "none", "confirming", [])


async def test_a_client_that_vanishes_or_never_reads_leaves_no_connection_behind(live_server):
    gone = await connect(f"ws://127.0.0.1:{live_server.port}{PATH}?menu=quan-nha&language=vi", additional_headers=KEYS)
    await gone.send(AUDIO["vi"][: 2 * BYTES_S])
    gone.transport.abort()
    # Small buffers on this side, so that the unread replies soon fill the server's.
    reader, writer = await asyncio.open_connection("127.0.0.1", live_server.port, limit=1024)
    credentials = "".join(f"{name}: {value}\r\n" for name, value in KEYS.items())
    writer.write(
        f"GET {PATH}?menu=quan-nha HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{credentials}\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert open_connections(live_server) >= 1
    transport: Any = writer.transport
    transport.pause_reading()
    with contextlib.suppress(ConnectionError):
        writer.write((b"\x89\xfd\0\0\0\0" + bytes(125)) * 900)  # pings, as many as are answered
        await writer.drain()
        for _ in range(1100):
            writer.write(b"\x82\x80\0\0\0\0")  # then a flood, which ends the connection
        await writer.drain()
    live_server.wait_until(lambda: open_connections(live_server) == 0, within_s=30)
    writer.transport.abort()


async def test_a_connection_is_one_access_record_without_its_words(live_server):
    async with connected(live_server, headers=KEYS | {"X-Request-ID": "a-connection"}) as socket:
        await socket.send(AUDIO["vi"])
        await socket.send('{"type": "end"}')
        await received(socket)
    live_server.wait_until(lambda: '"a-connection"' in live_server.log())
    (record,) = [json.loads(line) for line in live_server.log().splitlines() if '"a-connection"' in line]
    assert record["audio_s"] == pytest.approx(len(AUDIO["vi"]) / BYTES_S, abs=0.01)
    assert (record["route"], record["status"], record["client"], record["utterances"], record["ended"]) == (PATH, 101, "demo", 1, "left")
    assert "sinh" not in live_server.log()
    assert "demo-secret" not in live_server.log()
    metrics = metrics_of(live_server)
    assert 'voice_live_seconds_count{type="final"}' in metrics
    assert 'voice_live_ended_total{reason="left"}' in metrics


async def test_a_stopping_server_lets_an_utterance_finish_and_sends_its_final(live_server):
    async with connected(live_server) as idle, connected(live_server) as socket:
        await socket.send(AUDIO["vi"])
        while (await received(socket, "partial"))[-1]["total"] == 0:
            pass
        live_server.signal(signal.SIGTERM)
        assert (await closed(idle))[1:] == (1012, "The service restarts.")
        await rejected(f"ws://127.0.0.1:{live_server.port}{PATH}?menu=quan-nha", KEYS, 503, "OVERLOADED")
        last, code, _ = await closed(socket)
    assert code == 1012
    assert (last["type"], last["text"], items(last)) == ("final", TRANSCRIPTS["vi"], ITEMS["vi"])
    assert live_server.process.wait(20) is not None
    assert "Traceback" not in live_server.log()
