"""The HTTP protocol: malformed HTTP, upgrades, pipelining, flow control, deadlines, lingering close."""

import asyncio
import contextlib
import hashlib
import json
import random
import re
import socket
import time
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import KEYS, check_reply
from tests.servers import Connection
from tests.web.conftest import settle, until
from web.http_protocol import PARSE_BYTES
from web.server_limits import DEFAULT_LIMITS, ServerLimits

pytestmark = pytest.mark.anyio

HEAD = (
    b"POST /api/v1/voice/order HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\nContent-Type: application/json\r\n"
)

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
def test_malformed_http_is_rejected_in_the_envelope_and_the_connection_closed(running, sent):
    with Connection(running.port) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(sent)
        received = connection.read()
    if received:  # the reply may be lost if the server closes while the client sends
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


def test_the_idle_timeout_is_longer_than_that_of_clients_and_proxies(running):
    ask = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n"
    with Connection(running.port) as connection:
        connection.send(ask + b"\r\n")
        time.sleep(5.5)  # uvicorn's default is 5 s, as long as many clients keep a connection
        connection.send(ask + b"Connection: close\r\n\r\n")
        assert connection.read().count(b"HTTP/1.1 200 OK") == 2
    assert DEFAULT_LIMITS.keep_alive_s > 60


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
def test_the_body_of_a_request_for_an_upgrade_is_not_parsed_as_a_request(running, fields, framed, piece_bytes):
    smuggled = LAST.replace(b"/healthcheck", b"/api/v1/voice/menus")
    sent = RECOMMEND + fields + framed(ONE_ITEM) + RECOMMEND + fields + framed(smuggled) + LAST
    with Connection(running.port) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), piece_bytes):
            connection.send(sent[start : start + piece_bytes])
        (first, suggested), (second, refused), (third, health) = replies_in(connection.read())
    assert (first, len(suggested["items"])) == (200, 1)
    assert (second, refused["error"]) == (400, "BAD_REQUEST")
    assert (third, health["status"]) == (200, "ok")


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
def test_an_unsupported_upgrade_is_answered_as_plain_http(running, sent):
    with Connection(running.port) as connection:
        connection.send(sent + LAST)
        assert {status for status, _ in replies_in(connection.read())} == {200}


@pytest.mark.parametrize("answered_first", [False, True])
def test_trailers_are_not_headers(running, answered_first):
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
def test_trailers_and_chunk_extensions_are_limited(running, sent):
    with Connection(running.port) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(RECOMMEND + sent + LAST)
        received = connection.read()
    assert b"200 OK" not in received
    assert httpx.get(f"{running.url}/healthcheck").status_code == 200


def test_whitespace_around_a_field_value_is_removed(running):
    spaced = RECOMMEND.replace(b"\r\nX-Secret", b" \t\r\nX-Secret").replace(b"demo-secret\r\n", b"demo-secret \r\n")
    with Connection(running.port) as connection:
        connection.send(spaced + with_length(ONE_ITEM).replace(b"\r\n\r\n", b" \r\n\r\n") + LAST)
        assert [status for status, _ in replies_in(connection.read())] == [200, 200]


async def test_few_of_very_many_pipelined_requests_are_parsed_ahead(wire):
    protocol, application, transport = wire()
    ask = b"GET / HTTP/1.1\r\n\r\n"
    for _ in range(2):
        protocol.data_received(ask * 5000)
        await settle()
        assert not transport.is_reading
    assert application.n_started == 1
    assert len(protocol.pipeline) <= PARSE_BYTES / len(ask)
    application.may_answer.set()
    while transport.written.count(b"hello") < 10_000:
        await settle()
    assert transport.is_reading
    protocol.data_received(ask)
    await settle()
    assert application.n_started == 10_001


async def test_no_request_starts_while_earlier_replies_are_not_read(wire):
    protocol, application, transport = wire()
    application.may_answer.set()
    protocol.pause_writing()
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\n" * 3)
    await settle()
    assert (application.n_started, transport.is_reading) == (0, False)
    protocol.resume_writing()
    await settle()
    assert (application.n_started, transport.is_reading) == (3, True)


@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n", b"Content-Length: x\r\n"], ids=["idle", "the last reply", "a refusal"])
async def test_a_closed_connection_is_aborted_if_its_replies_are_not_read(wire, fields):
    protocol, application, transport = wire(ServerLimits(head_deadline_s=0.01, write_deadline_s=0.01, keep_alive_s=0))
    application.may_answer.set()
    protocol.data_received(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    await until(lambda: transport.is_aborted)


async def test_a_connection_is_not_aborted_while_replies_are_read(wire):
    protocol, application, transport = wire()
    application.may_answer.set()
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\n")
    await settle()
    protocol.pause_writing()
    for _ in range(10):
        waiting_bytes = len(transport.written)
        transport.written = transport.written[1:]
        protocol.check_write_progress(waiting_bytes)
        assert not transport.is_aborted
    protocol.check_write_progress(len(transport.written))
    assert transport.is_aborted


async def test_a_body_after_an_unanswered_request_is_read_after_its_reply(wire):
    protocol, application, _ = wire()
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"a" * 50_000)
    protocol.data_received(b"a" * 50_000 + b"GET / HTTP/1.1\r\n\r\n")
    await settle()
    assert application.n_started == 1
    application.may_answer.set()
    await settle()
    assert application.n_started == 3


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the path, the body and the names of the fields."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    said = b"%b %b %b\n" % (scope["path"].encode(), hashlib.sha256(body).hexdigest().encode(), b" ".join(sorted(dict(scope["headers"]))))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


def random_request(chance: random.Random, number: int) -> tuple[bytes, bytes]:
    """Return a random request, and the reply of `echo`."""
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
async def test_random_requests_in_random_pieces_are_answered_in_order(wire, seed):
    protocol, _, transport = wire(app=echo)
    chance = random.Random(seed)  # noqa: S311 - not a secret
    asked = [random_request(chance, number) for number in range(20)]
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


def test_a_reply_is_sent_in_one_packet(running):
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


async def written_for(wire: Any, fields: list[tuple[bytes, bytes]], *bodies: bytes) -> tuple[bytes, bool]:
    """Return the bytes that the protocol writes for a reply of these fields and pieces of a body, and whether it closes the connection."""

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        for number, body in enumerate(bodies, 1):
            await send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})

    protocol, _, transport = wire(app=application)
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\n")
    await settle()
    return transport.written, transport.is_closed


LENGTH_OF_2 = (b"content-length", b"2")


async def test_a_complete_reply_and_one_in_pieces_are_the_same_bytes(wire):
    expected = b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok"
    assert await written_for(wire, [(b"x-a", b"b"), LENGTH_OF_2], b"ok") == (expected, False)
    assert await written_for(wire, [(b"x-a", b"b"), LENGTH_OF_2], b"o", b"k") == (expected, False)


async def test_a_reply_of_unknown_length_is_chunked(wire):
    assert await written_for(wire, [], b"o", b"k") == (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        False,
    )


async def test_a_reply_that_ends_the_connection_closes_it(wire):
    written, is_closed = await written_for(wire, [LENGTH_OF_2, (b"connection", b"close")], b"ok")
    assert written.endswith(b"connection: close\r\n\r\nok")
    assert is_closed


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nset-cookie: b", b"a\rset-cookie: b"])
async def test_a_line_break_in_a_field_is_not_sent(wire, value):
    assert await written_for(wire, [LENGTH_OF_2, (b"x-a", value)], b"ok") == (b"", True)


async def test_a_reply_without_a_body_message_closes_the_connection(wire):
    assert await written_for(wire, [LENGTH_OF_2]) == (b"", True)


def test_expect_100_continue_gets_an_interim_reply(running):
    body = b'{"menu": "quan-nha", "items": []}'
    head = HEAD.replace(b"/order", b"/recommend_order") + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with Connection(running.port) as connection:
        connection.send(head % len(body))
        assert connection.socket.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(body)
        assert connection.read().startswith(b"HTTP/1.1 200")


def test_replies_have_no_server_header(running):
    assert "server" not in httpx.get(f"{running.url}/healthcheck").headers


# --- Deadlines --------------------------------------------------------------------------------------------------------


async def closing_time(port: int, first: bytes, drip: bytes = b"", every_s: float = 0.05, within_s: float = 20) -> float:
    """Send `first`, then `drip` repeatedly; return the seconds until the server closes the connection."""
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
async def test_a_slow_sender_is_disconnected_while_others_are_served(quick, first, drip):
    cut_off = asyncio.ensure_future(closing_time(quick.port, first, drip))
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{quick.url}/healthcheck")).status_code == 200
    await cut_off


@pytest.mark.parametrize(("path", "times"), [("/healthcheck", 20_000), ("/api/v1/docs/openapi.json", 200)])
def test_a_peer_that_does_not_read_replies_is_disconnected(quick, path, times):
    with Connection(quick.port) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.socket.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * times)
        address, process = connection.socket.getsockname(), psutil.Process(quick.process.pid)
        quick.wait_until(lambda: address not in [peer.raddr for peer in process.net_connections()], within_s=20)
    assert httpx.get(f"{quick.url}/healthcheck").status_code == 200


async def test_an_idle_connection_is_closed_after_the_timeout(quick):
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


def test_a_disconnect_within_a_body_is_counted_and_logs_no_error(running):
    def n_disconnected() -> float:
        text = httpx.get(f"{running.url}/metrics").text
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith("voice_http_disconnected_total")))

    before = n_disconnected()
    with Connection(running.port) as connection:
        connection.send(HEAD + b"Content-Length: 100\r\n\r\nabc")
        time.sleep(0.1)
    running.wait_until(lambda: n_disconnected() == before + 1)
    assert "Traceback" not in running.log()
    assert '"message":"failed"' not in running.log()


def test_a_rejected_body_is_read_so_that_the_reply_arrives(running):
    big = b" " * 3_000_000
    response = httpx.post(f"{running.url}/api/v1/voice/recommend_order", content=big, headers={**KEYS, "Content-Type": "application/json"})
    assert (response.status_code, response.json()["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("framed", [with_length, in_chunks])
def test_a_rejected_body_is_read_before_the_connection_is_closed(running, framed):
    with Connection(running.port) as connection:
        connection.send(RECOMMEND + b"Connection: close\r\n" + framed(b" " * 30_000_000) + LAST)
        ((status, refused),) = replies_in(connection.read())
    assert (status, refused["error"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_rejected_body_without_end_is_disconnected_at_the_deadline(quick):
    await closing_time(quick.port, RECOMMEND + b"Connection: close\r\nContent-Length: 30000000\r\n\r\n", b" " * 1000)
