"""Print how many orders a second are stored with and without webhooks and delivered to a receiver, and the latency of a delivery.

    .venv/bin/python -m bench.webhooks

Measures SQLite and PostgreSQL; the receiver is in the same process.
"""

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.store import an_order
from tests.databases import Postgres
from tests.webhooks.receiver import Receiver, delivering, receiving
from voice.store.store import Store

ORDERS, CALLERS, SINGLE = 1500, 32, 20


async def put_all(store: Store) -> float:
    """Store orders from concurrent callers; return their number a second."""
    waiting = [an_order() for _ in range(ORDERS)]

    async def call() -> None:
        while waiting:
            await store.put_order("a", waiting.pop(), placed_at_given=True)

    began_s = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return ORDERS / (time.perf_counter() - began_s)


async def latencies_ms(store: Store, receiver: Receiver) -> list[float]:
    """Store single orders; return the times from the commit to the request at the receiver."""
    found = []
    for _ in range(SINGLE):
        n_before = len(receiver.got)
        await store.put_order("a", an_order(), placed_at_given=True)
        began_s = time.perf_counter()
        while len(receiver.got) == n_before:  # noqa: ASYNC110 - a connection adds it
            await asyncio.sleep(0.001)
        found.append(1000 * (time.perf_counter() - began_s))
    return found


async def measure(name: str, url: str) -> None:
    """Print the figures of one database."""
    without = Store(url)
    await without.open(migrate=True)
    plain = await put_all(without)
    await without.close()
    store = Store(url, webhook_clients={"a"})
    await store.open(migrate=True)
    stored = await put_all(store)
    async with receiving() as receiver:
        began_s = time.perf_counter()
        async with delivering(store, {"a": receiver.url}, attempt_s=15):
            await receiver.received(ORDERS, within_s=120)
            delivered = ORDERS / (time.perf_counter() - began_s)
            single = await latencies_ms(store, receiver)
    await store.close()
    after_ms = statistics.median(single)
    print(f"{name}: stored {plain:.0f}/s, with events {stored:.0f}/s; delivered {delivered:.0f}/s, after {after_ms:.0f} ms")


def main() -> None:
    """Measure both databases."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="webhooks-") as directory:
        server = Postgres(Path(directory))
        server.start()
        try:
            asyncio.run(measure("SQLite", f"sqlite+aiosqlite:///{directory}/voice.db"))
            asyncio.run(measure("PostgreSQL", server.url()))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
