"""Print the latency of suggestions over HTTP while orders are stored and fits run, and the time of a start with many orders.

    .venv/bin/python -m bench.learning [--only served|start|replicas] [--orders 100000]

`served`: latency while orders are stored. `start`: time of a start from stored orders. `replicas`: delays between two servers.
"""

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script, it imports the service's modules

from bench.recommend import in_own_process, named_menu, synthetic_orders
from settings import ROOT
from tests.servers import Server
from voice.recommend.past_orders import PastOrder
from voice.recommend.sync import Recommenders
from voice.store.store import Store
from voice.store.stored_orders import NewOrder, build_order

N_ITEMS = 250


def measure_served(n_items: int, seconds: int, stored_a_second: int) -> Iterator[str]:
    """Measure sequential requests to a real server over loopback while orders are stored and fits run."""
    orders = synthetic_orders(n_items, 12_000)
    with tempfile.TemporaryDirectory(prefix="served-") as directory:
        server = imported(Path(directory), n_items, orders[:10_000])
        try:
            for rate in (0, stored_a_second):
                storing = multiprocessing.get_context("spawn").Process(target=put_orders, args=(server.port, orders[10_000:], rate))
                storing.start()
                took_ms, late_ms = send_requests(server.port, orders, seconds)
                storing.kill()
                p50, p99 = (took_ms[int(len(took_ms) * share)] for share in (0.5, 0.99))
                label = f"{n_items} items, over HTTP while {rate} orders a second are stored"
                yield f"{label}: p50 {p50:.2f}, p99 {p99:.2f} ms ({len(took_ms)} requests; sleeps end late by p99 {late_ms:.2f} ms)"
        finally:
            server.stop()


def imported(directory: Path, n_items: int, orders: Sequence[PastOrder]) -> Server:
    """Import orders with the command; return a server on their database."""
    items = "".join(f"  i{item}: {{name: Item {item}, category: c{item // 12}, price: 100}}\n" for item in range(n_items))
    (directory / "menus").mkdir()
    (directory / "menus" / "bench.yaml").write_text(f"id: bench\nname: Bench\ncurrency: VND\nitems:\n{items}")
    rows = [f"{o.sequence},{o.placed_at.isoformat()},{o.customer_id or ''},{item},{n}\n" for o in orders for item, n in o.items]
    (directory / "orders.csv").write_text("order_id,timestamp,customer_id,item,quantity\n" + "".join(rows))
    environment = environment_of(directory)
    command = [sys.executable, "-m", "voice.store", "import", str(directory / "orders.csv"), "--menu", "bench"]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return Server(directory, environment)


def measure_replicas(n_items: int, rounds: int) -> Iterator[str]:
    """Measure the time until an order stored by one server affects another, and until both use the same fit."""
    with tempfile.TemporaryDirectory(prefix="replicas-") as directory:
        one = imported(Path(directory), n_items, synthetic_orders(n_items, 90))
        other = Server(Path(directory), environment_of(Path(directory)))
        try:
            ends = [http.client.HTTPConnection("127.0.0.1", server.port) for server in (one, other)]
            took_s = [until_known(ends[0], ends[1], f"i{n_items - 1 - number}") for number in range(rounds)]
            yield f"an order stored by one process is counted by the other after {sum(took_s) / rounds:.2f} s, at most {max(took_s):.2f} s"
            began_s = time.monotonic()
            while not is_fit_saved(Path(directory) / "voice.db"):
                time.sleep(0.05)
            saved_s = time.monotonic()
            ends = [http.client.HTTPConnection("127.0.0.1", server.port) for server in (one, other)]  # the idle ones were closed
            while suggestions(ends[0]) != suggestions(ends[1]):
                time.sleep(0.05)
            same_s = time.monotonic() - saved_s
            yield f"a fit by one of them is saved {saved_s - began_s:.1f} s later; after {same_s:.2f} s more both suggest the same"
        finally:
            one.stop()
            other.stop()


def until_known(one: http.client.HTTPConnection, other: http.client.HTTPConnection, item: str) -> float:
    """Store the first order of an item at one server; return the seconds until the other one counts it."""
    call(one, "PUT", f"order/{uuid4()}", {"menu": "bench", "lines": [{"item": item}, {"item": "i0"}]})
    began_s = time.monotonic()
    while reasons(other).get(item) in {None, "menu"}:
        time.sleep(0.01)
    return time.monotonic() - began_s


def reasons(end: http.client.HTTPConnection) -> dict[str, str]:
    """Return the kinds of reasons of the first fifty suggestions, by item."""
    reply = call(end, "POST", "recommend_order", {"menu": "bench", "items": [{"item": "i0"}], "limit": 50})
    return {suggestion["item"]: suggestion["reason"]["kind"] for suggestion in reply["data"]["items"]}


def suggestions(end: http.client.HTTPConnection) -> list[Any]:
    """Return the suggestions for ten baskets."""
    at = "2026-06-01T12:00:00Z"
    asked = [{"menu": "bench", "items": [{"item": f"i{item}"}], "at": at, "limit": 20} for item in range(10)]
    return [call(end, "POST", "recommend_order", body)["data"]["items"] for body in asked]


def is_fit_saved(database: Path) -> bool:
    """Return True if a fit is saved in the database."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute("SELECT count(*) FROM fits WHERE n_orders > 0").fetchone()[0])


def environment_of(directory: Path) -> dict[str, str]:
    """Return the settings of the servers that share a directory."""
    environment = {"ENVIRONMENT": "TESTING", "DATABASE_URL": f"sqlite+aiosqlite:///{directory}/voice.db", "MENU_DIR": f"{directory}/menus"}
    return environment | {"RATE_LIMIT": "1000000/second", "ACCESS_LOG": "off"}


def call(connection: http.client.HTTPConnection, method: str, path: str, body: object) -> Any:
    """Send a request and return the reply.

    Raises:
        RuntimeError: the request failed.

    """
    headers = {"Content-Type": "application/json", "X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
    connection.request(method, f"/api/v1/voice/{path}", json.dumps(body).encode(), headers)
    response = connection.getresponse()
    content = response.read()
    if response.status not in (200, 201):
        raise RuntimeError(content.decode())
    return json.loads(content)


def put_orders(port: int, orders: Sequence[PastOrder], rate: int) -> None:
    """Store `rate` orders a second."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began_s = time.monotonic()
    for number, order in enumerate(orders if rate else ()):
        lines = [{"item": item, "quantity": quantity} for item, quantity in order.items]
        time.sleep(max(0, began_s + number / rate - time.monotonic()))
        call(connection, "PUT", f"order/{uuid4()}", {"menu": "bench", "lines": lines, "customer_id": order.customer_id})


def send_requests(port: int, orders: Sequence[PastOrder], seconds: int) -> tuple[list[float], float]:
    """Send requests for `seconds`; return the sorted latencies, and the p99 of the scheduling delay of this machine, both in ms."""
    connection, took_ms, nothing_ms = http.client.HTTPConnection("127.0.0.1", port), [], []
    until_s = time.monotonic() + seconds
    for order in itertools.cycle(orders):
        body = {"menu": "bench", "items": [{"item": item} for item, _ in order.items[:2]], "customer_id": order.customer_id}
        began_s = time.perf_counter()
        call(connection, "POST", "recommend_order", body)
        took_ms.append((time.perf_counter() - began_s) * 1e3)
        began_s = time.perf_counter()
        time.sleep(0.002)
        nothing_ms.append((time.perf_counter() - began_s) * 1e3 - 2)
        if time.monotonic() > until_s:
            break
    return sorted(took_ms), sorted(nothing_ms)[len(nothing_ms) * 99 // 100]


def measure_start(n_items: int, n_orders: int) -> Iterator[str]:
    """Measure a start from stored orders, with and without snapshots."""
    with tempfile.TemporaryDirectory(prefix="start-") as directory:
        for line in asyncio.run(timed_starts(f"sqlite+aiosqlite:///{directory}/voice.db", n_items, n_orders)):
            yield f"{n_items} items, {n_orders} orders  {line}"


async def timed_starts(url: str, n_items: int, n_orders: int) -> list[str]:
    """Store synthetic orders, then start recommenders from them."""
    menu = named_menu([f"i{item}" for item in range(n_items)])
    store = Store(url)
    await store.open(migrate=True)
    for start in range(0, n_orders, 2000):
        await store.put_orders([as_stored(order) for order in synthetic_orders(n_items, min(2000, n_orders - start), seed=start)])
    lines = []
    for label in ("from the orders", "from snapshots"):
        recommenders, began_s = Recommenders(lambda *_: menu), time.perf_counter()
        following = asyncio.create_task(recommenders.follow(store))
        while recommenders.get("bench", menu).n_orders < n_orders:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
        lines.append(f"start {label}: {time.perf_counter() - began_s:.2f} s")
        began_s = time.perf_counter()
        while not await store.snapshot_sequences():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if not lines[1:]:
            size_mb = len((await store.get_snapshot("bench", "bench") or (0, b""))[1]) / 1e6
            lines.append(f"saving the snapshots: {time.perf_counter() - began_s:.2f} s, {size_mb:.1f} MB")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await store.close()
    return lines


def as_stored(order: PastOrder) -> NewOrder:
    """Convert a past order to a new one."""
    lines: Any = [{"item": item, "name": item, "quantity": quantity, "options": []} for item, quantity in order.items]
    stored = build_order(
        uuid4(), menu="bench", lines=lines, total=0, currency="VND", customer_id=order.customer_id, placed_at=order.placed_at
    )
    return NewOrder("bench", stored, placed_at_given=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["served", "start", "replicas"])
    parser.add_argument("--orders", type=int, default=100_000)
    arguments = parser.parse_args()
    if arguments.only in {None, "served"}:
        for line in measure_served(N_ITEMS, seconds=15, stored_a_second=50):
            print(line, flush=True)
    if arguments.only in {None, "replicas"}:
        for line in measure_replicas(N_ITEMS, rounds=20):
            print(line, flush=True)
    if arguments.only in {None, "start"}:
        in_own_process(measure_start, N_ITEMS, arguments.orders)


if __name__ == "__main__":
    main()
