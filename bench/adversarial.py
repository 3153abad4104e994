"""Attack a server, and print times and counts; the tests assert the mechanisms.

    .venv/bin/python -m bench.adversarial [--only NAME]

Overload with speech and disconnecting callers are in `bench/speech_load.py`, kills and power cuts in `bench/durability.py`, a wrong key
against an unknown id in `bench/http_path.py`.
"""

import argparse
import asyncio
import io
import json
import os
import secrets
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import av  # noqa: E402 - the path is set above
import httpx  # noqa: E402
import numpy as np  # noqa: E402
import psutil  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

from errors import AudioInvalid, AudioTooLong  # noqa: E402
from tests.expanding import WITH_TAGS, flac_with_picture, index_of  # noqa: E402
from tests.servers import Server  # noqa: E402
from voice.asr.audio import Media, unpack  # noqa: E402
from voice.asr.media_pool import MediaPool  # noqa: E402
from voice.dialog.turn import DialogEngine  # noqa: E402
from voice.menus.loading import MenuBook  # noqa: E402
from web.auth import digest  # noqa: E402

KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
OTHER_KEY = secrets.token_urlsafe(16)
OTHER = {"X-Secret-Id": "other", "X-Secret-Key": OTHER_KEY}
CREDENTIALS = json.dumps({"other": {"keys": [digest(b"other", OTHER_KEY.encode()).hex()], "scopes": ["order", "recommend"]}})
API = "/api/v1/voice"
HEAD = (
    f"POST {API}/order HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\nContent-Type: application/json\r\n".encode()
)
MANY = "1000000/minute"
OK, LIMITED = HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS
SLOW_SENDERS, SLOW_S = 200, 60.0
READERS_S, STOPS_S = 40.0, 60.0
TRAILER_BYTES, FRAME_BYTES = 60_000_000, 11_000_000
WRONG_KEYS, ROUNDS, FLOODERS, FLOOD_S = 1000, 50, 32, 5.0


@contextmanager
def serving(out: int | None = None, **environment: str) -> Iterator[Server]:
    """Run a server within the block. `out`: a descriptor for its log."""
    own = {"ENVIRONMENT": "TESTING", "RATE_LIMIT": MANY, "CREDENTIALS": CREDENTIALS}
    with tempfile.TemporaryDirectory(prefix="adversarial-") as directory:
        server = Server(Path(directory), own | environment, out=out)
        try:
            yield server
        finally:
            server.stop()


def p99_ms(times_s: list[float]) -> str:
    """Return a high percentile and the maximum of waiting times."""
    times_s = sorted(times_s)
    return f"p99 {1000 * times_s[int(0.99 * len(times_s))]:.0f} ms, slowest {1000 * times_s[-1]:.0f} ms"


async def while_probing(server: Server, work: Awaitable[Any]) -> list[float]:
    """Send health checks while an attack runs; return the seconds of each."""
    times_s: list[float] = []
    doing = asyncio.ensure_future(work)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    while not doing.done():
        began_s = time.perf_counter()
        writer.write(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}}")
        times_s.append(time.perf_counter() - began_s)
        await asyncio.sleep(0.02)
    writer.close()
    await doing
    return times_s


async def slow() -> None:
    """Send half heads on many connections, and on as many others bodies at one byte a second."""

    async def drip(port: int, first: bytes, then: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began_s = time.monotonic()
        writer.write(first)
        closed = asyncio.ensure_future(reader.read())
        while not closed.done() and time.monotonic() - began_s < SLOW_S:
            await asyncio.wait({closed}, timeout=1)
            with suppress(ConnectionError):
                writer.write(then)
        closed.cancel()
        writer.close()
        return time.monotonic() - began_s

    with serving() as server:
        halves = [drip(server.port, b"GET / HTTP/1.1\r\nHost: x\r\n", b"") for _ in range(SLOW_SENDERS)]
        halves += [drip(server.port, HEAD + b"Content-Length: 1000\r\n\r\n", b" ") for _ in range(SLOW_SENDERS)]
        closed_s: list[float] = []

        async def all_of_them() -> None:
            closed_s.extend(await asyncio.gather(*halves))

        times_s = await while_probing(server, all_of_them())
        senders = f"{SLOW_SENDERS} half heads and {SLOW_SENDERS} dripping bodies"
        print(f"slow   {senders}: health {p99_ms(times_s)}; last closed after {max(closed_s):.1f} s")


async def flood() -> None:
    """Let one client send as fast as it can under the usual limit, and another four times a second."""
    with serving(RATE_LIMIT="600/minute") as server:
        answers: Counter[int] = Counter()
        until_s = time.monotonic() + FLOOD_S

        async def flooding(client: httpx.AsyncClient) -> None:
            while time.monotonic() < until_s:
                answers[(await client.post(f"{API}/order", json={"text": "hai cà phê sữa"})).status_code] += 1

        async with (
            httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=30) as one,
            httpx.AsyncClient(base_url=server.url, headers=OTHER, timeout=30) as other,
        ):
            flooders = [asyncio.ensure_future(flooding(one)) for _ in range(FLOODERS)]
            served, times_s = 0, []
            while time.monotonic() < until_s:
                began_s = time.perf_counter()
                served += (await other.post(f"{API}/order", json={"text": "hai cà phê sữa"})).status_code == OK
                times_s.append(time.perf_counter() - began_s)
                await asyncio.sleep(0.25)
            await asyncio.gather(*flooders)
        meanwhile = f"another: {served} of {len(times_s)} served, {p99_ms(times_s)} with the callers' own work"
        print(f"flood  one client: {dict(answers)}; {meanwhile}")


async def keys() -> None:
    """Guess keys and ids."""
    with serving(RATE_LIMIT_FAILED="60/minute") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            for name, secret_id in (("1000 wrong keys of one id", "demo"), ("1000 ids from one address", "id-{}")):
                answers: Counter[int] = Counter()
                right = 0
                for number in range(WRONG_KEYS):
                    pair = {"X-Secret-Id": secret_id.format(number), "X-Secret-Key": f"wrong-key-{number}"}
                    answers[(await client.get(f"{API}/menus", headers=pair)).status_code] += 1
                    if number % 10 == 0:
                        right += (await client.get(f"{API}/menus", headers=KEYS)).status_code == OK
                print(f"keys   {name}: {dict(answers)}; the owner meanwhile: {right} of {WRONG_KEYS // 10} served")


async def families() -> None:
    """Send the same refresh token twice at once, repeatedly."""
    with serving() as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            signed_in = await client.post("/api/v1/auth/token", json={"secret_id": "demo", "secret_key": "demo-secret"})
            token, outcomes = signed_in.json()["data"]["refresh_token"], Counter[tuple[int, ...]]()
            for _ in range(ROUNDS):
                both = await asyncio.gather(*(client.post("/api/v1/auth/refresh", json={"refresh_token": token}) for _ in range(2)))
                outcomes[tuple(sorted(reply.status_code for reply in both))] += 1
                token = next(reply.json()["data"]["refresh_token"] for reply in both if reply.status_code == OK)
        print(f"family {ROUNDS} rounds of two renewals of one token at once: {dict(outcomes)}")


async def limit() -> None:
    """Fill a window from fifty concurrent callers."""
    with serving(RATE_LIMIT="200/minute") as server:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=30, limits=limits) as client:
            replies = await asyncio.gather(*(client.get(f"{API}/menus") for _ in range(500)))
            health = await asyncio.gather(*(client.get("/healthcheck") for _ in range(500)))
        passed = sum(reply.status_code == OK for reply in replies)
        waits = sorted(int(reply.headers["retry-after"]) for reply in replies if reply.status_code == LIMITED)
        healthy = sum(reply.status_code == OK for reply in health)
        retries = f"Retry-After {waits[0]} to {waits[-1]} s"
        print(f"limit  200 a minute, 500 requests from 50 callers: {passed} passed, {retries}; health {healthy} of 500")


def exchanged(server: Server, sent: bytes) -> tuple[bytes, float]:
    """Send, and read until the server closes."""
    began_s, received = time.perf_counter(), b""
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection, suppress(ConnectionError, TimeoutError):
        connection.sendall(sent)
        while data := connection.recv(65536):
            received += data
    return received, time.perf_counter() - began_s


async def http() -> None:
    """Send much at once in one connection."""
    ask = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n"
    last = ask + b"Connection: close\r\n\r\n"
    many = b"".join(b"X-%d: x\r\n" % number for number in range(10_000))
    with serving() as server:
        for name, sent in {
            "1000 pipelined requests": (ask + b"\r\n") * 999 + last,
            "14,000 pipelined requests": (ask + b"\r\n") * 13_999 + last,
            "10,000 fields": ask + many + b"\r\n",
            "64 KB of Authorization": last.replace(b"/healthcheck", f"{API}/menus".encode())[:-2]
            + b"Authorization: Bearer "
            + b"a" * 65536
            + b"\r\n\r\n",
        }.items():
            received, took_s = exchanged(server, sent)
            answers = Counter(part[:3].decode() for part in received.split(b"HTTP/1.1 ")[1:])
            print(f"http   {name}: {dict(answers)} in {1000 * took_s:.0f} ms")


async def bodies() -> None:
    """Send deeply nested and large JSON."""
    deep = b"[" * 100_000
    large = {
        "100,000 brackets": deep,
        "1 MB of nested objects": b'{"menu": "m", "items": [' + b'{"a":1},' * 130_000 + b"1]}",
        "200 MB of nested objects": b'{"audio": [' + b'{"a":1},' * 24_000_000 + b"1]}",
        "200 MB of audio": b'{"encoding": "pcm_s16le", "sample_rate": 16000, "audio": "' + b"A" * 199_000_000 + b'"}',
    }
    with serving() as server:
        process = psutil.Process(server.process.pid)
        for name, body in large.items():
            route = "speech" if "200" in name else "recommend_order"
            head = HEAD.replace(b"/order ", f"/{route} ".encode()) + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            before_bytes, answer = process.memory_info().rss, list[Any]()

            async def send(sent: bytes = head + body, answer: list[Any] = answer) -> None:
                answer.extend(await asyncio.to_thread(exchanged, server, sent))

            times_s = await while_probing(server, send())
            grown = (process.memory_info().rss - before_bytes) / 2**20
            health = f"health meanwhile slowest {1000 * max(times_s):.0f} ms"
            print(f"bodies {name}: {answer[0][9:12].decode()} in {answer[1]:.2f} s, {health}, {grown:+.0f} MiB")
        async with httpx.AsyncClient(base_url=server.url, headers=KEYS) as client:
            last = await client.put(f"{API}/order/{uuid4()}", json={"menu": "quan-nha", "lines": [{"item": "latte"}]})
        print(f"bodies and afterwards an order: {last.status_code}")


async def posted(server: Server, route: str, fields: bytes, body: bytes) -> tuple[str, float]:
    """Send one request during health checks; return its status and the slowest health check in ms."""
    head = f"POST {route} HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\nConnection: close\r\n".encode()
    answer = list[Any]()

    async def send() -> None:
        sent = head + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body
        answer.extend(await asyncio.to_thread(exchanged, server, sent))

    times_s = await while_probing(server, send())
    return answer[0][9:12].decode() or "closed", 1000 * max(times_s, default=0.0)


async def fields() -> None:
    """Send long and odd fields."""
    media_types = {
        "60 KB of semicolons in the media type": b'application/json; x="' + b";" * 60_000 + b'"',
        "120 KB of semicolons in the media type": b'application/json; x="' + b";" * 120_000 + b'"',
        "charset*": b"application/json; charset*=utf-8''utf-8",
        "a*99999": b"application/json; a*" + b"9" * 5000 + b"=x",
    }
    empty = b'{"menu": "quan-nha", "items": []}'
    with serving(TRUSTED_PROXIES="127.0.0.0/8") as server:
        for name, media_type in media_types.items():
            status, slowest_ms = await posted(server, f"{API}/recommend_order", b"Content-Type: " + media_type + b"\r\n", empty)
            print(f"fields {name}: {status}, health meanwhile slowest {slowest_ms:.0f} ms")
        hops = b"Content-Type: application/json\r\nX-Forwarded-For: " + b"127.0.0.1," * 12_600 + b"127.0.0.1\r\n"
        status, slowest_ms = await posted(server, f"{API}/recommend_order", hops, empty)
        print(f"fields 126 KB of trusted hops: {status}, health meanwhile slowest {slowest_ms:.0f} ms")
        keys = b"{" + b",".join(b'"k%d":1' % number for number in range(80_000)) + b"}"
        for route in ("/api/v1/auth/token", "/api/v1/auth/refresh"):
            status, slowest_ms = await posted(server, route, b"Content-Type: application/json\r\n", keys)
            print(f"fields 1 MB of keys to {route}: {status}, health meanwhile slowest {slowest_ms:.0f} ms")


async def trailers() -> None:
    """Send endless trailers."""
    n_sent = 0
    with serving() as server:
        process = psutil.Process(server.process.pid)
        before_bytes = process.memory_info().rss

        async def send() -> None:
            nonlocal n_sent
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST /healthcheck HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
            with suppress(ConnectionError):
                while n_sent < TRAILER_BYTES:
                    writer.write(b"a:\r\n" * 25_000)
                    n_sent += 100_000
                    await writer.drain()
            writer.close()

        times_s = await while_probing(server, send())
        grown = (process.memory_info().rss - before_bytes) / 2**20
    print(f"trail  {n_sent / 1e6:.1f} MB of trailers sent: {grown:+.0f} MiB, health meanwhile slowest {1000 * max(times_s):.0f} ms")


async def upgrades() -> None:
    """Request upgrades to unsupported protocols, with a body."""
    body = b'{"menu": "quan-nha", "items": []}'
    head = HEAD.replace(b"/order ", b"/recommend_order ") + b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n"
    last = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with serving() as server:
        for word in (b"h2c", b"websocket", b"foo/1"):
            one = head + b"Upgrade: " + word + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            received, _ = exchanged(server, one * 100 + last)
            answers = Counter(part[:3].decode() for part in received.split(b"HTTP/1.1 ")[1:])
            print(f"upgrad 100 POST with Upgrade: {word.decode()}, then a health check: {dict(answers)}")


async def frames() -> None:
    """Send 11 MB of control frames and of empty fragments on live connections."""
    handshake = (
        f"GET {API}/live?menu=quan-nha&language=vi HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with serving(SPEECH_MODEL="base", SPEECH_MODEL_VI="conformer") as server:
        server.wait_until(lambda: httpx.get(f"{server.url}/readiness").status_code == OK, within_s=120)
        for name, first, frame in (
            ("pings", b"", b"\x89\x80\0\0\0\0"),
            ("pongs", b"", b"\x8a\x80\0\0\0\0"),
            ("fragments", b"\2\x80\0\0\0\0", b"\0\x80\0\0\0\0"),
        ):
            n_sent = 0

            async def send(first: bytes = first, frame: bytes = frame) -> None:
                nonlocal n_sent
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(handshake.encode())
                await reader.readuntil(b"\r\n\r\n")
                writer.write(first)
                with suppress(ConnectionError):
                    while n_sent < FRAME_BYTES:
                        writer.write(frame * 10_000)
                        n_sent += 10_000 * len(frame)
                        await writer.drain()
                writer.transport.abort()

            times_s = await while_probing(server, send())
            print(f"frames {n_sent / 1e6:.1f} MB of {name} sent: health meanwhile slowest {1000 * max(times_s):.0f} ms")


async def readers() -> None:
    """Pipeline requests without reading the replies."""
    with serving() as server:
        process = psutil.Process(server.process.pid)
        for path, n_connections in (("/healthcheck", 60), ("/api/v1/docs/openapi.json", 80)):
            before_bytes = process.memory_info().rss
            crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(n_connections)]
            for one in crowd:
                one.settimeout(0)

            async def send(
                crowd: list[socket.socket] = crowd, asked: bytes = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 2000
            ) -> None:
                until_s = time.monotonic() + READERS_S
                while time.monotonic() < until_s:
                    for one in crowd:
                        with suppress(BlockingIOError, ConnectionError):
                            one.send(asked)
                    await asyncio.sleep(0.1)

            times_s = await while_probing(server, send())
            n_open = sum(peer.status == psutil.CONN_ESTABLISHED for peer in process.net_connections())
            grown = (process.memory_info().rss - before_bytes) / 2**20
            health = f"health meanwhile {p99_ms(times_s)}"
            print(f"reader {n_connections} that never read {path}, after {READERS_S:.0f} s: {n_open} open, {grown:+.0f} MiB, {health}")
            for one in crowd:
                one.close()
            await asyncio.sleep(1)


async def stops() -> None:
    """Send the start of bodies fast, then stop."""
    token = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"
    speech = HEAD.replace(b"/order ", b"/speech ") + b"Content-Length: 190000000\r\n\r\n"
    with serving() as server:
        process = psutil.Process(server.process.pid)
        for name, head, n_connections, n_bytes in (
            ("1 MB to /auth/token", token, 300, 1_000_000),
            ("190 MB of speech", speech, 6, 100_000_000),
        ):
            before_bytes, grown, last_s, answers = process.memory_info().rss, [0.0], list[float](), Counter[str]()

            async def send(
                head: bytes = head, n_bytes: int = n_bytes, last_s: list[float] = last_s, answers: Counter[str] = answers
            ) -> None:
                began_s = time.monotonic()
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                received = asyncio.ensure_future(reader.read())
                writer.write(head + bytes(n_bytes))
                with suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(STOPS_S):
                        answers[(await received)[9:12].decode() or "closed"] += 1
                        last_s.append(time.monotonic() - began_s)
                writer.transport.abort()

            async def all_of_them(send: Callable[[], Awaitable[None]] = send, n_connections: int = n_connections) -> None:
                await asyncio.gather(*(send() for _ in range(n_connections)))

            async def watch(grown: list[float] = grown, before_bytes: int = before_bytes) -> None:
                while True:
                    grown.append((process.memory_info().rss - before_bytes) / 2**20)
                    await asyncio.sleep(0.2)

            watching = asyncio.ensure_future(watch())
            times_s = await while_probing(server, all_of_them())
            watching.cancel()
            ended = f"{dict(answers)}, the last after {max(last_s):.0f} s" if last_s else f"none within {STOPS_S:.0f} s"
            health = f"health meanwhile slowest {1000 * max(times_s):.0f} ms"
            print(f"stops  {n_connections} bodies of {name} that stop: ended {ended}; at most {max(grown):+.0f} MiB, {health}")


def wave(*, channels: int = 1, rate: int = 16_000, claimed: int | None = None, n_chunks: int = 0) -> bytes:
    """Return a WAV file with the given head."""
    sound = b"\0" * 1000
    head = b"fmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * 2 & 0xFFFFFFFF, 2, 16)
    chunks = head + (b"junk" + struct.pack("<I", 0)) * n_chunks + b"data" + struct.pack("<I", claimed or len(sound)) + sound
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def hours_of_silence(hours: int) -> bytes:
    """Return silence as Opus, a very small file."""
    file, rate = io.BytesIO(), 8_000
    with av.open(file, "w", format="ogg") as output:
        stream: Any = output.add_stream("libopus", rate=rate, layout="mono")
        stream.codec_context.options = {"frame_duration": "60", "compression_level": "0"}
        silence = av.AudioFrame.from_ndarray(np.zeros((1, stream.codec_context.frame_size or 480), np.int16), format="s16", layout="mono")
        silence.sample_rate = rate
        frame_s = silence.samples / rate
        for _ in range(int(hours * 3600 / frame_s)):
            silence.pts = None
            output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    return file.getvalue()


async def audio() -> None:
    """Decode files with false sizes and files that are too long."""
    cases: dict[str, Callable[[], bytes]] = {
        "a WAV of 4 GB": lambda: wave(claimed=0xFFFFFFF0),
        "0 channels": lambda: wave(channels=0),
        "65535 channels": lambda: wave(channels=65535),
        "0 Hz": lambda: wave(rate=0),
        "655350 Hz": lambda: wave(rate=655_350),
        "10,000 chunks": lambda: wave(n_chunks=10_000),
        "1,000,000 chunks": lambda: wave(n_chunks=1_000_000),
        "half a sample behind": lambda: wave()[:-1],
        "eight hours of silence in Opus": lambda: hours_of_silence(8),
        "an MP4 index of 60,000,000 samples": lambda: index_of(60_000_000),
        "a picture of 16,000 x 16,000 in FLAC": lambda: flac_with_picture(16_000),
    }
    cases |= {f"80,000 tags in {container}": partial(make, 80_000) for container, make in WITH_TAGS.items()}
    pool = MediaPool(1)
    pool.start()
    for name, make in cases.items():
        made = make()
        outcome, took_ms, peak = await asyncio.to_thread(decoded, pool, made)
        print(f"audio  {name} ({len(made) / 1e6:.2f} MB): {outcome} {took_ms:.1f} ms, {peak:+.0f} MiB with its child")
    pool.close()


def decoded(pool: MediaPool, made: bytes) -> tuple[str, float, float]:
    """Decode as the service does; return the outcome, the time in ms, and the memory growth of this process and its child in MiB."""
    process = psutil.Process()

    def used_bytes() -> int:
        used = 0
        for one in (process, *process.children()):
            with suppress(psutil.Error):
                used += one.memory_info().rss
        return used

    before_bytes = peak_bytes = used_bytes()
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak_bytes
        while not ended.wait(0.005):
            peak_bytes = max(peak_bytes, used_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    began_s, outcome = time.perf_counter(), "decoded"
    try:
        unpacked = unpack(made, encoding="auto", sample_rate=None, channels=None, max_audio_s=300)
        if isinstance(unpacked, Media):
            pool.decode(unpacked, max_audio_s=300)
    except (AudioInvalid, AudioTooLong) as error:
        outcome = f"{error.status} {error}"
    took_ms = 1000 * (time.perf_counter() - began_s)
    ended.set()
    watching.join()
    return outcome, took_ms, (peak_bytes - before_bytes) / 2**20


@contextmanager
def recognising(server: Server) -> Iterator[None]:
    """Keep both recognition threads busy with long clips."""
    sound = (ROOT / "examples/order-vi.wav").read_bytes()[44:] * 40
    query = "encoding=pcm_s16le&sample_rate=16000&language=en"
    head = HEAD.replace(b"/order ", f"/speech?{query} ".encode()).replace(b"application/json", b"application/octet-stream")
    with ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30))
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(sound) + sound)
        time.sleep(1.5)
        yield


async def live() -> None:
    """Send large commands on a live connection, and unfinished messages on many."""
    ignored = b'{"type": "lines", "lines": [{"item": "latte", "name": [' + b"{}," * 349_000 + b"{}]}]}"
    options = b",".join([b'{"group": "sugar", "choice": "half"}'] * 100)
    large = b'{"type": "lines", "lines": [' + b",".join([b'{"item": "latte", "options": [%b]}' % options] * 200) + b"]}"
    half = b"\x82\xff" + struct.pack("!QI", 8 * 2**20 - 10, 0) + bytes(8 * 2**20 - 100)
    with serving(SPEECH_MODEL="base", SPEECH_MODEL_VI="conformer", SPEECH_QUEUE="100000", RATE_LIMIT_SPEECH=MANY) as server:
        server.wait_until(lambda: httpx.get(f"{server.url}/readiness").status_code == OK)
        process, url = psutil.Process(server.process.pid), f"ws://127.0.0.1:{server.port}{API}/live?menu=quan-nha"
        peaks: list[int] = []

        async def measured(work: Awaitable[Any]) -> None:
            doing = asyncio.ensure_future(work)
            while not doing.done():
                peaks.append(process.memory_info().rss)
                await asyncio.sleep(0.05)
            await doing

        async def commands(command: bytes) -> None:
            async with connect(url, additional_headers=KEYS, ping_interval=None) as speaking:
                for _ in range(100):
                    await speaking.send(command.decode())

        async def unfinished() -> None:
            opened = [await connect(url, additional_headers=KEYS, ping_interval=None) for _ in range(64)]
            for one in opened:
                one.transport.write(half)
            await asyncio.sleep(4)
            for one in opened:
                one.transport.abort()

        works: dict[str, Callable[[], Awaitable[None]]] = {
            "64 connections with an unfinished message of 8 MB": unfinished,
            "100 commands of 1 MB of ignored fields": lambda: commands(ignored),
            "100 commands of 20,000 options": lambda: commands(large),
        }
        for name, work in works.items():
            peaks[:] = [process.memory_info().rss]
            with recognising(server) if "commands" in name else nullcontext():
                times_s = await while_probing(server, measured(work()))
            print(f"live   {name}: {(max(peaks) - peaks[0]) / 2**20:+.0f} MiB, health {p99_ms(times_s)}")


async def logs() -> None:
    """Stall the reader of the log."""
    reader, writer = os.pipe()
    with serving(writer, DRAIN_SECONDS="0") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
            answered = sum([(await client.get("/healthcheck")).status_code == OK for _ in range(20_000)])
            metrics = (await client.get("/metrics")).text
        dropped = next(line.split()[1] for line in metrics.splitlines() if line.startswith("voice_log_dropped_lines_total "))
        began_s = time.perf_counter()
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(server.process.wait, 30)
        stopped = f"stopped {time.perf_counter() - began_s:.1f} s after SIGTERM"
        print(f"logs   a reader that stalled: {answered} of 20000 answered, {float(dropped):.0f} lines dropped, {stopped}")
    os.close(reader)
    os.close(writer)


MENU = "id: x\nname: X\ncurrency: VND\nitems:\n"
LETTERS = str.maketrans("0123456789", "abcdefghij")
MENUS: dict[str, Callable[[], str]] = {
    "2 MB of [": lambda: "[" * 2_000_000,
    "2 MB of '- '": lambda: "- " * 1_000_000,
    "199,000 lists": lambda: "[" + "[]," * 199_000 + "]",
    "aliases for 10^8 values": lambda: (
        "a0: &a0 [" + "x," * 10 + "]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]\n" for n in range(1, 8))
    ),
    "60,000 %TAG": lambda: "".join(f"%TAG !h{number}! b\n" for number in range(60_000)) + "---\n" + MENU,
    "50,000 words": lambda: (
        MENU + "".join(f"  i{n}: {{name: {' '.join(f'{n}{w}' for w in range(10)).translate(LETTERS)}, price: 1}}\n" for n in range(4999))
    ),
}


async def menus() -> None:
    """Load hostile menu files, and compile the largest allowed one."""
    process = psutil.Process()
    for name, make in MENUS.items():
        with tempfile.TemporaryDirectory(prefix="adversarial-") as directory:
            Path(directory, "x.yaml").write_text(make(), encoding="utf-8")  # noqa: ASYNC240 - nothing else runs
            book: MenuBook[DialogEngine] = MenuBook(Path(directory), DialogEngine)
            before_bytes, began_s = process.memory_info().rss, time.perf_counter()
            book.refresh()
            took_s, grown = time.perf_counter() - began_s, (process.memory_info().rss - before_bytes) / 2**20
            print(f"menus  {name}: {book.problems.get('x.yaml', 'served')}; {took_s:.2f} s, {grown:+.0f} MiB")


async def workers() -> None:
    """Fill a window in memory that three workers share, with a new connection for each request."""
    with serving(WORKERS="3", RATE_LIMIT="300/minute") as server:
        await asyncio.sleep(5)  # for the last worker
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=30, limits=limits) as client:
            passed = Counter([(await client.get(f"{API}/menus")).status_code for _ in range(1000)])
            figures = (await client.get("/metrics")).text
        counted = sum(
            float(line.rpartition(" ")[2]) for line in figures.splitlines() if f'_seconds_count{{method="GET",route="{API}/menus"' in line
        )
        print(f"worker 300 a minute, 1000 requests to three workers: {passed[OK]} passed, /metrics has {counted:.0f}")


async def tools() -> None:
    """Flood the tools of language models, without a rate limit, and with the usual one."""
    headers = {**KEYS, "Content-Type": "application/json", "Accept": "application/json"}

    def message(tool: str, **arguments: Any) -> bytes:
        params = {"name": tool, "arguments": arguments}
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()

    bodies = {
        "orders": message("take_order", text="cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la"),
        "menus": message("read_menu"),
        "a megabyte": message("take_order", text="x" * 1_000_000),
        "brackets": b"[" * 1_000_000,
    }
    for rate_limit in (MANY, "600/minute"):
        with serving(MCP="on", RATE_LIMIT=rate_limit) as server:
            for name, body in bodies.items():
                answers: Counter[int] = Counter()

                async def flooding(body: bytes, answers: Counter[int], url: str) -> None:
                    until_s = time.monotonic() + FLOOD_S
                    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
                        while time.monotonic() < until_s:
                            answers[(await client.post("/mcp", content=body)).status_code] += 1

                async def all_of_them(one: Callable[[], Awaitable[None]]) -> None:
                    await asyncio.gather(*[one() for _ in range(FLOODERS)])

                times_s = await while_probing(server, all_of_them(partial(flooding, body, answers, server.url)))
                print(f"tools  {name} at {rate_limit}: {dict(answers)}; health {p99_ms(times_s)}")


CONNECTIONS = slow, flood, http, bodies, fields, trailers, upgrades, frames, readers, stops
PARTS = *CONNECTIONS, keys, families, limit, audio, live, logs, menus, workers, tools


def main() -> None:
    """Run the command line."""
    parts = {part.__name__: part for part in PARTS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(parts))
    arguments = parser.parse_args()
    for name, part in parts.items():
        if arguments.only in (None, name):
            asyncio.run(part())


if __name__ == "__main__":
    main()
