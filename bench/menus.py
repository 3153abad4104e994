"""Measure how menus are taken up while the service runs: time, longest stall of the event loop, sold out on live connections.

.venv/bin/python -m bench.menus            # a menu of 5,000 items, 100 live sessions, in this process
.venv/bin/python -m bench.menus --service  # the same over HTTP and 100 WebSockets, on a server that this starts; speech on each connection
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import orjson
from websockets.asyncio.client import ClientConnection, connect

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.speech import read_wav
from settings import ROOT
from tests.servers import Server
from voice.asr.audio import SAMPLE_RATE
from voice.dialog.turn import DialogEngine
from voice.live.session_order import SessionOrder
from voice.menus import compiling
from voice.menus.menu import Menu
from voice.menus.parts import Part, with_own_parts
from voice.menus.served import menu_of
from voice.orders.parser.model import Model

T = TypeVar("T")
WORDS = re.findall(
    r"\w+",
    "grilled smoked spicy sweet sour crispy fried chicken beef pork tofu prawn noodle rice soup salad roll bun tea coffee juice latte "
    "mocha lemon mango peach lychee coconut ginger garlic onion pepper basil mint cheese egg bacon ham tuna salmon",
)


def body_of(n_items: int) -> bytes:
    """Return a menu in JSON: two names and an alias an item, eight words."""
    random.seed(1)
    items = {}
    for number in range(n_items):
        words = random.sample(WORDS, 3)
        code = f"{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}{chr(97 + number // 676 % 26)}x"
        name = {"en": f"{' '.join(words)} {code}", "vi": f"{words[2]} {code}"}
        items[f"i{number}"] = {"name": name, "aliases": [f"{words[0]} {code}"], "price": 100 + number, "options": ["size"]}
    size = {"name": "Size", "default": "s", "choices": {"s": {"name": "small"}, "l": {"name": "large", "price": 100}}}
    return orjson.dumps({"id": "big", "name": "Big", "currency": "USD", "option_groups": {"size": size}, "items": items})


async def measured(name: str, work: Callable[[], T]) -> T:
    """Run blocking work in a thread; print its time and the longest stall of the event loop meanwhile."""
    stalls: list[tuple[float, float]] = []

    async def tick() -> None:
        while True:
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            await asyncio.sleep(0.001)
            stalls.append((time.perf_counter() - began_s - 0.001, time.process_time() - began_cpu_s))

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    stalls.clear()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    done = await asyncio.to_thread(work)
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    await asyncio.sleep(0.01)
    ticking.cancel()
    stall_ms, stall_cpu_ms = (1000 * max(column) for column in zip(*stalls, strict=True))
    print(f"{name}: {wall_s:.2f} s, {cpu_s:.2f} s of processor time; longest stall {stall_ms:.0f} ms, {stall_cpu_ms:.0f} of processor time")
    return done


def compiled(menu: Menu, model: Model) -> DialogEngine:
    """Compile a menu as the service does."""
    with compiling.alone():
        return DialogEngine(with_own_parts(menu), model=model)


async def main(n_items: int, n_sessions: int) -> None:
    """Print the figures."""
    model = Model.load()
    body = body_of(n_items)
    compiled(menu_of(body_of(3), "big")[0], model)  # what a process does once
    print(f"{n_items} items, {len(body):,} bytes")
    menu, _ = await measured("validate", lambda: menu_of(body, "big"))
    engine = await measured("compile", lambda: compiled(menu, model))
    text = str(menu.items["i7"].name)
    sessions = [SessionOrder(lambda: engine) for _ in range(n_sessions)]
    segments: list[Any] = [{"start_s": 0.0, "end_s": 1.0, "text": text, "confidence": 0.9}]
    n_before = sum(bool(session.parse(segments)["lines"]) for session in sessions)
    began_s = time.perf_counter()
    engine.set_availability({Part(None, "i7"): False})
    changed_s = time.perf_counter()
    for session in sessions:
        session.follow_menu()
    followed_s = time.perf_counter()
    n_after = sum(bool(session.parse(segments)["lines"]) for session in sessions)
    print(f"sold out: {1000 * (changed_s - began_s):.1f} ms; {n_sessions} sessions follow in {1000 * (followed_s - changed_s):.1f} ms")
    print(f"sessions that could order it before: {n_before}, after: {n_after}")


# --- A real service

CLIP = ROOT / "tests/recordings/vi-mau-trang.wav"  # "màu trắng"
KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
SPOKEN = {
    "id": "spoken",
    "name": "Spoken",
    "currency": "VND",
    "languages": ["vi"],
    "items": {"white": {"name": "Màu trắng", "price": 1000}},
}
AT_ONCE = 8  # connections that speak at the same time
PAUSE_S = 0.005


async def longest_health(client: httpx.AsyncClient, work: Awaitable[T]) -> tuple[T, float, float]:
    """Await a request; return its reply, its seconds, and those of the slowest healthcheck meanwhile."""
    slowest_s = 0.0
    task = asyncio.ensure_future(work)
    began_s = time.perf_counter()
    while not task.done():
        asked_s = time.perf_counter()
        await client.get("/healthcheck")
        slowest_s = max(slowest_s, time.perf_counter() - asked_s)
        await asyncio.sleep(PAUSE_S)
    return await task, time.perf_counter() - began_s, slowest_s


async def say(socket: ClientConnection, audio: bytes) -> dict[str, Any]:
    """Speak on a connection, with an empty order before; return the final."""
    await socket.send('{"type": "lines", "lines": []}')
    await socket.send(audio)
    await socket.send('{"type": "end"}')
    while True:
        event: dict[str, Any] = orjson.loads(await socket.recv())["data"]
        if event["type"] == "final" and event["text"]:
            return event


async def serve_and_measure(n_items: int, n_sessions: int) -> None:
    """Print the figures of a service: a menu is put, and an item of another one is sold out on live connections."""
    audio = np.concatenate([read_wav(CLIP), np.zeros(SAMPLE_RATE // 2, np.float32)])
    pcm = (audio * 32767).astype("<i2").tobytes()
    with tempfile.TemporaryDirectory() as directory:
        limits = {"ENVIRONMENT": "TESTING", "RATE_LIMIT": "1000000/minute", "RATE_LIMIT_SPEECH": "1000000/minute"}
        models = {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"}
        server = Server(Path(directory), limits | models)
        try:
            server.wait_until(lambda: httpx.get(f"{server.url}/readiness").is_success)
            async with httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=120) as client:
                await measure_service(client, server.port, body_of(n_items), n_sessions, pcm)
        finally:
            server.stop()


async def measure_service(client: httpx.AsyncClient, port: int, body: bytes, n_sessions: int, pcm: bytes) -> None:
    """Print the figures of a running service."""
    headers = {"Content-Type": "application/json", "If-None-Match": "*"}
    reply, put_s, slowest_s = await longest_health(client, client.put("/api/v1/voice/menus/big", content=body, headers=headers))
    print(f"PUT of {len(body):,} bytes: {reply.status_code} after {put_s:.2f} s; slowest healthcheck {1000 * slowest_s:.0f} ms")
    (await client.put("/api/v1/voice/menus/spoken", content=orjson.dumps(SPOKEN), headers=headers)).raise_for_status()
    url = f"ws://127.0.0.1:{port}/api/v1/voice/live?menu=spoken&language=vi"
    sockets = [await connect(url, additional_headers=KEYS) for _ in range(n_sessions)]

    async def all_say() -> list[dict[str, Any]]:
        finals: list[dict[str, Any]] = []
        for at in range(0, n_sessions, AT_ONCE):
            finals += await asyncio.gather(*[say(socket, pcm) for socket in sockets[at : at + AT_ONCE]])
        return finals

    before = await all_say()
    change = client.patch("/api/v1/voice/menus/spoken/items/white", json={"available": False})
    reply, patch_s, slowest_s = await longest_health(client, change)
    after = await all_say()
    n_before = sum(bool(final["lines"]) for final in before)
    n_after = sum(bool(final["lines"]) for final in after)
    n_told = sum(any(question["kind"] == "unavailable" for question in final["questions"]) for final in after)
    print(f"sold out: {reply.status_code} after {1000 * patch_s:.0f} ms; slowest healthcheck {1000 * slowest_s:.0f} ms")
    print(f"of {n_sessions} live connections could order it: {n_before} before, {n_after} in their next words after; {n_told} heard why")
    await asyncio.gather(*[socket.close() for socket in sockets])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--service", action="store_true", help="measure a server that this starts")
    arguments = parser.parse_args()
    asyncio.run((serve_and_measure if arguments.service else main)(arguments.items, arguments.sessions))
