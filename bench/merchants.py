"""Print the hit rates of suggestions for synthetic merchants, compared with simpler methods, one line each.

    .venv/bin/python -m bench.merchants [--seeds 1] [NAME ...]

Each merchant's orders have one pattern, or none. A method that misses the pattern, or invents one, scores lower. The last fifth of the
orders are queries with one item hidden; the other orders are training data. A line ends with "below" if the best simple method is better by
more than two standard errors of the difference.
"""

import argparse
import os
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the service fits
sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script, it imports the service's modules

import numpy as np
from numpy.typing import NDArray

from bench.recommend import LIMIT, Query, Suggest, association_rules, by_service, ease, hits, popularity, trained
from voice.recommend.past_orders import PastOrder

Random = np.random.Generator
Shares = NDArray[np.float64]
# A basket, its customer and its time.
Placed = tuple[Sequence[int], int | None, datetime]
START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
MAX_QUERIES = 600


def zipf(n_items: int, exponent: float) -> Shares:
    """Return shares of items, the most popular first."""
    shares: Shares = 1 / np.arange(1, n_items + 1) ** exponent
    shares /= shares.sum()
    return shares


def by_day(number: int, a_day: int = 60) -> datetime:
    """Return the time of an order: evenly spaced from 8:00 to 20:00, `a_day` orders a day."""
    return START + timedelta(days=number // a_day, hours=8 + 12 * (number % a_day) / a_day)


def drawn(rng: Random, shares: Shares, size: int) -> list[int]:
    """Draw distinct items."""
    return list(map(int, rng.choice(len(shares), min(size, len(shares)), replace=False, p=shares)))


# --- Merchants ----------------------------------------------------------------------------------------------------------------------


def nothing(rng: Random, n_orders: int, n_items: int = 60) -> Iterator[Placed]:
    """Popularity only; customers and hours are random."""
    shares = zipf(n_items, 0.9)
    for number in range(n_orders):
        yield drawn(rng, shares, int(rng.integers(1, 5))), int(rng.integers(1, 400)), by_day(number)


def few_items(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Eight items; two of them are often ordered together."""
    shares = zipf(8, 0.7)
    for number in range(n_orders):
        basket = drawn(rng, shares, int(rng.integers(1, 4)))
        if 3 in basket and rng.random() < 0.6:
            basket.append(6)
        yield basket, None, by_day(number)


def sets(rng: Random, n_orders: int, n_items: int = 80) -> Iterator[Placed]:
    """Groups of four items that are ordered together."""
    shares = zipf(n_items // 4, 0.6)
    for number in range(n_orders):
        group = int(rng.choice(len(shares), p=shares))
        basket = [4 * group + int(item) for item in rng.permutation(4)[: rng.integers(2, 5)]]
        yield [*basket, int(rng.integers(n_items))] if rng.random() < 0.3 else basket, None, by_day(number)


def long_tail(rng: Random, n_orders: int) -> Iterator[Placed]:
    """A thousand items, ordered rarely, in families of ten."""
    shares = zipf(1000, 0.7)
    for number in range(n_orders):
        first = int(rng.choice(1000, p=shares))
        yield [first, *(first // 10 * 10 + rng.integers(0, 10, rng.integers(1, 4))).tolist(), *drawn(rng, shares, 1)], None, by_day(number)


def courses(rng: Random, n_orders: int) -> Iterator[Placed]:
    """One item of each course, never two of one: the variants of a course exclude each other."""
    shares = [zipf(12, 0.8) for _ in range(5)]
    for number in range(n_orders):
        chosen = rng.permutation(5)[: rng.integers(2, 5)]
        yield [12 * int(course) + int(rng.choice(12, p=shares[course])) for course in chosen], None, by_day(number)


def regulars(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Each customer orders four favourites; there is no other pattern."""
    shares = zipf(100, 0.8)
    favourites = [drawn(rng, shares, 4) for _ in range(400)]
    for number in range(n_orders):
        customer = int(rng.integers(400))
        basket = rng.permutation(favourites[customer])[: rng.integers(1, 4)].tolist()
        yield [*basket, *drawn(rng, shares, 1)] if rng.random() < 0.3 else basket, customer + 1, by_day(number)


def variety(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Customers never repeat an item of their last two orders."""
    shares, last = zipf(50, 0.6), defaultdict[int, list[int]](list)
    for number in range(n_orders):
        customer = int(rng.integers(1, 200))
        basket = [item for item in drawn(rng, shares, 5) if item not in last[customer]][: rng.integers(2, 4)]
        last[customer] = [*last[customer], *basket][-6:]
        yield basket or [0], customer, by_day(number)


def hours(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Breakfast, lunch and supper have their own items."""
    shares = zipf(25, 0.7)
    for number in range(n_orders):
        at = by_day(number)
        meal = (at.hour - 8) // 4
        basket = [25 * meal + item for item in drawn(rng, shares, int(rng.integers(1, 4)))]
        yield basket, None, at


def weekend(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Saturdays and Sundays have their own items."""
    shares = zipf(30, 0.7)
    for number in range(n_orders):
        at = by_day(number)
        yield [30 * (at.weekday() > 4) + item for item in drawn(rng, shares, int(rng.integers(1, 4)))], None, at


def drift(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Every twenty orders the popularities of two items are exchanged."""
    shares = zipf(80, 1.0)
    for number in range(n_orders):
        if number % 20 == 0:
            one, other = rng.integers(0, 80, 2)
            shares[[one, other]] = shares[[other, one]]
        yield drawn(rng, shares, int(rng.integers(1, 5))), None, by_day(number)


def new_menu(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Shortly before the end of training most items are replaced by new ones with the same pattern."""
    shares = zipf(15, 0.6)
    for number in range(n_orders):
        group = int(rng.choice(15, p=shares))
        shift = 45 if number > n_orders * 0.7 and group < 10 else 0
        yield [3 * group + shift + int(item) for item in rng.permutation(3)[: rng.integers(2, 4)]], None, by_day(number)


def singles(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Nine of ten orders have one item; pairs show only in the tenth."""
    shares = zipf(40, 0.8)
    for number in range(n_orders):
        item = int(rng.choice(40, p=shares))
        yield (
            [item, (item + 20) % 40 if rng.random() < 0.5 else int(rng.choice(40, p=shares))][: 1 + (rng.random() < 0.1)],
            None,
            by_day(number),
        )


def parties(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Orders of eight to twenty of 120 items, by three kinds of guests."""
    kinds = [rng.permutation(zipf(120, 0.9)) for _ in range(3)]
    for number in range(n_orders):
        yield drawn(rng, kinds[int(rng.integers(3))], int(rng.integers(8, 21))), None, by_day(number)


def explained_away(rng: Random, n_orders: int) -> Iterator[Placed]:
    """Mains predict rice, and rice predicts one of three sauces: given the rice, the main is no evidence for the sauce."""
    shares = zipf(50, 0.5)
    for number in range(n_orders):
        basket = [5 + int(rng.choice(50, p=shares))]
        if rng.random() < 0.8:
            basket.append(0)
            if rng.random() < 0.6:
                basket.append(1 + int(rng.integers(3)))
        elif rng.random() < 0.6:
            basket.append(4)
        yield basket, None, by_day(number)


def timeless(rng: Random, n_orders: int) -> Iterator[Placed]:
    """The pattern of `sets`, with one order a second: an import places orders without a time like this."""
    for number, (basket, customer, _) in enumerate(sets(rng, n_orders)):
        yield basket, customer, START + timedelta(seconds=number)


MERCHANTS: dict[str, tuple[Callable[[Random, int], Iterator[Placed]], int]] = {
    "nothing": (nothing, 4000),
    "nothing, many items": (lambda rng, n_orders: nothing(rng, n_orders, 600), 3000),
    "few items": (few_items, 2500),
    "sets": (sets, 3000),
    "long tail": (long_tail, 5000),
    "courses": (courses, 3000),
    "regulars": (regulars, 5000),
    "variety": (variety, 3000),
    "hours": (hours, 3000),
    "weekend": (weekend, 3000),
    "drift": (drift, 4000),
    "new menu": (new_menu, 3000),
    "singles": (singles, 5000),
    "parties": (parties, 1500),
    "explained away": (explained_away, 4000),
    "timeless": (timeless, 2000),
    "tiny, nothing": (nothing, 100),
    "tiny, sets": (sets, 250),
    "small, courses": (courses, 450),
    "small, regulars": (regulars, 520),
    "small, nothing": (nothing, 600),
}


# --- Methods --------------------------------------------------------------------------------------------------------------------------


def recent_popularity(orders: Sequence[PastOrder]) -> Suggest:
    """Suggest the most popular items of the last 500 orders."""
    return popularity(orders[-500:])


def own_orders(orders: Sequence[PastOrder]) -> Suggest:
    """Suggest the customer's most popular items, then those of all customers."""
    own: dict[int | None, Counter[str]] = defaultdict(Counter)
    for order in orders:
        if order.customer_id is not None:
            own[order.customer_id].update(item for item, _ in order.items)
    most = popularity(orders)

    def suggest(query: Query) -> list[str]:
        usual = [item for item, _ in own[query.customer_id].most_common() if item not in query.basket]
        return list(dict.fromkeys([*usual, *most(query)]))[:LIMIT]

    return suggest


SIMPLE = {
    "popularity": popularity,
    "recent": recent_popularity,
    "rules": association_rules,
    "EASE": ease,
    "own": own_orders,
}


def generate(name: str, seed: int) -> tuple[list[PastOrder], list[Query], list[str]]:
    """Generate a merchant's orders, the queries, and the menu's items."""
    make, n_orders = MERCHANTS[name]
    rng = np.random.default_rng([seed, len(name)])
    n_queries = max(n_orders // 4, 250)
    placed = [(list(dict.fromkeys(basket)), customer, at) for basket, customer, at in make(rng, n_orders + n_queries)]
    # Names are numbers in a shuffled order, so that the menu's order is no evidence.
    names = [f"i{number}" for number in rng.permutation(1 + max(item for basket, _, _ in placed for item in basket))]
    orders = [
        PastOrder(number, "bench", "bench", at, customer, tuple((names[item], 1 + item % 2) for item in basket))
        for number, (basket, customer, at) in enumerate(placed[:n_orders], 1)
    ]
    queries = []
    for basket, customer, at in placed[n_orders:]:
        if len(basket) > 1:
            hidden = basket.pop(int(rng.integers(len(basket))))
            queries.append(Query(tuple(names[item] for item in basket), customer, at, names[hidden]))
    return orders, queries[:MAX_QUERIES], sorted(names)


def compare(name: str, seed: int) -> str:
    """Return a merchant's line."""
    orders, queries, items = generate(name, seed)
    simple = {label: hits(learn(orders), queries) for label, learn in SIMPLE.items()}
    service = hits(by_service(trained(orders, items, fitted=True)), queries)
    best = max(simple, key=lambda label: sum(simple[label]))
    gains = [a - b for a, b in zip(service, simple[best], strict=True)]
    noise = statistics.stdev(gains) / len(gains) ** 0.5
    gain = statistics.mean(gains)
    others = "  ".join(f"{label} {statistics.mean(hit):.3f}" for label, hit in simple.items())
    verdict = "  below" if gain < -2 * noise else ""
    rates = f"ours {statistics.mean(service):.3f}  {others}"
    return f"{name} ({len(orders)} orders, seed {seed})  {rates}  gain {gain:+.3f} ± {noise:.3f}{verdict}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MERCHANTS))
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    for seed in range(1, arguments.seeds + 1):
        for name in arguments.names or MERCHANTS:
            print(compare(name, seed), flush=True)


if __name__ == "__main__":
    main()
