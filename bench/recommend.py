"""Print the hit rates, latency and memory of suggestions: one figure a line.

    .venv/bin/python -m bench.recommend [--only hits|curve|size|latency] [DIR ...]

A directory contains `train.csv.gz` (order_id, timestamp, customer_id, item, quantity) and `queries.jsonl.gz` (basket, quantities,
customer_id, timestamp, hidden); the default is the directories in ../shared/recommend. All methods get the same orders and queries. The hit
rate is the share of queries whose hidden item is among the first five suggestions.
"""

import argparse
import csv
import gzip
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the service fits
sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script, it imports the service's modules

import numpy as np

from voice.menus.menu import Menu
from voice.recommend.past_orders import PastOrder
from voice.recommend.recommender import Recommender

LIMIT = 5
SHARED = Path(__file__).parent.parent.parent / "shared" / "recommend"


class Query(NamedTuple):
    """A basket and its hidden next item."""

    basket: tuple[str, ...]
    customer_id: int | None
    at: datetime
    hidden: str


Suggest = Callable[[Query], list[str]]


def read(directory: Path) -> tuple[list[PastOrder], list[Query]]:
    """Read orders and queries; an item's name is its id."""
    by_order: dict[str, list[dict[str, str]]] = {}
    with gzip.open(directory / "train.csv.gz", "rt", encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            by_order.setdefault(row["order_id"], []).append(row)
    orders = [
        PastOrder(
            sequence,
            "bench",
            directory.name,
            datetime.fromisoformat(rows[0]["timestamp"]).replace(tzinfo=UTC),
            int(rows[0]["customer_id"]) if rows[0]["customer_id"] else None,
            tuple((row["item"], int(row["quantity"])) for row in rows),
        )
        for sequence, rows in enumerate(by_order.values(), 1)
    ]
    with gzip.open(directory / "queries.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows_of_queries = [json.loads(line) for line in lines]
    queries = [
        Query(tuple(row["basket"]), row["customer_id"], datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC), row["hidden"])
        for row in rows_of_queries
    ]
    return orders, queries


def synthetic_orders(n_items: int, n_orders: int, n_customers: int = 5000, seed: int = 7) -> list[PastOrder]:
    """Generate orders from a long tail of items; items of the same dozen are ordered together. Deterministic."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, n_items + 1) ** 0.8
    popularity /= popularity.sum()
    firsts = rng.choice(n_items, n_orders, p=popularity)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    orders = []
    for number, first in enumerate(firsts.tolist()):
        extras = rng.integers(0, 12, rng.integers(0, 5)) + first // 12 * 12
        basket = dict.fromkeys([first, *(extras % n_items).tolist()])
        customer_id = int(rng.integers(1, n_customers)) if number % 2 else None
        items = tuple((f"i{item}", 1) for item in basket)
        orders.append(PastOrder(number + 1, "bench", "bench", start + timedelta(minutes=5 * number), customer_id, items))
    return orders


# --- Methods --------------------------------------------------------------------------------------------------------------------------


def popularity(orders: Sequence[PastOrder]) -> Suggest:
    """Suggest the most popular items."""
    counts = Counter(item for order in orders for item, _ in order.items)
    ranked = [item for item, _ in counts.most_common()]
    return lambda query: [item for item in ranked if item not in query.basket][:LIMIT]


def association_rules(orders: Sequence[PastOrder]) -> Suggest:
    """Suggest by the highest confidence of the rules X -> Y with a support of five orders, then by popularity."""
    counts: Counter[str] = Counter()
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    for order in orders:
        items = {item for item, _ in order.items}
        counts.update(items)
        for item in items:
            pairs[item].update(items - {item})
    min_support = 5

    def suggest(query: Query) -> list[str]:
        confidence: dict[str, float] = {item: count / len(orders) * 1e-3 for item, count in counts.items()}
        for item in query.basket:
            for other, together in pairs[item].items():
                if together >= min_support:
                    confidence[other] = max(confidence[other], together / counts[item])
        return [item for item in sorted(confidence, key=lambda item: -confidence[item]) if item not in query.basket][:LIMIT]

    return suggest


def ease(orders: Sequence[PastOrder], ridge: float = 100.0) -> Suggest:
    """Suggest by EASE. Source: Steck, "Embarrassingly shallow autoencoders for sparse data", 2019."""
    items = sorted({item for order in orders for item, _ in order.items})
    index = {item: number for number, item in enumerate(items)}
    baskets = np.zeros((len(orders), len(items)), np.float32)
    for number, order in enumerate(orders):
        baskets[number, [index[item] for item, _ in order.items]] = 1
    inverse = np.linalg.inv((baskets.T @ baskets).astype(float) + ridge * np.eye(len(items)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)

    def suggest(query: Query) -> list[str]:
        basket = [index[item] for item in query.basket if item in index]
        scores = weights[basket].sum(axis=0)
        scores[basket] = -np.inf
        return [items[number] for number in np.argsort(-scores, kind="stable")[:LIMIT]]

    return suggest


def by_service(recommender: Recommender) -> Suggest:
    """Suggest with a recommender of the service."""

    def suggest(query: Query) -> list[str]:
        basket = [(item, 1) for item in query.basket if item in recommender.menu.items]
        suggestions = recommender.recommend(basket, customer_id=query.customer_id, at=query.at, limit=LIMIT, exclude=())
        return [suggestion["item"] for suggestion in suggestions]

    return suggest


def trained(orders: Sequence[PastOrder], items: Sequence[str] | None = None, *, fitted: bool) -> Recommender:
    """Return a recommender with these orders; with `fitted`, also a model, if the service would fit one."""
    recommender = Recommender(named_menu(items or sorted({item for order in orders for item, _ in order.items})))
    recommender.add_orders(orders)
    if fitted and recommender.due is not None:
        recommender.fit()
    return recommender


def hits(suggest: Suggest, queries: Sequence[Query]) -> list[bool]:
    """Return whether the hidden item was suggested, for each query."""
    return [query.hidden in suggest(query) for query in queries]


# --- Figures ------------------------------------------------------------------------------------------------------------------------


def print_hits(directory: Path) -> None:
    """Print the hit rates of all methods."""
    orders, queries = read(directory)
    for name, suggest in (
        ("popularity", popularity(orders)),
        ("association rules", association_rules(orders)),
        ("EASE", ease(orders)),
        ("counts only", by_service(trained(orders, fitted=False))),
    ):
        print(f"{directory.name}  hit rate at {LIMIT}  {name}: {statistics.mean(hits(suggest, queries)):.4f}", flush=True)
    start = time.perf_counter()
    recommender = trained(orders, fitted=True)
    elapsed_s = time.perf_counter() - start
    rate = statistics.mean(hits(by_service(recommender), queries))
    print(f"{directory.name}  hit rate at {LIMIT}  ours: {rate:.4f}  (fitted in {elapsed_s:.1f} s)", flush=True)


def print_curve(directory: Path) -> None:
    """Print the hit rate after 50 to 3,000 orders, on the next 300 orders with several items; the mean over several starting points."""
    orders, _ = read(directory)
    items = sorted({item for order in orders for item, _ in order.items})
    rng = np.random.default_rng(3)
    for n_orders in (50, 200, 1000, 3000):
        service_hits, popularity_hits = [], []
        for start in range(0, 4000, 1000):
            known = orders[start : start + n_orders]
            following = [order for order in orders[start + n_orders :] if len(order.items) > 1][:300]
            queries = []
            for order in following:
                basket = list(dict.fromkeys(item for item, _ in order.items))
                hidden = basket.pop(int(rng.integers(len(basket))))
                queries.append(Query(tuple(basket), order.customer_id, order.placed_at, hidden))
            service_hits += hits(by_service(trained(known, items, fitted=True)), queries)
            popularity_hits += hits(popularity(known), queries)
        gains = [a - b for a, b in zip(service_hits, popularity_hits, strict=True)]
        noise = statistics.stdev(gains) / len(gains) ** 0.5
        means = f"ours {statistics.mean(service_hits):.3f}  popularity {statistics.mean(popularity_hits):.3f}"
        print(f"{directory.name}  after {n_orders} orders: {means}  (standard error of the gain {noise:.3f})", flush=True)


def named_menu(items: Sequence[str]) -> Menu:
    """Make a menu whose item ids are names, which the menu file format would not allow."""
    checked = Menu.model_validate({"id": "bench", "name": "bench", "currency": "VND", "items": {"i": {"name": "i", "price": 100}}})
    served = {item: checked.items["i"].model_copy(update={"name": item}) for item in items}
    return checked.model_copy(update={"languages": ("en",), "items": served})


def resident_mb() -> float:
    """Return this process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measure_size(n_items: int, n_orders: int) -> Iterator[str]:
    """Measure counting and fitting of synthetic orders."""
    orders = synthetic_orders(n_items, n_orders)
    menu = named_menu([f"i{item}" for item in range(n_items)])
    before_mb = resident_mb()
    start = time.perf_counter()
    recommender = Recommender(menu)
    recommender.add_orders(orders)
    counted_s, counted_mb = time.perf_counter() - start, resident_mb() - before_mb
    start = time.process_time()
    recommender.fit()
    fitted_s = time.process_time() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before_mb
    label = f"{n_items} items, {n_orders} orders"
    yield f"{label}  counting: {counted_s:.2f} s, {counted_s / n_orders * 1e6:.0f} us an order, {counted_mb:.0f} MB"
    kept_mb = resident_mb() - before_mb
    yield f"{label}  fitting: {fitted_s:.1f} s of one core; {kept_mb:.0f} MB afterwards, {peak_mb:.0f} MB at the peak"


def measure_latency(n_items: int) -> Iterator[str]:
    """Measure suggestions without new orders, and with an order counted before each."""
    orders = synthetic_orders(n_items, 5000)
    recommender = trained(orders[:4000], [f"i{item}" for item in range(n_items)], fitted=False)
    recommender.fit()
    for label, counts_between in (("no new orders", False), ("an order counted before each", True)):
        took_us = []
        for order in orders[4000:]:
            basket = order.items[: 1 + order.sequence % 3]
            if counts_between:
                recommender.add_orders([order])
            start = time.perf_counter()
            recommender.recommend_json(basket, customer_id=order.customer_id, at=order.placed_at, limit=LIMIT, exclude=())
            took_us.append((time.perf_counter() - start) * 1e6)
        took_us.sort()
        figures = f"fastest {took_us[0]:.0f}, p50 {took_us[len(took_us) // 2]:.0f}, p99 {took_us[len(took_us) * 99 // 100]:.0f} us"
        yield f"{n_items} items  recommend(), {label}: {figures}"


def in_own_process(measure: Callable[..., Iterator[str]], *arguments: int) -> None:
    """Measure in a separate process, so that its memory is that of the measurement."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        for line in process.submit(_list_of, measure, *arguments).result():
            print(line, flush=True)


def _list_of(measure: Callable[..., Iterator[str]], *arguments: int) -> list[str]:
    return list(measure(*arguments))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--only", choices=["hits", "curve", "size", "latency"])
    arguments = parser.parse_args()
    directories = arguments.directories or sorted(path.parent for path in SHARED.glob("*/train.csv.gz"))
    if not directories:
        print("no directories: hit rates are not measured")
    for directory in directories:
        if arguments.only in {None, "hits"}:
            print_hits(directory)
        if arguments.only in {None, "curve"}:
            print_curve(directory)
    if arguments.only in {None, "latency"}:
        for n_items in (11, 30, 250, 10_000):
            in_own_process(measure_latency, n_items)
    if arguments.only in {None, "size"}:
        for n_items in (250, 1000, 10_000):
            in_own_process(measure_size, n_items, 20_000)


if __name__ == "__main__":
    main()
