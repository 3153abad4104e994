"""Print the rate of storing orders by number of callers, and the times of importing a history and of following it.

    .venv/bin/python -m bench.store [--import-orders 100000]

Measures SQLite and PostgreSQL.
"""

import argparse
import asyncio
import io
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent))

from schemas import StoredOrder
from tests.databases import Postgres
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Menu
from voice.store.history_file import read_history
from voice.store.import_orders import Progress, new_orders, store_orders
from voice.store.store import Store

CALLERS = (1, 8, 50)
PUTS = 2000
PAGE = 500
MENU = Menu.model_validate(
    {
        "id": "bench",
        "name": "Bench",
        "currency": "VND",
        "items": {f"item-{number}": {"name": f"Item {number}", "price": 1} for number in range(250)},
    }
)
ENGINE = DialogEngine(MENU)


def an_order() -> StoredOrder:
    """Make an order of three lines."""
    (new,) = new_orders(read_history(io.StringIO(history(1)), MENU, print), str(uuid4()), ENGINE, datetime.now(UTC))
    return new.order


def history(count: int) -> str:
    """Make a CSV file of orders with three items each."""
    rows = ["order_id,timestamp,customer_id,item,quantity"]
    for number in range(count):
        rows += [f"{number},,{number % 1000 + 1},item-{item},1" for item in random.sample(range(250), 3)]
    return "\n".join(rows)


async def put(name: str, store: Store, callers: int) -> None:
    """Store orders from concurrent callers."""
    waiting = [an_order() for _ in range(PUTS // (4 if callers == 1 else 1))]
    count, times_s = len(waiting), []

    async def call() -> None:
        while waiting:
            began_s = time.perf_counter()
            await store.put_order("demo", waiting.pop(), placed_at_given=True)
            times_s.append(time.perf_counter() - began_s)

    began_s = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    rate = count / (time.perf_counter() - began_s)
    times_s.sort()
    p50_ms, p99_ms = (1000 * times_s[int(count * share)] for share in (0.5, 0.99))
    print(f"{name}: {callers:2} callers: {rate:6,.0f} orders a second, p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms")


async def import_history(name: str, store: Store, count: int) -> None:
    """Import a history twice, then follow it."""
    text = history(count)
    for what in ("new", "again"):
        began_s = time.perf_counter()
        new = new_orders(read_history(io.StringIO(text), MENU, print), "import", ENGINE, datetime.now(UTC))
        await store_orders(store, new, Progress(count, io.StringIO()))
        print(f"{name}: import of {count:,} orders, {what}: {time.perf_counter() - began_s:.1f} s")
    del new  # otherwise the garbage collector would traverse it while pages are timed
    began_s, sequence, slowest_s = time.perf_counter(), 0, 0.0
    while True:
        page_s = time.perf_counter()
        page = await store.orders_after(sequence, limit=PAGE)
        slowest_s = max(slowest_s, time.perf_counter() - page_s)
        if not page:
            break
        sequence = page[-1].sequence
    print(f"{name}: followed to the end in {time.perf_counter() - began_s:.1f} s, slowest page of {PAGE} {1000 * slowest_s:.0f} ms")


async def run(import_count: int) -> None:
    """Measure both databases."""
    with tempfile.TemporaryDirectory(prefix="store-") as directory:
        postgres = Postgres(Path(directory))
        postgres.start()
        try:
            for name, url in (("sqlite", f"sqlite+aiosqlite:///{directory}/voice.db"), ("postgresql", postgres.url())):
                store = Store(url)
                await store.open(migrate=True)
                for callers in CALLERS:
                    await put(name, store, callers)
                await import_history(name, store, import_count)
                await store.close()
        finally:
            postgres.stop()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--import-orders", type=int, default=100_000)
    asyncio.run(run(parser.parse_args().import_orders))


if __name__ == "__main__":
    main()
