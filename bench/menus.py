"""Measure how menus are taken up while the service runs: time, longest stall of the event loop, sold out on live connections.

.venv/bin/python -m bench.menus            # a menu of 5,000 items, 100 live sessions
"""

import argparse
import asyncio
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import orjson

sys.path.insert(0, str(Path(__file__).parent.parent))

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=100)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.items, arguments.sessions))
