"""What needs a real server: sockets, deadlines, signals, malformed HTTP."""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import re
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, Self, cast
from unittest.mock import Mock
from uuid import uuid4

import httpx
import psutil
import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from tests.conftest import KEYS, check_reply
from tests.servers import Server
from web import server as voice_server

pytestmark = pytest.mark.anyio

HEAD = (
    b"POST /api/v1/voice/order HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\nContent-Type: application/json\r\n"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One server for all tests that leave it as it was."""
    server = Server(tmp_path_factory.mktemp("server"), {})
    yield server
    server.stop()


class Connection:
    """A plain socket to a server."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """Read until the server closes."""
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(65536):
                received += data
        return received

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


# --- Malformed HTTP -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\nHost: x\n\n",
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(10_000)) + b"\r\n",
        b"GET /healthcheck HTTP/1.1\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    ],
    ids=[
        "garbage",
        "version",
        "length and chunked",
        "two lengths",
        "negative length",
        "endless length",
        "folded line",
        "bare line feeds",
        "bad name",
        "nul",
        "10,000 fields",
        "1 MB field",
        "1 MB path",
        "http 2",
        "connect",
    ],
)
def test_what_is_not_sound_http_is_refused_in_the_envelope_and_the_connection_closed(running, sent):
    with Connection(running.port) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(sent)
        received = connection.read()
    if received:  # a refusal may be lost when the server closes while it is still being sent to
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400"), received[:500]
        assert b"\r\nconnection: close\r\n" in head.lower() + b"\r\n"
        assert json.loads(body)["data"]["error"] == "BAD_REQUEST"
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        check_reply(httpx.Request("GET", "http://x/none"), httpx.Response(400, headers=headers, content=body))
    assert httpx.get(f"{running.url}/healthcheck").status_code == 200


def test_a_thousand_pipelined_requests_are_all_answered(running):
    with Connection(running.port) as connection:
        connection.send(
            b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n" * 999 + b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert connection.read().count(b"HTTP/1.1 200 OK") == 1000


def test_callers_that_come_together_are_served_before_those_who_are_connected_have_many_turns(running):
    health = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n"
    with Connection(running.port) as known, contextlib.ExitStack() as crowd:
        known.send(health)
        assert known.socket.recv(65536).startswith(b"HTTP/1.1 200")
        running.signal(signal.SIGSTOP)
        try:
            known.send(health * 99 + health.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            callers = [crowd.enter_context(Connection(running.port)) for _ in range(64)]
            for caller in callers:
                caller.send(health)
        finally:
            running.signal(signal.SIGCONT)
        turns = numbers_of(known.read())  # request ids count up
        last = max(number for caller in callers for number in numbers_of(caller.socket.recv(65536)))
    assert sum(turn < last for turn in turns) < 32


def numbers_of(received: bytes) -> list[int]:
    """Return which requests of the server's were answered."""
    return [int(number, 16) for number in re.findall(rb"x-request-id: \w+-(\w+)", received)]


def test_a_connection_outlives_the_pauses_of_clients_and_proxies(running):
    ask = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n"
    with Connection(running.port) as connection:
        connection.send(ask + b"\r\n")
        time.sleep(5.5)  # uvicorn's own limit is 5 s, which is also how long many clients keep a connection
        connection.send(ask + b"Connection: close\r\n\r\n")
        assert connection.read().count(b"HTTP/1.1 200 OK") == 2
    assert voice_server.KEEP_ALIVE_S > 60


LAST = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
RECOMMEND = HEAD.replace(b"/order", b"/recommend_order")
ONE_ITEM = b'{"menu": "quan-nha", "items": [], "limit": 1}'


def with_length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def in_chunks(body: bytes, trailers: bytes = b"", extension: bytes = b"") -> bytes:
    return b"Transfer-Encoding: chunked\r\n\r\n1%b\r\n%b\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (
        extension,
        body[:1],
        len(body) - 1,
        body[1:],
        trailers,
    )


def replies_in(received: bytes) -> list[tuple[int, Any]]:
    """Return the status and the data of each reply."""
    replies = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = int(re.findall(rb"content-length: (\d+)", head)[0])
        replies.append((int(head[9:12]), json.loads(rest[:length])["data"]))
        received = rest[length:]
    return replies


@pytest.mark.parametrize("piece_bytes", [100_000, 7])
@pytest.mark.parametrize("framed", [with_length, in_chunks])
@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Upgrade: foo/1, bar\r\nConnection: keep-alive\r\nConnection: upgrade\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
    ids=["h2c", "unknown", "websocket"],
)
def test_a_body_with_a_request_for_an_upgrade_stays_its_body(running, fields, framed, piece_bytes):
    smuggled = LAST.replace(b"/healthcheck", b"/api/v1/voice/menus")
    sent = RECOMMEND + fields + framed(ONE_ITEM) + RECOMMEND + fields + framed(smuggled) + LAST
    with Connection(running.port) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), piece_bytes):
            connection.send(sent[start : start + piece_bytes])
        (first, suggested), (second, refused), (third, health) = replies_in(connection.read())
    assert (first, len(suggested["items"])) == (200, 1)
    assert (second, refused["error"]) == (400, "BAD_REQUEST")
    assert (third, health) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"GET /healthcheck HTTP/1.0\r\nHost: x\r\nConnection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + with_length(b"hello"),
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\nGET /healthcheck HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["another protocol", "http 1.0", "two protocols", "a body", "behind a request that is not answered yet"],
)
def test_an_upgrade_that_cannot_be_made_is_answered_as_plain_http(running, sent):
    with Connection(running.port) as connection:
        connection.send(sent + LAST)
        assert {status for status, _ in replies_in(connection.read())} == {200}


@pytest.mark.parametrize("answered_first", [False, True])
def test_trailers_are_no_headers(running, answered_first):
    bare = b"POST /api/v1/voice/recommend_order HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    trailers = b"X-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\nX-Request-ID: of-a-trailer\r\nExpect: 100-continue\r\n"
    with Connection(running.port) as connection:
        if answered_first:
            connection.send(bare + b"Transfer-Encoding: chunked\r\n\r\n")
            received = connection.socket.recv(65536)
            connection.send(in_chunks(ONE_ITEM, trailers).partition(b"\r\n\r\n")[2])
        else:
            connection.send(bare + in_chunks(ONE_ITEM, trailers))
            received = b""
        connection.send(RECOMMEND + in_chunks(ONE_ITEM, trailers) + LAST)
        received += connection.read()
    assert [status for status, _ in replies_in(received)] == [401, 200, 200]
    assert b"of-a-trailer" not in received


@pytest.mark.parametrize(
    "sent",
    [
        in_chunks(ONE_ITEM, trailers=b"a:\r\n" * 100_000),
        in_chunks(ONE_ITEM, trailers=b"a: " + b"a" * 400_000 + b"\r\n"),
        in_chunks(ONE_ITEM, extension=b";" + b"a" * 400_000),
    ],
    ids=["many", "a long one", "an extension"],
)
def test_what_is_neither_head_nor_body_is_bounded(running, sent):
    with Connection(running.port) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(RECOMMEND + sent + LAST)
        received = connection.read()
    assert b"200 OK" not in received
    assert httpx.get(f"{running.url}/healthcheck").status_code == 200


def test_whitespace_around_a_field_is_no_part_of_it(running):
    spaced = RECOMMEND.replace(b"\r\nX-Secret", b" \t\r\nX-Secret").replace(b"demo-secret\r\n", b"demo-secret \r\n")
    with Connection(running.port) as connection:
        connection.send(spaced + with_length(ONE_ITEM).replace(b"\r\n\r\n", b" \r\n\r\n") + LAST)
        assert [status for status, _ in replies_in(connection.read())] == [200, 200]


class Transport:
    """What a protocol needs of a transport: keeps what is written, as for a peer that reads nothing."""

    def __init__(self) -> None:
        self.written = b""
        self.is_reading, self.is_closed, self.is_aborted = True, False, False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def get_extra_info(self, *_: object) -> None:
        return None

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True


class Application:
    """Answers each request once it is let; counts them."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        await receive()
        await self.may_answer.wait()
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await send({"type": "http.response.start", "status": 200, "headers": [LENGTH]})
        await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
async def wired():
    """A protocol between an application and a transport of ours."""
    application, transport = Application(), Transport()
    config = uvicorn.Config(
        application, http="web.server:Protocol", ws="web.server:SocketProtocol", lifespan="off", log_config=None, proxy_headers=False
    )
    config.load()
    transport.protocol = protocol = voice_server.Protocol(config, ServerState(), {})
    protocol.connection_made(transport)
    yield protocol, application, transport
    application.may_answer.set()
    transport.protocol.connection_lost(None)
    await settle()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens after a while."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of a transport, which sets no event
            await asyncio.sleep(0.001)


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(2000):
        await asyncio.sleep(0)


async def test_few_of_very_many_pipelined_requests_are_parsed_before_they_are_answered(wired):
    protocol, application, transport = wired
    ask = b"GET / HTTP/1.1\r\n\r\n"
    for _ in range(2):
        protocol.data_received(ask * 5000)
        await settle()
        assert not transport.is_reading
    assert application.begun == 1
    assert len(protocol.pipeline) <= voice_server.PARSE_BYTES / len(ask)
    application.may_answer.set()
    while transport.written.count(b"hello") < 10_000:
        await settle()
    assert transport.is_reading
    protocol.data_received(ask)
    await settle()
    assert application.begun == 10_001


async def test_no_reply_is_made_while_earlier_ones_are_not_read(wired):
    protocol, application, transport = wired
    application.may_answer.set()
    protocol.pause_writing()
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\n" * 3)
    await settle()
    assert (application.begun, transport.is_reading) == (0, False)
    protocol.resume_writing()
    await settle()
    assert (application.begun, transport.is_reading) == (3, True)


@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n", b"Content-Length: x\r\n"], ids=["idle", "the last reply", "a refusal"])
async def test_a_connection_that_is_closed_is_aborted_if_what_was_written_is_not_read(wired, monkeypatch, fields):
    protocol, application, transport = wired
    monkeypatch.setattr(voice_server, "WRITE_DEADLINE_S", 0.01)
    protocol.timeout_keep_alive = 0.01
    protocol.watch.cancel()
    protocol.watch = None
    application.may_answer.set()
    protocol.data_received(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    await until(lambda: transport.is_aborted)


async def test_a_connection_is_not_aborted_while_replies_are_read(wired):
    protocol, application, transport = wired
    application.may_answer.set()
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\n")
    await settle()
    protocol.pause_writing()
    for _ in range(10):
        waiting_bytes = len(transport.written)
        transport.written = transport.written[1:]
        protocol.watch_writes(waiting_bytes)
        assert not transport.is_aborted
    protocol.watch_writes(len(transport.written))
    assert transport.is_aborted


async def test_a_body_behind_a_request_that_is_not_answered_yet_is_read_once_it_is(wired):
    protocol, application, _ = wired
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"a" * 50_000)
    protocol.data_received(b"a" * 50_000 + b"GET / HTTP/1.1\r\n\r\n")
    await settle()
    assert application.begun == 1
    application.may_answer.set()
    await settle()
    assert application.begun == 3


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the path, the body and the names of the fields."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    said = b"%b %b %b\n" % (scope["path"].encode(), hashlib.sha256(body).hexdigest().encode(), b" ".join(sorted(dict(scope["headers"]))))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


def any_request(chance: random.Random, number: int) -> tuple[bytes, bytes]:
    """Return some request, and what `echo` says of it."""
    body = chance.randbytes(chance.choice([0, 1, 50, 3000, 70_000]))
    fields, names = b"", [b"host"]
    if chance.random() < 0.5:
        fields, names = b"Connection: Upgrade\r\nUpgrade: h2c\r\n", [b"connection", b"host"]
    if body and chance.random() < 0.5:
        sizes = [chance.randint(1, len(body)) for _ in range(3)]
        pieces = [body[start : start + sizes[0]] for start in range(0, len(body), sizes[0])][:100]
        body = b"".join(pieces)
        framed = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"
        fields, names = fields + b"Transfer-Encoding: chunked\r\n\r\n" + framed, [*names, b"transfer-encoding"]
    else:
        fields, names = fields + with_length(body), [*names, b"content-length"]
    path = b"/%d" % number
    said = b"%b %b %b\n" % (path, hashlib.sha256(body).hexdigest().encode(), b" ".join(sorted(names)))
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%b" % (path, fields), said


@pytest.mark.parametrize("seed", range(40))
async def test_any_requests_in_any_pieces_are_answered_in_order(wired, seed):
    protocol, _, transport = wired
    protocol.app = echo
    chance = random.Random(seed)  # noqa: S311 - not a secret
    asked = [any_request(chance, number) for number in range(20)]
    sent, start = b"".join(request for request, _ in asked), 0
    async with asyncio.timeout(20):
        while start < len(sent):
            if transport.is_reading:
                end = start + chance.choice([1, 30, 500, 2048, 5000, 65_536, 262_144])
                protocol.data_received(sent[start:end])
                start = end
            await asyncio.sleep(0)
    await until(lambda: transport.written.count(b"HTTP/1.1 200 OK") == len(asked) and transport.is_reading)
    assert [part.partition(b"\r\n\r\n")[2] for part in transport.written.split(b"HTTP/1.1 200 OK\r\n")[1:]] == [said for _, said in asked]


@pytest.mark.parametrize("accepted", [True, False])
async def test_control_frames_are_parsed_in_turns_and_their_number_is_bounded(wired, accepted):
    protocol, application, transport = wired
    protocol.data_received(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await settle()
    if accepted:
        application.may_answer.set()
        await settle()
    frame = b"\x8a\x80\0\0\0\0"
    socket_protocol = transport.protocol
    socket_protocol.data_received(frame * 40_000)
    in_one_turn = voice_server.TURN_FRAMES + voice_server.SLICE_BYTES / len(frame)
    assert 0 < socket_protocol.n_frames <= in_one_turn
    assert not transport.is_reading
    await settle()
    assert transport.is_closed
    assert socket_protocol.n_frames <= voice_server.FREE_FRAMES + in_one_turn
    assert socket_protocol.unread == b""


def test_a_reply_goes_out_in_one_piece(running):
    sent = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n"
    with Connection(running.port) as connection:
        for _ in range(20):
            connection.send(sent)
            assert connection.socket.recv(65536).endswith(b"}}")
        connection.send(sent.replace(b"GET", b"HEAD") + sent)
        head = connection.socket.recv(65536)
        assert head.startswith(b"HTTP/1.1 200")
        while b"}}" not in head:
            head += connection.socket.recv(65536)
        assert head.count(b"HTTP/1.1 200 OK") == 2


TYPE, LENGTH = (b"content-type", b"text/plain"), (b"content-length", b"5")
PLAIN = [TYPE, LENGTH], [b"hello"]


def exchange_of(kind: type[RequestResponseCycle], transport: Mock, *, method: str, keep_alive: bool) -> RequestResponseCycle:
    return kind(
        scope=cast("Any", {"method": method}),
        transport=transport,
        flow=Mock(write_paused=False, read_paused=False),
        logger=Mock(),
        access_logger=Mock(),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=Mock(),
    )


@pytest.mark.parametrize("parts", [[b"hello"], [b""], [b"he", b"llo"]])
async def test_a_request_is_read_as_the_library_reads_it(parts):
    """Its body once; then nothing, until the caller hangs up."""

    async def read(kind: type[RequestResponseCycle]) -> list[object]:
        exchange = exchange_of(kind, Mock(), method="POST", keep_alive=True)
        messages: list[object] = []
        for number, part in enumerate(parts, 1):
            exchange.body += part
            exchange.more_body = number < len(parts)
            exchange.message_event.set()
            messages.append(await exchange.receive())
        gone = asyncio.ensure_future(exchange.receive())
        await asyncio.sleep(0)
        messages.append(gone.done())
        exchange.disconnected = True
        exchange.message_event.set()
        return [*messages, await gone]

    assert await read(voice_server.Exchange) == await read(RequestResponseCycle)


@pytest.mark.parametrize(
    ("method", "keep_alive", "headers", "parts"),
    [
        ("GET", True, *PLAIN),
        ("HEAD", True, *PLAIN),
        ("GET", False, *PLAIN),
        ("GET", True, [TYPE, LENGTH], [b"he", b"llo"]),
        ("GET", True, [TYPE], [b"hello"]),
        ("GET", True, [TYPE, (b"content-length", b"4")], [b"hello"]),
        ("GET", True, [TYPE, (b"content-length", b"6")], [b"hello"]),
        ("GET", True, [(b"content-length", b"0")], [b""]),
        ("GET", True, [*PLAIN[0], (b"location", b"/\r\nset-cookie: a=b")], [b"hello"]),
        ("GET", True, [*PLAIN[0], (b"location", b"/\nset-cookie: a=b")], [b"hello"]),
        ("GET", True, [*PLAIN[0], (b"location", b"/\rset-cookie: a=b")], [b"hello"]),
        ("GET", True, [*PLAIN[0], (b"a: b\r\nset-cookie", b"a=b")], [b"hello"]),
    ],
)
async def test_a_reply_is_written_as_the_library_writes_it(method, keep_alive, headers, parts):
    """Same bytes, same errors; a reply with a line break in a header, which would be two replies, is none."""

    async def written(kind: type[RequestResponseCycle]) -> tuple[bytes, bool, bool, str]:
        transport = Mock()
        exchange = exchange_of(kind, transport, method=method, keep_alive=keep_alive)
        exchange.more_body = False
        error = ""
        try:
            await exchange.send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            for number, part in enumerate(parts, 1):
                await exchange.send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})
        except RuntimeError as raised:
            error = str(raised)
        sent = b"".join(call.args[0] for call in transport.write.call_args_list)
        return sent, exchange.response_complete, transport.close.called, error

    ours, library = await written(voice_server.Exchange), await written(RequestResponseCycle)
    assert ours == library
    assert b"set-cookie" not in ours[0]


def test_who_waits_to_be_told_to_go_on_is_told(running):
    body = b'{"menu": "quan-nha", "items": []}'
    head = HEAD.replace(b"/order", b"/recommend_order") + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with Connection(running.port) as connection:
        connection.send(head % len(body))
        assert connection.socket.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(body)
        assert connection.read().startswith(b"HTTP/1.1 200")


def test_no_server_is_named(running):
    assert "server" not in httpx.get(f"{running.url}/healthcheck").headers


# --- Slow and broken senders --------------------------------------------------------------------------------------------------------


async def closing_time(port: int, first: bytes, drip: bytes = b"", every_s: float = 0.05, within_s: float = 20) -> float:
    """Send, go on dripping, and return the seconds until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(first)
    closed = asyncio.ensure_future(reader.read())
    try:
        while not closed.done():
            assert time.monotonic() - began < within_s, "the connection was never closed"
            if drip:
                with contextlib.suppress(ConnectionError):
                    writer.write(drip)
            await asyncio.wait({closed}, timeout=every_s)
    finally:
        closed.cancel()
        writer.close()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n", b""),
        (b"GET /healthcheck HTTP/1.1\r\n", b"X: y\r\n"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\nGET /health", b""),
        (HEAD + b"Content-Length: 1000000\r\n\r\n" + b" " * 400_000, b""),
        (HEAD + b"Content-Length: 1000000\r\n\r\n" + b" " * 400_000, b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n61a80\r\n" + b" " * 400_000 + b"\r\n", b"1\r\n \r\n"),
    ],
    ids=[
        "silence",
        "half a head",
        "a dripping head",
        "a dripping body",
        "dripping chunks",
        "half a second request",
        "a body that stops",
        "a body that begins fast and drips",
        "chunks that begin fast and drip",
    ],
)
async def test_a_sender_that_never_finishes_is_cut_off_while_others_are_served(quick, first, drip):
    cut_off = asyncio.ensure_future(closing_time(quick.port, first, drip))
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{quick.url}/healthcheck")).status_code == 200
    await cut_off


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A server whose deadlines are short, so that the test need not wait for the real ones."""
    program = (
        "from web import server; server.HEAD_DEADLINE_S = 1; server.KEEP_ALIVE_S = 1; server.WRITE_DEADLINE_S = 1; "
        "import app; server.run('app:app', app.settings)"
    )
    one = Server(tmp_path_factory.mktemp("quick"), {}, program)
    yield one
    one.stop()


@pytest.mark.parametrize(("path", "times"), [("/healthcheck", 20_000), ("/api/v1/docs/openapi.json", 200)])
def test_who_does_not_read_replies_is_let_go(quick, path, times):
    with Connection(quick.port) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.socket.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * times)
        address, process = connection.socket.getsockname(), psutil.Process(quick.process.pid)
        quick.wait_until(lambda: address not in [peer.raddr for peer in process.net_connections()], within_s=20)
    assert httpx.get(f"{quick.url}/healthcheck").status_code == 200


async def test_a_connection_is_kept_while_it_is_used_and_no_longer(quick):
    reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
    for _ in range(7):
        writer.write(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.3)
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()


async def test_a_steady_sender_may_take_longer_than_the_deadline(quick):
    body = json.dumps({"menu": "quan-nha", "text": "một cà phê sữa"}).encode() + b" " * 30_000

    async def steadily():
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]
            await asyncio.sleep(0.1)

    async with httpx.AsyncClient(headers=KEYS) as client:
        response = await client.post(f"{quick.url}/api/v1/voice/order", content=steadily(), headers={"Content-Type": "application/json"})
    assert response.status_code == 200


def test_a_caller_that_hangs_up_within_its_body_leaves_no_trace_but_a_count(running):
    def hung_up() -> float:
        text = httpx.get(f"{running.url}/metrics").text
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith("voice_http_disconnected_total")))

    before = hung_up()
    with Connection(running.port) as connection:
        connection.send(HEAD + b"Content-Length: 100\r\n\r\nabc")
        time.sleep(0.1)
    running.wait_until(lambda: hung_up() == before + 1)
    assert "Traceback" not in running.log()
    assert '"message":"failed"' not in running.log()


def test_a_refused_body_is_read_on_so_that_the_refusal_arrives(running):
    big = b" " * 3_000_000
    response = httpx.post(f"{running.url}/api/v1/voice/recommend_order", content=big, headers={**KEYS, "Content-Type": "application/json"})
    assert (response.status_code, response.json()["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("framed", [with_length, in_chunks])
def test_a_refusal_arrives_where_the_connection_is_to_be_closed_too(running, framed):
    with Connection(running.port) as connection:
        connection.send(RECOMMEND + b"Connection: close\r\n" + framed(b" " * 30_000_000) + LAST)
        ((status, refused),) = replies_in(connection.read())
    assert (status, refused["error"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_refused_body_that_never_ends_is_not_read_on_for_long(quick):
    await closing_time(quick.port, RECOMMEND + b"Connection: close\r\nContent-Length: 30000000\r\n\r\n", b" " * 1000)


# --- Starting and ending ------------------------------------------------------------------------------------------------------------


async def test_a_server_that_is_told_to_end_is_unready_first_finishes_what_it_began_and_goes(server):
    one = server(DRAIN_SECONDS="8")
    async with httpx.AsyncClient(base_url=one.url, headers=KEYS, timeout=20) as client:
        begun = []
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            body = b'{"menu": "quan-nha", "text": "x"}'
            writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
            begun.append((reader, writer, body[5:]))
        await asyncio.sleep(0.2)
        one.signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        ready = await client.get("/readiness")
        assert (ready.status_code, ready.json()["data"]["checks"]["serving"]) == (503, False)
        assert (await client.post("/api/v1/voice/order", json={"text": "một cà phê"})).status_code == 200
        await asyncio.sleep(2.5)  # the listener is closed by now
        for _, writer, rest in begun:
            writer.write(rest)
        for reader, writer, _ in begun:
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
    assert await asyncio.to_thread(one.process.wait, 8) in (0, -signal.SIGTERM)


async def test_what_cannot_be_finished_in_time_is_answered_and_the_server_goes(server):
    one = server(DRAIN_SECONDS="2")
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
    await asyncio.sleep(0.2)
    one.signal(signal.SIGTERM)
    assert await asyncio.to_thread(one.process.wait, 10) in (0, -signal.SIGTERM)
    received = await reader.read()
    writer.close()
    assert received.startswith(b"HTTP/1.1 503")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["data"]["error"] == "OVERLOADED"


async def test_every_acknowledged_order_survives_a_kill(server, tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/kept.db"
    one = server(DATABASE_URL=url)
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def put(client: httpx.AsyncClient) -> None:
        with contextlib.suppress(httpx.TransportError):
            for _ in range(200):
                order_id = str(uuid4())
                body = {"menu": "quan-nha", "lines": [{"item": "ca-phe-sua"}]}
                if (await client.put(f"/api/v1/voice/order/{order_id}", json=body)).status_code == 201:
                    acknowledged.append(order_id)
                    if len(acknowledged) == 50:
                        enough.set()

    async with httpx.AsyncClient(base_url=one.url, headers=KEYS) as client:
        putting = [asyncio.ensure_future(put(client)) for _ in range(5)]
        await asyncio.wait_for(enough.wait(), 60)
        one.signal(signal.SIGKILL)
        await asyncio.gather(*putting)
    again = server(DATABASE_URL=url)
    async with httpx.AsyncClient(base_url=again.url, headers=KEYS) as client:
        found = [(await client.get(f"/api/v1/voice/order/{order_id}")).status_code for order_id in acknowledged]
    assert found == [200] * len(acknowledged)


def test_two_workers_serve_one_port_and_end_together(server):
    one = server(WORKERS="2", DRAIN_SECONDS="2")
    ids = {httpx.get(f"{one.url}/healthcheck").headers["x-request-id"].partition("-")[0] for _ in range(40)}
    assert 1 <= len(ids) <= 2
    one.signal(signal.SIGTERM)
    assert one.process.wait(20) in (0, -signal.SIGTERM)


def test_when_nobody_reads_the_log_any_more_requests_are_answered(tmp_path):
    reading, writing = os.pipe()
    one = Server(tmp_path, {}, out=writing)
    try:
        os.close(writing)
        os.close(reading)
        for _ in range(5):
            assert httpx.get(f"{one.url}/healthcheck").status_code == 200
        assert httpx.get(f"{one.url}/nope").status_code == 404
    finally:
        one.stop()


def test_out_of_descriptors_the_server_lives_on_and_serves_again(tmp_path):
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96)); import app; "
        "from web import server; server.run('app:app', app.settings)"
    )
    one = Server(tmp_path, {}, program)
    try:
        crowd = []
        with contextlib.suppress(OSError):
            crowd += [socket.create_connection(("127.0.0.1", one.port), 2) for _ in range(150)]
        time.sleep(0.5)
        assert one.process.poll() is None
        for connection in crowd:
            connection.close()
        one.wait_until(lambda: httpx.get(f"{one.url}/healthcheck").status_code == 200)
        response = httpx.put(
            f"{one.url}/api/v1/voice/order/{uuid4()}", json={"menu": "quan-nha", "lines": [{"item": "latte"}]}, headers=KEYS
        )
        assert response.status_code in (201, 503)
    finally:
        one.stop()
