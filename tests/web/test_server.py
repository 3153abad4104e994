"""Process start and end: listeners, signals, drain, workers, logs without a reader, file descriptors."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import time
from uuid import uuid4

import httpx
import pytest

from tests.conftest import KEYS
from tests.servers import Connection, Server, program_with

pytestmark = pytest.mark.anyio

HEAD = (
    b"POST /api/v1/voice/order HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\nContent-Type: application/json\r\n"
)


def test_new_connections_are_accepted_before_an_old_one_gets_many_replies(running):
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
        answered = numbers_of(known.read())  # the counters of request ids
        last = max(number for caller in callers for number in numbers_of(caller.socket.recv(65536)))
    assert sum(number < last for number in answered) < 32


def numbers_of(received: bytes) -> list[int]:
    """Return the counters in the request ids of the replies."""
    return [int(number, 16) for number in re.findall(rb"x-request-id: \w+-(\w+)", received)]


async def test_sigterm_fails_readiness_then_finishes_started_requests_then_ends_the_process(server):
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


async def test_a_request_that_outlasts_the_drain_gets_a_503(server):
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


async def test_every_acknowledged_order_survives_sigkill(server, tmp_path):
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


def test_requests_are_answered_after_the_log_pipe_is_closed(tmp_path):
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


def test_the_server_recovers_from_a_lack_of_file_descriptors(tmp_path):
    program = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96)); " + program_with()
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
