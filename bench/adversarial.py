"""Print the times and the counts of what the service must withstand; the mechanisms are held by the tests.

    bench/adversarial.py [--only slow|flood|keys|families|limit|http|bodies|audio]

Overload with speech and callers who hang up are in `bench/speech_load.py`, kills and power cuts in `bench/durability.py`, a wrong key
against an unknown id in `bench/http_path.py`.
"""

import argparse
import asyncio
import io
import json
import secrets
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
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

from auth import digest  # noqa: E402
from errors import AudioInvalid, AudioTooLong  # noqa: E402
from tests.expanding import WITH_TAGS, flac_with_picture, index_of  # noqa: E402
from tests.servers import Server  # noqa: E402
from voice.audio import Media, unpack  # noqa: E402
from voice.decoders import Decoders  # noqa: E402

KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
OTHER_KEY = secrets.token_urlsafe(16)
OTHER = {"X-Secret-Id": "other", "X-Secret-Key": OTHER_KEY}
CREDENTIALS = json.dumps({"other": {"keys": [digest(b"other", OTHER_KEY.encode()).hex()], "scopes": ["order", "recommend"]}})
API = "/api/v1/voice"
HEAD = (
    f"POST {API}/order HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\nContent-Type: application/json\r\n".encode()
)
OK, LIMITED = HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS
SLOW_SENDERS, SLOW_S = 200, 60.0
WRONG_KEYS, ROUNDS, FLOODERS, FLOOD_S = 1000, 50, 32, 5.0


@contextmanager
def serving(**environment: str) -> Iterator[Server]:
    """Run a server; it ends with the block."""
    own = {"ENVIRONMENT": "TESTING", "RATE_LIMIT": "1000000/minute", "CREDENTIALS": CREDENTIALS}
    with tempfile.TemporaryDirectory(prefix="adversarial-") as directory:
        server = Server(Path(directory), own | environment)
        try:
            yield server
        finally:
            server.stop()


def p99_ms(times_s: list[float]) -> str:
    """Say what nearly all waited at most."""
    times_s = sorted(times_s)
    return f"p99 {1000 * times_s[int(0.99 * len(times_s))]:.0f} ms, slowest {1000 * times_s[-1]:.0f} ms"


async def while_probing(server: Server, work: Awaitable[Any]) -> list[float]:
    """Ask for health all the time while something goes on; return how long each answer took."""
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
    """Let many send a part of a head, and as many a byte of a body a second."""

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
    """Let one client call as fast as it can, under the usual limit, and another four times a second."""
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
    """Guess keys, and ids."""
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
    """Renew twice at once, again and again."""
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
    """Fill a window from fifty callers at once."""
    with serving(RATE_LIMIT="200/minute") as server:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=30, limits=limits) as client:
            replies = await asyncio.gather(*(client.get(f"{API}/menus") for _ in range(500)))
            health = await asyncio.gather(*(client.get("/healthcheck") for _ in range(500)))
        passed = sum(reply.status_code == OK for reply in replies)
        waits = sorted(int(reply.headers["retry-after"]) for reply in replies if reply.status_code == LIMITED)
        healthy = sum(reply.status_code == OK for reply in health)
        told = f"told to wait {waits[0]} to {waits[-1]} s"
        print(f"limit  200 a minute, 500 requests from 50 callers: {passed} passed, {told}; health {healthy} of 500")


def exchanged(server: Server, sent: bytes) -> tuple[bytes, float]:
    """Send, and read until the server closes."""
    began_s, received = time.perf_counter(), b""
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection, suppress(ConnectionError):
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
    """Send what is nested deep, and what is large."""
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


def wave(*, channels: int = 1, rate: int = 16_000, claimed: int | None = None, n_chunks: int = 0) -> bytes:
    """Write a WAV with a head of one's own."""
    sound = b"\0" * 1000
    head = b"fmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * 2 & 0xFFFFFFFF, 2, 16)
    chunks = head + (b"junk" + struct.pack("<I", 0)) * n_chunks + b"data" + struct.pack("<I", claimed or len(sound)) + sound
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def hours_of_silence(hours: int) -> bytes:
    """Encode silence, which Opus makes very small."""
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
    """Decode what claims too much, and what is too long."""
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
    pool = Decoders(1)
    pool.start()
    for name, make in cases.items():
        made = make()
        outcome, took_ms, peak = await asyncio.to_thread(decoded, pool, made)
        print(f"audio  {name} ({len(made) / 1e6:.2f} MB): {outcome} {took_ms:.1f} ms, {peak:+.0f} MiB with its child")
    pool.close()


def decoded(pool: Decoders, made: bytes) -> tuple[str, float, float]:
    """Decode as the service does; tell the outcome, how long it took, and how much memory this process and its child took at most."""
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
    began_s, outcome = time.perf_counter(), "taken"
    try:
        unpacked = unpack(made, encoding="auto", sample_rate=None, channels=None, max_audio_s=300)
        if isinstance(unpacked, Media):
            pool.decode(unpacked, max_audio_s=300)
    except (AudioInvalid, AudioTooLong) as refused:
        outcome = f"{refused.status} {refused}"
    took_ms = 1000 * (time.perf_counter() - began_s)
    ended.set()
    watching.join()
    return outcome, took_ms, (peak_bytes - before_bytes) / 2**20


def main() -> None:
    """Run the command line."""
    parts = {part.__name__: part for part in (slow, flood, keys, families, limit, http, bodies, audio)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(parts))
    arguments = parser.parse_args()
    for name, part in parts.items():
        if arguments.only in (None, name):
            asyncio.run(part())


if __name__ == "__main__":
    main()
